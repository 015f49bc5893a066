// Hangs a task that is being submitted on its predecessors, without locks against workers that finish them.
// Flow: dependency tracker -> [edge sink] -> successor lists. Thread-safety: under the submission lock.
#pragma once

#include "engine/task_engine.hpp"

namespace mitra::engine {

class EdgeSink {
 public:
  EdgeSink(TaskEngine& engine, ThreadState& self, TaskRecord& task)
      : engine_(engine), self_(self), task_(task),
        next_slot_(reinterpret_cast<std::byte*>(&task) + task.index),
        slots_end_(task.area + TaskRecord::kAreaBytes), inline_begin_(next_slot_) {}

  std::int32_t edges() const { return edges_; }

  void edge(const Member& predecessor) {
    if (predecessor == Member{&task_, task_.id.load(std::memory_order_relaxed)}) return;
    TaskHeader& before = *predecessor.task;
    // Acquire: with the list closed, what the predecessor's worker stored about its outcome is visible.
    std::uint64_t head = before.successors.load(std::memory_order_acquire);
    EdgeSlot* slot = nullptr;
    std::uint64_t slot_bits = 0;
    for (;;) {
      const bool same_task = before.id.load(std::memory_order_relaxed) == predecessor.id &&
                             head >> 48 == (predecessor.id & 0xffff);
      if (!same_task || (head & detail::kClosed) != 0) {
        forget_slot(slot);
        if (engine_.outcomes_.any()) inherit_outcome(predecessor.id);
        return;
      }
      if (is_mine(head)) return;  // two accesses, one predecessor: its newest edge is already to this task
      if (slot == nullptr) {
        slot = take_slot(slot_bits);
      }
      slot->next = head & (detail::kSlotMask | detail::kOverflow);
      const std::uint64_t wanted = (head & (std::uint64_t{0xffff} << 48 | detail::kCancelled)) | slot_bits;
      // Release: the predecessor's worker sees the slot's link, and this task's fields, when it walks the list.
      if (before.successors.compare_exchange_weak(head, wanted, std::memory_order_release, std::memory_order_acquire)) break;
    }
    ++edges_;
    if (engine_.follows_edges_) [[unlikely]] follow(predecessor);
  }

  /// In virtual time: of the predecessor that ends the longest path.
  double path_end() const { return path_end_; }
  std::uint32_t path() const { return path_; }

  bool finished(const Member& member) const {
    if (engine_.outcomes_.any()) return false;  // later tasks must still learn how it ended
    return !detail::is_open(*member.task, member.id);
  }

  // The submission lock is held, as it is during the life of a sink; through the tracker's template the analysis cannot
  // see it.
  void reduction_opened(Datum& datum) MITRA_NO_THREAD_SAFETY_ANALYSIS;
  Member join(DependencyState& members) MITRA_NO_THREAD_SAFETY_ANALYSIS;
  Member fold(Datum& datum, DependencyState& members) MITRA_NO_THREAD_SAFETY_ANALYSIS;

 private:
  bool is_mine(std::uint64_t head) const {
    const std::uint64_t slot = head & detail::kSlotMask;
    if (head & detail::kOverflow) {
      // Compared with this task's own blocks: another's may be given back at this moment, and must not be looked into.
      const auto* block = reinterpret_cast<const graph::OverflowBlock*>(slot & ~std::uint64_t{63});
      const graph::OverflowBlock* newest = (task_.traits & detail::kExtended) != 0 ? task_.overflow : nullptr;
      return newest != nullptr && (block == newest || block == newest->next_block);
    }
    return slot >= reinterpret_cast<std::uint64_t>(inline_begin_) && slot < reinterpret_cast<std::uint64_t>(slots_end_);
  }
  graph::EdgeSlot* take_slot(std::uint64_t& bits) {
    if (next_slot_ + sizeof(graph::EdgeSlot) <= slots_end_) {
      auto* slot = reinterpret_cast<graph::EdgeSlot*>(next_slot_);
      next_slot_ += sizeof(graph::EdgeSlot);
      bits = reinterpret_cast<std::uint64_t>(slot);
      return slot;
    }
    return take_overflow_slot(bits);
  }
  graph::EdgeSlot* take_overflow_slot(std::uint64_t& bits);
  /// For a policy that looks ahead, and for the longest path.
  void follow(const Member& predecessor);
  /// The last slot taken was not used.
  void forget_slot(graph::EdgeSlot* slot) {
    if (slot == nullptr) return;
    if (overflow_used_ != 0)
      --overflow_used_;
    else
      next_slot_ -= sizeof(graph::EdgeSlot);
  }
  void inherit_outcome(std::uint64_t predecessor);

  using EdgeSlot = graph::EdgeSlot;
  TaskEngine& engine_;
  ThreadState& self_;
  TaskRecord& task_;
  std::byte* next_slot_;
  std::byte* const slots_end_;
  std::byte* const inline_begin_;
  std::size_t overflow_used_ = 0;  // slots of the newest overflow block
  std::int32_t edges_ = 0;
  std::uint32_t path_ = 0;
  double path_end_ = 0.0;
};

}  // namespace mitra::engine
