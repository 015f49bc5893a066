// The waits of the application and of bodies, and the loop of a worker; what they do meanwhile is in helping.hpp.
// Flow: worker loop, wait() -> [waiting] -> execute. Nested waits never deadlock: a task waits for its own children alone,
// so a task that waits has started before everything it waits for, and before everything above it on its thread's stack;
// a circle of waits would need a task that started before itself.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/helping.hpp"
#include "engine/recorder.hpp"

namespace mitra::engine {

// ------------------------------------------------------------------------------------------------ finding work

TaskHeader* TaskEngine::find_work(ThreadState& self) {
  if (memory_ != nullptr) [[unlikely]] {
    if (!self.context.worker.valid()) return nullptr;
    if (Frame* frame = memory_->take_arrived_at_host(self.context.worker)) {
      self.arrived = frame;
      return frame->task;
    }
    if (self.awaited.load(std::memory_order_relaxed) > 0) return nullptr;  // one at a time: the others are for others
  }
  // Not run here: the caller may be about to sleep, and known as a sleeper, while a split function may wait for its tasks.
  if (splits_waiting_.load(std::memory_order_relaxed) != 0 && self.context.worker.valid()) [[unlikely]]
    if (TaskHeader* task = take_split()) return self.to_split = task;
  if (TaskHeader* task = take_from_policy(self)) return task;
  if (self.replay_done != 0) flush_replay(self);
  if (replays_running_.load(std::memory_order_relaxed) != 0 && claim_roots(self)) return take_from_policy(self);
  return nullptr;
}

void TaskEngine::hold_off(ThreadState& self) {
  Grain& grain = self.grain;
  if (!grain.tiny()) {
    grain.hold = Grain::kShortestHold;
    return;
  }
  const std::uint64_t submitted = next_id_.load(std::memory_order_relaxed);
  if (grain.hold <= Grain::kLongestSpin) {
    // Long pauses: on a core with two hardware threads the other one may be the application's.
    for (const std::uint64_t until = steady_ns() + grain.hold; steady_ns() < until;)
      for (unsigned i = 0; i < 64; ++i) detail::cpu_relax();
  } else {
    self.parker.park(Seconds(static_cast<double>(grain.hold) * 1e-9));
  }
  // Nothing is gained by staying away from a thread that does not get on by itself: that neither submits nor executes.
  const bool executes = role_busy_.load(std::memory_order_relaxed) && !role_starves_.load(std::memory_order_relaxed);
  if (!executes && next_id_.load(std::memory_order_relaxed) == submitted) {
    grain.hold = Grain::kShortestHold;
    return;
  }
  if (grain.hold < Grain::kLongestHold) grain.hold *= 2;
}

void TaskEngine::run_chain(ThreadState& self, TaskHeader* task) {
  while (task != nullptr) {
    task = execute(self, task);
    if (self.deferred != nullptr) [[unlikely]] complete_deferred(self);
  }
}

void TaskEngine::notify_waiters() {
  // A read-modify-write, not a load: it comes before a waiter's announcement, whose thread then sees what this one has
  // finished, or after it, and then it reads the waiter.
  if (event_waiters_.load(std::memory_order_relaxed) == 0 && event_waiters_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  std::scoped_lock lock(waiters_mutex_);
  for (ThreadState* waiter : waiters_) {
    if (waiter->sleeps_apart)
      waiter->parker_apart.unpark();
    else
      parking_.wake(waiter->parker, Token::look);
  }
}

// ------------------------------------------------------------------------------------------------ what a wait may meet

void TaskEngine::throw_standstill() {
  virtual_time_->stand_still();
  throw Error(detail::message("the run stands still at ", driver_->now().value, " s of virtual time: nothing runs, and no worker that asked '",
                              config_.scheduler, "' got a task\n", describe_stall()));
}

/// Bodies' exceptions end in fail(): this one is the policy's. The next wait() throws it; the policy is asked again, not at
/// once. Called when the catch clause is over: whoever waits may be done with the exception before this thread goes on.
void TaskEngine::policy_threw(ThreadState& self, std::exception_ptr error) {
  outcomes_.store_error(outcomes_.root_error(), std::move(error));
  outcomes_.set(TaskId::kNone, Outcome::failed);
  self.parker.park(Seconds(0.001));
}

// ------------------------------------------------------------------------------------------------ conditions

std::uint64_t TaskEngine::finished_tasks() const {
  std::uint64_t sum = 0;
  // Acquire: sees the effects of what they count.
  for (const auto& worker : workers_) sum += worker->finished.load(std::memory_order_acquire);
  for (ThreadState* s = external_list_.load(std::memory_order_acquire); s != nullptr; s = s->next_external)
    sum += s->finished.load(std::memory_order_acquire);
  return sum;
}

bool TaskEngine::drained() const {
  // Finished is read first: equal to a later count of the submitted, nothing was open in between.
  const std::uint64_t finished = finished_tasks();
  return finished == next_id_.load(std::memory_order_acquire);
}

void TaskEngine::make_room(ThreadState& self) {
  const std::uint64_t finished = finished_tasks();
  finished_seen_.store(finished, std::memory_order_relaxed);
  const std::uint64_t submitted = next_id_.load(std::memory_order_relaxed);
  if (submitted - finished < window_) return;
  if (self.context.task != nullptr || self.leases != 0) {
    // What is in flight may be waiting for this very thread: it helps a little, and goes beyond the window if it must.
    if (virtual_time_ != nullptr || self.on_device) return;
    const WorkerRole role(*this, self);
    if (role.held) {
      if (memory_ != nullptr && self.frame != nullptr) memory_->begin_helping(*self.frame);
      if (TaskHeader* task = find_work(self)) run_chain(self, task);
    }
    if (memory_ != nullptr) memory_->let_go(self);
    return;
  }
  const std::uint64_t wanted = submitted - window_ + window_ / 2;  // room for half a window: threads meet seldom
  help_until(self, 64, [&] {
    const std::uint64_t now = finished_tasks();
    if (now < wanted) return false;
    finished_seen_.store(now, std::memory_order_relaxed);
    return true;
  });
}

// ------------------------------------------------------------------------------------------------ waits

void TaskEngine::wait_all() {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("wait() while a graph is being recorded: nothing runs before its replay");
  if (self.context.task != nullptr) return wait_children(self);
  if (self.leases != 0)
    throw MisuseError(detail::message("wait() while this thread holds ", self.leases,
                                      " guards on acquired data: tasks that need them could never finish; release the guards first"));
  close_reductions(self, nullptr);
  help_until(self, kUntilDry, [&] { return drained(); });
  std::string missing;
  if (memory_ != nullptr) {
    missing = bring_home(self);
    make_safe(self);
  }
  free_retired_data();
  if (virtual_time_ != nullptr) virtual_time_->end_phase();
  if (outcomes_.any())
    if (std::exception_ptr error = outcomes_.clear()) {
      try {
        std::rethrow_exception(error);
      } catch (const TaskError& e) {
        if (missing.empty()) throw;
        throw TaskError(detail::message(e.what(), "; and ", missing), e.name, e.id, e.where, e.cause);
      }
    }
  if (!missing.empty()) throw Error("wait(): " + missing);
}

void TaskEngine::help_out() {
  close_reductions(thread_state(), nullptr);
  help_surely_until(thread_state(), kUntilDry, [&] { return drained(); });
  if (memory_ == nullptr) return;
  static_cast<void>(bring_home(thread_state()));  // a destructor has nobody to tell
  make_safe(thread_state());
}

void TaskEngine::wait_children(ThreadState& self) {
  TaskHeader* const task = self.context.task;
  if (!(task->traits & detail::kParent)) return;
  Domain& domain = Domain::of(*task);
  if (domain.leases != 0)
    throw MisuseError(detail::message("wait() in task '", task->name(), "' while it holds ", domain.leases,
                                      " acquired data: children that need them could never finish; release the guards first"));
  close_reductions(self, task);
  if (memory_ != nullptr) close_trees(self, task);  // it goes on with what it declared, in one piece
  if (self.on_device && domain.open.load(std::memory_order_acquire) != 1) device_workers_->begin_nested_wait(*self.frame);
  // Acquire: the children's effects.
  help_until(self, 1, [&] { return domain.open.load(std::memory_order_acquire) == 1; });
  if (memory_ != nullptr) take_data_back(self);
  {
    SubmissionGuard guard(submission_lock_);
    domain.states.clear();  // all have finished: later children follow nobody, and inherit nothing
  }
  if (std::exception_ptr error = outcomes_.take_error(domain.first_error)) std::rethrow_exception(error);
}

TaskStatus TaskEngine::status(const Task& task) const {
  const TaskHeader* header = task.header();
  const std::uint64_t id = task.id().value;
  if (header != nullptr && detail::is_open(*header, id)) return TaskStatus::pending;
  switch (outcomes_.of(id)) {
    case Outcome::none: return TaskStatus::done;
    case Outcome::failed: return TaskStatus::failed;
    default: return TaskStatus::cancelled;
  }
}

void TaskEngine::wait(const Task& task) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("Task::wait() while a graph is being recorded: nothing runs before its replay");
  if (task.header() == nullptr) {
    if (!task.id().valid()) return;
    throw MisuseError("Task::wait() on a task of a recording, which does not run itself: wait for the Task of its replay");
  }
  if (status(task) == TaskStatus::pending) {
    // Read before the second look at the id: a record in use again has another one.
    const TaskHeader* parent = std::atomic_ref(task.header()->parent).load(std::memory_order_acquire);
    if (self.context.task != nullptr && parent != self.context.task &&
        task.header()->id.load(std::memory_order_relaxed) == task.id().value)
      throw MisuseError(detail::message("task '", self.context.task->name(),
                                        "' waits for a task that is not its child: the two could wait for each other; order them "
                                        "by data or with .after"));
    if (self.context.task == nullptr && self.leases != 0)
      throw MisuseError("Task::wait() while this thread holds guards on acquired data: release them first");
    Waiter waiter;
    TaskRecord* signal = signal_task(self, waiter, 0, SourceLocation{}, "wait");
    const detail::SubmitExtras extras{{&task, 1}, {}};
    publish(self, *signal, &extras);
    help_surely_until(self, 1, [&] { return waiter.state.load(std::memory_order_acquire) != 0; });
    complete(self, signal, false);  // nothing follows it
    notify_waiters();
  }
  if (std::exception_ptr error = outcomes_.error_of(task.id().value)) std::rethrow_exception(error);
}

void TaskEngine::cancel(const Task& task) {
  TaskHeader* header = task.header();
  if (header == nullptr || status(task) != TaskStatus::pending) return;
  const std::uint64_t id = task.id().value;
  // Only asked for here: the outcome is stored by the worker that finds the request before it has begun.
  std::uint64_t list = header->successors.load(std::memory_order_relaxed);
  for (;;) {
    const bool same = header->id.load(std::memory_order_relaxed) == id && list >> 48 == (id & 0xffff);
    if (!same || list & detail::kClosed) return;
    if (header->successors.compare_exchange_weak(list, list | detail::kCancelled, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
      return;
  }
}

// ------------------------------------------------------------------------------------------------ worker threads

void TaskEngine::worker_main(ThreadState& self) {
  thread_cache = {serial_, &self};
  driver_->attach(machine_.workers[self.context.worker.index()]);
  go_home(self);
  auto stop = [&] { return stopping_.load(std::memory_order_acquire); };
  unsigned run = 0;  // tasks since the last hold
  const auto work = [&] {
    while (!stop()) {
      TaskHeader* task = find_work(self);
      if (task == nullptr) {
        task = search(self, false, stop);
        go_home(self);  // who has slept may wake up anywhere
      }
      while (task != nullptr) {
        task = execute(self, task);
        if (self.deferred != nullptr) [[unlikely]] complete_deferred(self);
        // Recorded tasks were written long ago, by nobody who is in a hurry: they are shared at any size.
        if (self.replay_done != 0 || ++run % Grain::kTasksBetween != 0) continue;
        if (task != nullptr && self.grain.tiny()) hand_to_policy(self, std::exchange(task, nullptr));
        hold_off(self);
        go_home(self);
      }
    }
  };
  while (!stop())
    if (std::exception_ptr thrown = thrown_by(work)) policy_threw(self, std::move(thrown));
}

}  // namespace mitra::engine
