// Tasks that become finer ones: the policy says which when they are ready, a CPU worker submits their children in place of
// the body. From there on they are parents like any others.
// Flow: ready -> policy's splits() -> [splitting] -> submission of the children -> completion of the last of them.
#include <exception>

#include "engine/hot_path.hpp"

namespace mitra::engine {

/// @returns Whether the policy wants it; then somebody who looks for work will see to it.
bool TaskEngine::splits(ThreadState& self, TaskHeader* task) {
  if (virtual_time_ != nullptr) {
    if (!virtual_time_->splits(self, *task)) return false;
  } else if (policy_concurrent_) {
    if (!policy_->splits(TaskRef(task), self.view)) return false;
  } else {
    const PolicyGuard guard(*this);
    if (!policy_->splits(TaskRef(task), self.view)) return false;
  }
  // Not here: the submission lock may be held, or a list of successors be under way.
  {
    detail::SpinGuard guard(split_lock_);
    to_split_.push_back(task);
    splits_waiting_.fetch_add(1, std::memory_order_relaxed);
  }
  parking_.wake_for_work();
  return true;
}

TaskHeader* TaskEngine::take_split() {
  detail::SpinGuard guard(split_lock_);
  if (to_split_.empty()) return nullptr;
  TaskHeader* const task = to_split_.front();
  to_split_.pop_front();
  splits_waiting_.fetch_sub(1, std::memory_order_relaxed);
  return task;
}

/// @returns As execute(): a successor to run next.
TaskHeader* TaskEngine::run_split(ThreadState& self, TaskHeader* task) {
  if (self.replay_done != 0) flush_replay(self);
  bool poisoned = is_cancelled(*task);
  if (poisoned) {
    tell_cancelled(self, *task);
    return finish(self, task, true);
  }
  TaskHeader* const below = self.context.task;
  self.context.task = task;
  const bool observed = config_.watchdog > Seconds(0.0);
  if (observed) self.running.store(task, std::memory_order_release);
  detail::ExecutionContext context = self.context;
  context.engine = this;
  context.addresses = nullptr;  // this thread may be in the middle of a body, which has some
  ++self.splitting;
  try {
    task->type->split(*task, context);
  } catch (...) {
    fail(task, std::current_exception());
    poisoned = true;
  }
  --self.splitting;
  if (observed) self.running.store(below, std::memory_order_release);
  self.context.task = below;
  split_tasks_.fetch_add(1, std::memory_order_relaxed);
  if (virtual_time_ != nullptr) virtual_time_->was_split(*task);
  return finish(self, task, poisoned);
}

}  // namespace mitra::engine
