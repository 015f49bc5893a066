// When each datum will be used next, as far as tasks have been submitted that will: a full memory sends away first what is
// used last (Belady, IBM Systems Journal 5, 1966).
// Flow: submission -> [next uses] -> eviction. Thread-safety: none of its own; the memory manager's client has a lock. Tasks
// may end meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include <mitra/detail/task_header.hpp>

namespace mitra::memory {

class NextUses {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  /// @pre Calls come in the order of submission, and the task has its id.
  void add(std::uint32_t datum, const detail::TaskHeader& task) {
    if (uses_.size() <= datum) uses_.resize(datum + 1);
    drop_ended(uses_[datum]);
    uses_[datum].push_back({&task, task.id.load(std::memory_order_relaxed)});
  }
  void forget(std::uint32_t datum) {
    if (datum < uses_.size()) uses_[datum] = {};
  }
  /// @returns The id of the first task that will use it, or does: the larger, the later. kNever if none is known.
  std::uint64_t of(std::uint32_t datum) {
    if (datum >= uses_.size()) return kNever;
    drop_ended(uses_[datum]);
    return uses_[datum].empty() ? kNever : uses_[datum].front().id;
  }

 private:
  struct Use {
    const detail::TaskHeader* task;  // records are used again, and never given back
    std::uint64_t id;
  };
  /// A hint, no promise: an end that is seen late costs a victim that is not the best one.
  static bool has_ended(const Use& use) {
    const std::uint64_t successors = use.task->successors.load(std::memory_order_relaxed);
    return use.task->id.load(std::memory_order_relaxed) != use.id || successors >> 48 != (use.id & 0xffff) ||
           (successors & detail::kClosed) != 0;
  }
  static void drop_ended(std::deque<Use>& uses) {
    while (!uses.empty() && has_ended(uses.front())) uses.pop_front();
  }

  std::vector<std::deque<Use>> uses_;  // by datum
};

}  // namespace mitra::memory
