// The few steps that every task passes through and that several files need: inlined where they are used.
// Flow: submission, completion, waiting -> [hot path]. Thread-safety: each belongs to the calling thread's state.
#pragma once

#include <new>
#include <utility>

#include <mitra/detail/graph_storage.hpp>

#include "engine/devices/device_workers.hpp"
#include "engine/devices/live_memory.hpp"
#include "engine/task_engine.hpp"
#include "engine/virtual/virtual_time.hpp"

namespace mitra::engine {

inline detail::GraphStorage& graph_of(const TaskHeader& node) { return *reinterpret_cast<detail::GraphStorage*>(node.parent->block); }

/// Is the body not to be run? Relaxed: what cancelled it came before it was ready, or comes too late and may be missed.
inline bool is_cancelled(const TaskHeader& task) {
  if ((task.traits & detail::kRecorded) == 0) return (task.successors.load(std::memory_order_relaxed) & detail::kCancelled) != 0;
  const detail::GraphStorage& graph = graph_of(task);
  return graph.poisoned.load(std::memory_order_relaxed) &&
         graph.cancelled[static_cast<std::size_t>(&task - graph.nodes.get())].load(std::memory_order_relaxed);
}

[[gnu::always_inline]] inline TaskRecord* TaskEngine::new_record(ThreadState& self, std::size_t accesses, std::size_t closure_bytes) {
  TaskRecord* record = pool_.take(self.cache);
  const std::size_t size = (detail::block_prefix(accesses) + closure_bytes + 7) & ~std::size_t{7};
  if (size <= TaskRecord::kAreaBytes) [[likely]] {
    record->block = record->area;
    record->index = static_cast<std::uint32_t>(TaskRecord::kAreaOffset + size);
    record->traits = 0;
  } else {
    try {
      record->heap_block = static_cast<std::byte*>(::operator new(size));
    } catch (...) {
      pool_.give(self.cache, record);
      throw;
    }
    record->overflow = nullptr;
    record->block = record->heap_block;
    record->index = static_cast<std::uint32_t>(TaskRecord::kAreaOffset);
    record->traits = detail::kExtended;
  }
  record->accesses = static_cast<std::uint16_t>(accesses);
  // Relaxed, and atomic for Task::wait, which may hold a stale reference to this record.
  std::atomic_ref(record->parent).store(self.context.task, std::memory_order_relaxed);
  return record;
}

[[gnu::always_inline]] inline void TaskEngine::free_record(ThreadState& self, TaskRecord* record) noexcept {
  if (record->traits & detail::kExtended) {
    ::operator delete(record->heap_block);
    if (record->overflow != nullptr) pool_.give_overflow(record->overflow);
  }
  pool_.give(self.cache, record);
}

/// Virtual time passes in one thread at a time; live, the lock is none.
[[gnu::always_inline]] inline std::unique_lock<std::recursive_mutex> TaskEngine::lock_virtual_time() {
  return virtual_time_ == nullptr ? std::unique_lock<std::recursive_mutex>() : std::unique_lock(virtual_time_->mutex());
}

[[gnu::always_inline]] inline TaskEngine::PolicyGuard::PolicyGuard(TaskEngine& engine) : engine_(engine) {
  if (engine_.memory_ != nullptr) [[unlikely]]
    engine_.memory_->mutex().lock();
  else
    engine_.policy_lock_.lock();
}
[[gnu::always_inline]] inline TaskEngine::PolicyGuard::~PolicyGuard() {
  if (engine_.memory_ != nullptr) [[unlikely]]
    engine_.memory_->mutex().unlock();
  else
    engine_.policy_lock_.unlock();
}

[[gnu::always_inline]] inline bool TaskEngine::runs_next(ThreadState& self, TaskHeader* successor) {
  if ((successor->kinds & self.kinds) == 0) return false;
  if (policy_splits_ && successor->type->split != nullptr) return false;  // it is asked for first
  if (policy_concurrent_) return policy_->runs_next(TaskRef(successor), self.context.worker);
  const PolicyGuard guard(*this);
  return policy_->runs_next(TaskRef(successor), self.context.worker);
}

[[gnu::always_inline]] inline DependencyState& TaskEngine::state_for(Datum& datum, TaskHeader* parent) {
  return parent == nullptr ? datum.root : Domain::of(*parent).states[&datum];
}

[[gnu::always_inline]] inline void TaskEngine::hand_to_policy(ThreadState& self, TaskHeader* task) {
  if (virtual_time_ != nullptr) [[unlikely]] return virtual_time_->hand_over(self, task);
  // What is asked of the task is asked before the policy has it: then it may be over at once, and its memory another task's.
  if (memory_ != nullptr) [[unlikely]] memory_->may_run(*task);
  const bool for_device = device_workers_ != nullptr && DeviceWorkers::may_run(*task);
  if (policy_concurrent_) {
    policy_->ready(TaskRef(task), self.view);
  } else {
    const PolicyGuard guard(*this);
    policy_->ready(TaskRef(task), self.view);
    policy_holds_.fetch_add(1, std::memory_order_relaxed);
  }
  if (for_device) [[unlikely]] device_workers_->wake_hungry();
  parking_.wake_for_work();
}

[[gnu::always_inline]] inline TaskHeader* TaskEngine::take_from_policy(ThreadState& self) {
  if (!self.context.worker.valid()) return nullptr;
  if (policy_concurrent_) return policy_->next(self.context.worker, self.view).header();
  if (policy_holds_.load(std::memory_order_relaxed) == 0) return nullptr;
  const PolicyGuard guard(*this);
  TaskHeader* task = policy_->next(self.context.worker, self.view).header();
  if (task != nullptr) policy_holds_.fetch_sub(1, std::memory_order_relaxed);
  return task;
}

[[gnu::always_inline]] inline bool TaskEngine::run_body(ThreadState& self, TaskHeader* task) {
  TaskHeader* const below = self.context.task;
  self.context.task = task;
  const bool observed = config_.watchdog > Seconds(0.0);
  if (observed) self.running.store(task, std::memory_order_release);
  bool failed = false;
  const bool recorded = graph_recorder_ != nullptr;
  const Seconds start = policy_watches_completions_ || recorded ? driver_->now() : Seconds(0.0);
  const Seconds inner = recorded ? std::exchange(self.inner, Seconds(0.0)) : Seconds(0.0);
  const bool sampled = self.worker_thread && ++self.grain.count % Grain::kSampled == 0;
  const std::uint64_t began = sampled ? steady_ns() : 0;
  const bool slowed = core_slowdown_ > 1.0;
  const Seconds processor = slowed ? processor_time() : Seconds(0.0);
  try {
    task->type->launch[0](*task, self.context);
  } catch (...) {
    fail(task, std::current_exception());
    failed = true;
  }
  if (slowed) [[unlikely]] slow_down(processor);
  if (sampled) self.grain.add(steady_ns() - began);
  if (recorded) [[unlikely]] note_duration(self, *task, start, inner);
  if (policy_watches_completions_) {
    const Measured measured{self.context.worker, start, driver_->now() - start};
    const PolicyGuard guard(*this);
    policy_->finished(TaskRef(task), measured, self.view);
  }
  if (observed) self.running.store(below, std::memory_order_release);
  self.context.task = below;
  self.executed.store(self.executed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return failed;
}

[[gnu::always_inline]] inline TaskHeader* TaskEngine::finish(ThreadState& self, TaskHeader* task, bool poisoned) {
  if (task->traits & (detail::kPrivate | detail::kCommutes | detail::kParent)) [[unlikely]]
    if (!release_held(self, task, poisoned)) return nullptr;  // its last child will complete it
  return complete(self, task, poisoned);
}

}  // namespace mitra::engine
