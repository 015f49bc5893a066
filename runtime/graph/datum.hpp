// A datum as the runtime sees it: what bodies read (DataHeader), who may touch it next (DependencyState), and the rest.
// Flow: Runtime::data -> [datum] -> dependency tracker, memory manager. Thread-safety: each part says.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/error.hpp>
#include <mitra/types.hpp>

namespace mitra::graph {

/// A task that may have finished since: the id tells whether the record still is that task.
struct Member {
  detail::TaskHeader* task = nullptr;
  std::uint64_t id = 0;
  bool operator==(const Member&) const = default;
};

/// Accesses that need no order among themselves form a group; each group follows the one before it.
enum class AccessGroup : std::uint8_t { none, exclusive, read, commute, reduce };

constexpr AccessGroup group_of(AccessMode mode) {
  switch (mode) {
    case AccessMode::read: return AccessGroup::read;
    case AccessMode::write:
    case AccessMode::readwrite: return AccessGroup::exclusive;
    case AccessMode::commute: return AccessGroup::commute;
    case AccessMode::reduce: return AccessGroup::reduce;
    case AccessMode::scratch: break;  // unordered, like read: only its lifetime is followed
  }
  return AccessGroup::read;
}

/// The end of a datum's history of accesses. @thread under the submission lock.
class alignas(64) DependencyState {
 public:
  Member previous;  ///< What every member of the current group follows; task is null if nothing.
  AccessGroup group = AccessGroup::none;
  std::atomic<bool> in_tree{false};  ///< In Datum::root: it has parts, or is one; `tree` may be looked at. Never taken back.
  std::uint32_t count = 0;  ///< Members of the current group.
  const detail::ReduceOperation* operation = nullptr;  ///< Of a reduce group.

  DependencyState() = default;
  DependencyState(const DependencyState&) = delete;
  DependencyState& operator=(const DependencyState&) = delete;
  ~DependencyState() {
    if (members_ != inline_) delete[] members_;
  }

  const Member& member(std::uint32_t i) const { return members_[i]; }
  /// Recorded tasks learn their number last.
  void renumber(const detail::TaskHeader* task, std::uint64_t id) {
    for (std::uint32_t i = 0; i < count; ++i)
      if (members_[i].task == task) members_[i].id = id;
    if (previous.task == task) previous.id = id;
  }
  void start_group(AccessGroup kind, Member first) {
    group = kind;
    count = 1;
    members_[0] = first;
  }
  /// @param finished  Tells of a member whether it has finished: those are dropped before the list grows.
  template <class Finished>
  void add_member(Member self, Finished&& finished) {
    if (count == capacity_) [[unlikely]] {
      std::uint32_t kept = 0;
      for (std::uint32_t i = 0; i < count; ++i)
        if (!finished(members_[i])) members_[kept++] = members_[i];
      count = kept;
      if (2 * count > capacity_) grow();
    }
    members_[count++] = self;
  }

 private:
  static constexpr std::uint32_t kInline = 4;
  void grow() {
    const std::uint32_t capacity = capacity_ + capacity_ / 2;  // a long simulation's lists are a fifth of its memory
    auto* larger = new Member[capacity];
    for (std::uint32_t i = 0; i < count; ++i) larger[i] = members_[i];
    if (members_ != inline_) delete[] members_;
    members_ = larger;
    capacity_ = capacity;
  }

  Member* members_ = inline_;
  std::uint32_t capacity_ = kInline;
  Member inline_[kInline];
};
static_assert(sizeof(DependencyState) <= 128);

struct TreeNode;

struct Datum : detail::DataHeader, std::enable_shared_from_this<Datum> {
  Datum();
  ~Datum();
  DependencyState root;  ///< History among tasks that no task submitted.

  std::string name;
  std::uint64_t engine_serial = 0;
  bool allocated_by_mitra = false;  ///< `host` is the engine's.
  bool lent = false;                ///< `host` was given by the application.
  bool written = false;             ///< By a task whose body did not run: its memory does not hold its value.
  std::uint64_t registered_in = TaskId::kNone;  ///< The task in whose body it was registered: its children may use it.
  std::unique_ptr<TreeNode> tree;   ///< With root.in_tree: its place among wholes and parts.

  /// The reduce operations that were ever used on it; an access word holds the number. Appended under the submission lock.
  static constexpr std::size_t kOperations = 8;
  std::array<std::atomic<const detail::ReduceOperation*>, kOperations> operations{};

  /// @throws MisuseError if it is one too many. @thread under the submission lock
  unsigned operation_number(const detail::ReduceOperation* operation) {
    for (unsigned i = 0; i < kOperations; ++i) {
      const auto* known = operations[i].load(std::memory_order_relaxed);
      if (known == nullptr) operations[i].store(operation, std::memory_order_relaxed);
      if (known == nullptr || known == operation) return i;
    }
    throw MisuseError(detail::message(label(), " is reduced with more than ", kOperations, " different operations"));
  }

  // Exclusion of commuting tasks. @thread under the engine's commute lock.
  detail::TaskHeader* commute_holder = nullptr;
  std::vector<detail::TaskHeader*> commute_waiters;

  // Private copies, for reduce and scratch. @thread under `mutex`.
  std::mutex mutex;
  std::vector<void*> idle_copies;      ///< Free buffers: scratch, and folded reduce copies.
  std::vector<void*> partial_results;  ///< Reduce copies that hold contributions and are in no task's hands.

  /// What errors call it.
  std::string label() const { return name.empty() ? std::string("an unnamed datum") : "'" + name + "'"; }
};

inline Datum& datum_of(detail::AccessWord word) { return *static_cast<Datum*>(word.data()); }

}  // namespace mitra::graph
