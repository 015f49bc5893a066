// Accesses whose modes are known only at run time, to data of any kind: for graphs from files and for other interfaces.
// Flow: application -> [any accesses] -> Runtime::submit. Thread-safety: values.
#pragma once

#include <cstddef>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/engine.hpp>
#include <mitra/source_location.hpp>

namespace mitra {

/// One argument of submit that stands for many accesses: the body receives AnyViews for it. Typed accesses say more, and
/// are checked when the program is compiled; this is for programs that cannot know.
class AnyAccesses {
 public:
  explicit AnyAccesses(SourceLocation at = SourceLocation::current()) : where(at) {}

  template <class Kind, AccessMode Mode>
  void add(const Access<Kind, Mode>& access) {
    add(access.data, Mode, access.operation);
  }
  /// @param operation  Of AccessMode::reduce; null for the other modes.
  void add(detail::DataHeader* data, AccessMode mode, const detail::ReduceOperation* operation = nullptr) {
    words.emplace_back(data, mode);
    operations.push_back(operation);
  }

  std::vector<detail::AccessWord> words;
  std::vector<const detail::ReduceOperation*> operations;  ///< One a word.
  SourceLocation where;                                    ///< Where the application wrote the list.
};

/// One access of a running task, without its type.
class AnyView {
 public:
  AnyView(const detail::ExecutionContext& context, std::size_t access) : context_(&context), access_(access) {}

  AccessMode mode() const { return word().mode(); }
  /// Rows, columns, leading dimension, bytes of an element; all 0 for a token.
  detail::Shape shape() const {
    const detail::Shape& whole = word().data()->shape;
    return is_private() || context_->addresses != nullptr ? whole.packed() : whole;
  }
  /// The memory; for AccessMode::read, nothing may be written there. A datum of Mitra's that nobody has looked at before
  /// is allocated now.
  std::byte* data() const;

 private:
  detail::AccessWord word() const { return context_->task->access_words()[access_]; }
  bool is_private() const { return mode() == AccessMode::reduce || mode() == AccessMode::scratch; }

  const detail::ExecutionContext* context_;
  std::size_t access_;
};

/// What a body receives for AnyAccesses, in the same order.
class AnyViews {
 public:
  AnyViews(const detail::ExecutionContext& context, std::size_t first, std::size_t count)
      : context_(&context), first_(first), count_(count) {}
  std::size_t size() const { return count_; }
  AnyView operator[](std::size_t i) const { return {*context_, first_ + i}; }

 private:
  const detail::ExecutionContext* context_;
  std::size_t first_, count_;
};

}  // namespace mitra
