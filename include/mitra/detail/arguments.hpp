// What one argument of submit is: an access, a list of them, a value; what of it is stored, and what a body is given for it.
// Flow: Runtime::submit -> [arguments] -> submission. Thread-safety: immutable code.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <mitra/any_accesses.hpp>
#include <mitra/codelet.hpp>
#include <mitra/data.hpp>
#include <mitra/engine.hpp>

namespace mitra {

/// A value that recorded tasks read anew at each replay. Copies share it. Set it while no task that reads it runs.
template <class T>
class Parameter {
 public:
  explicit Parameter(T value) : value_(std::make_shared<T>(std::move(value))) {}
  void set(T value) { *value_ = std::move(value); }
  const T& get() const { return *value_; }

 private:
  std::shared_ptr<T> value_;
};

/// Views of an access list: size(), and operator[] for each.
template <class Kind, AccessMode Mode>
class Views {
 public:
  Views(const detail::ExecutionContext& context, std::size_t first, std::size_t count)
      : context_(&context), first_(first), count_(count) {}
  std::size_t size() const { return count_; }
  decltype(auto) operator[](std::size_t i) const;

 private:
  const detail::ExecutionContext* context_;
  std::size_t first_, count_;
};

namespace detail {

// ---------------------------------------------------------------- views of accesses

/// @param is_private  Reduce or scratch: the task has a copy of its own.
inline void* address_of(const ExecutionContext& context, std::size_t index, bool is_private) {
  if (context.addresses != nullptr) [[unlikely]] return context.addresses[index];
  DataHeader* data = context.task->access_words()[index].data();
  // Acquire: a concurrent reader may allocate the datum right now, and then this address is its first.
  void* address = std::atomic_ref(data->host).load(std::memory_order_acquire);
  if (is_private || address == nullptr) [[unlikely]]
    address = context.engine->address(context, index);
  return address;
}

template <class Kind, AccessMode Mode>
decltype(auto) view_of(const ExecutionContext& context, std::size_t index) {
  DataHeader* data = context.task->access_words()[index].data();
  constexpr bool is_private = Mode == AccessMode::reduce || Mode == AccessMode::scratch;
  void* address = address_of(context, index, is_private);
  if (context.addresses != nullptr) [[unlikely]] {  // a replica has no gaps between its columns
    if constexpr (reads_only(Mode))
      return Kind::make_const(address, data->shape.packed());
    else
      return Kind::make(address, data->shape.packed());
  }
  if constexpr (reads_only(Mode)) {
    return Kind::make_const(address, data->shape);
  } else if constexpr (is_private) {
    return Kind::make(address, data->shape.packed());
  } else {
    return Kind::make(address, data->shape);
  }
}

// ---------------------------------------------------------------- classification of the arguments of submit

template <class T>
struct Argument {  // a value: kept by the task, passed as const T&
  static constexpr bool is_access = false, is_list = false, gives_parameter = true;
  using stored = T;
  static const T& pass(const stored& value, const ExecutionContext&) { return value; }
};
template <class T>
struct Argument<Parameter<T>> {
  static constexpr bool is_access = false, is_list = false, gives_parameter = true;
  using stored = Parameter<T>;
  static const T& pass(const stored& value, const ExecutionContext&) { return value.get(); }
};
template <class Kind, AccessMode Mode>
struct Argument<Access<Kind, Mode>> {
  static constexpr bool is_access = true, is_list = false, gives_parameter = !std::is_same_v<Kind, TokenKind>;
};
struct ListRange {
  std::uint32_t first, count;
};
template <class Kind, AccessMode Mode>
struct Argument<AccessList<Kind, Mode>> {
  static constexpr bool is_access = false, is_list = true, gives_parameter = !std::is_same_v<Kind, TokenKind>;
  using stored = ListRange;
  static Views<Kind, Mode> pass(const stored& range, const ExecutionContext& context) {
    return {context, range.first, range.count};
  }
};

template <>
struct Argument<AnyAccesses> {
  static constexpr bool is_access = false, is_list = true, gives_parameter = true;
  using stored = ListRange;
  static AnyViews pass(const stored& range, const ExecutionContext& context) { return {context, range.first, range.count}; }
};

/// Stored in place of an access, whose index is known at compile time. Distinct types take no room in a tuple.
template <std::size_t Index>
struct AccessSlot {};

template <std::size_t Index, class Arg>
struct StoredArgument {
  using type = typename Argument<Arg>::stored;
};
template <std::size_t Index, class Kind, AccessMode Mode>
struct StoredArgument<Index, Access<Kind, Mode>> {
  using type = AccessSlot<Index>;
};

/// Index among the accesses of the I-th argument.
template <std::size_t I, class... Args>
constexpr std::size_t access_index() {
  constexpr bool flags[] = {Argument<Args>::is_access..., false};
  std::size_t n = 0;
  for (std::size_t i = 0; i < I; ++i) n += flags[i] ? 1 : 0;
  return n;
}

}  // namespace detail

}  // namespace mitra
