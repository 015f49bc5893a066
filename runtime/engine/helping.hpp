// What a thread does while it waits: it executes tasks, looks for more, spins, sleeps; in virtual time it makes time pass.
// Flow: worker loop, wait(), acquire() -> [helping] -> execute. Thread-safety: each belongs to the calling thread's state.
#pragma once

#include <algorithm>
#include <mutex>
#include <utility>

#include "engine/hot_path.hpp"

namespace mitra::engine {

// In pauses of the processor, about 15 to 25 ns each on current ones.
inline constexpr unsigned kFirstPause = 4;
inline constexpr unsigned kLongestPause = 32;
inline constexpr unsigned kPatientSpins = 128;
inline constexpr unsigned kSilentSpins = 384;

/// Among those whom notify_waiters() wakes, for as long as it lives. After its making the caller looks at its condition once
/// more, and only then sleeps.
struct TaskEngine::EventWait {
  /// @param waiter  Null: not at all.
  EventWait(TaskEngine& e, ThreadState* waiter, bool apart) : engine(e), self(waiter) {
    if (self == nullptr) return;
    std::scoped_lock lock(engine.waiters_mutex_);
    self->sleeps_apart = apart;
    engine.waiters_.push_back(self);
    // Before the last look at `done`: whoever makes it true from now on sees this number. It reads what was written
    // before by those who did not see it.
    engine.event_waiters_.fetch_add(1, std::memory_order_acq_rel);
  }
  ~EventWait() {
    if (self == nullptr) return;
    std::scoped_lock lock(engine.waiters_mutex_);
    engine.waiters_.erase(std::find(engine.waiters_.begin(), engine.waiters_.end(), self));
    engine.event_waiters_.fetch_sub(1, std::memory_order_relaxed);
  }
  EventWait(const EventWait&) = delete;
  EventWait& operator=(const EventWait&) = delete;

  TaskEngine& engine;
  ThreadState* const self;
};

template <class Predicate>
TaskHeader* TaskEngine::search(ThreadState& self, bool waits, Predicate&& done) {
  if (self.worker_thread) return search_silently_then_sleep(self, waits, done);
  role_starves_.store(true, std::memory_order_relaxed);
  TaskHeader* task = search_silently_then_sleep(self, waits, done);
  role_starves_.store(false, std::memory_order_relaxed);
  return task;
}

template <class Predicate>
TaskHeader* TaskEngine::search_silently_then_sleep(ThreadState& self, bool waits, Predicate&& done) {
  if (self.replay_done != 0) flush_replay(self);
  if (event_waiters_.load(std::memory_order_relaxed) != 0) notify_waiters();  // this thread may have finished the last task
  // At first without a word: a producer of tiny tasks reads the line on which searchers announce themselves for each of
  // them, and work that comes at once needs no announcement.
  unsigned pause = kFirstPause;
  for (unsigned spun = 0; spun < kSilentSpins; spun += pause) {
    for (unsigned i = 0; i < pause; ++i) detail::cpu_relax();
    if (done()) return nullptr;
    if (TaskHeader* task = find_work(self)) return task;
    // A dependent task of a fine graph comes within a microsecond or two; after it, fewer looks at the cache lines of
    // those who work.
    if (spun >= kPatientSpins && pause < kLongestPause) pause *= 2;
  }
  notify_waiters();
  Seconds nap(0.0);
  Search search(parking_, self.parker);
  for (;;) {
    for (unsigned spun = 0; spun < spins_; spun += kLongestPause) {
      if (done()) return nullptr;
      search.go_on();
      if (TaskHeader* task = find_work(self)) return task;
      for (unsigned i = 0; i < kLongestPause; ++i) detail::cpu_relax();
    }
    const EventWait wait(*this, waits ? &self : nullptr, false);
    search.announce();
    if (done()) return nullptr;
    if (TaskHeader* task = find_work(self)) return task;
    if (parking_.wants_sentinel() || policy_waits()) {
      // Workers outnumber the processors, and only as many as there are processors are awake: should their tasks block,
      // the sleepers look for themselves, at longer and longer intervals. So they do when the policy keeps tasks: with
      // estimates it may want them to start at a moment that no event marks.
      // And who sleeps without looking was told of the tasks by nobody, if this one was, for whom they are not.
      if (policy_waits()) parking_.wake_sound();
      nap = nap > Seconds(0.0) ? std::min(nap * 2.0, Seconds(0.064)) : Seconds(0.001);
      search.sleep(nap);
    } else {
      search.sleep();
    }
  }
}

template <class Predicate>
void TaskEngine::sleep_apart(ThreadState& self, Predicate&& done) {
  const EventWait wait(*this, &self, true);
  while (!done()) self.parker_apart.park();  // a token that is left over from an earlier wait costs one look
}

/// The role of worker 0, for as long as it lives. A thread that has the role already, further down on its stack, keeps it
/// afterwards; so does a thread of the engine, and one inside of a task.
struct TaskEngine::WorkerRole {
  WorkerRole(TaskEngine& e, ThreadState& s) : engine(e), self(s) {
    if (self.worker_thread || self.context.task != nullptr || engine.virtual_time_ != nullptr) {
      held = true;
      return;
    }
    SubmissionGuard guard(engine.submission_lock_);
    if (engine.role_busy_.load(std::memory_order_relaxed)) {
      held = engine.role_holder_ == &self;
      return;
    }
    if (engine.role_holder_ != nullptr) engine.role_holder_->context.worker = WorkerId();
    engine.role_holder_ = &self;
    engine.role_busy_.store(true, std::memory_order_relaxed);
    self.context.worker = WorkerId(0);
    self.device_thread = false;
    held = claimed = true;
  }
  /// Also when a policy throws: the exception is the waiting caller's, the role the next one's.
  ~WorkerRole() {
    if (!held) return;
    if (self.replay_done != 0) engine.flush_replay(self);
    if (!claimed) return;
    {
      SubmissionGuard guard(engine.submission_lock_);
      engine.role_busy_.store(false, std::memory_order_relaxed);
    }
    engine.notify_waiters();  // another application thread may take the role over
  }
  WorkerRole(const WorkerRole&) = delete;
  WorkerRole& operator=(const WorkerRole&) = delete;

  TaskEngine& engine;
  ThreadState& self;
  bool held = false;     // the calling thread may act as a worker; false: another one is worker 0
  bool claimed = false;  // and was not one before
};

template <class Predicate>
void TaskEngine::pass_time_until(ThreadState& self, Predicate&& done) {
  /// While a body waits, its worker is free for others.
  struct NestedWait {
    NestedWait(VirtualTime& t, const detail::ExecutionContext& c) : time(t), worker(c.task != nullptr ? c.worker : WorkerId()) {
      if (worker.valid()) time.begin_nested_wait(worker);
    }
    ~NestedWait() {
      if (worker.valid()) time.end_nested_wait(worker);
    }
    NestedWait(const NestedWait&) = delete;
    NestedWait& operator=(const NestedWait&) = delete;
    VirtualTime& time;
    const WorkerId worker;
  };
  std::unique_lock lock(virtual_time_->mutex());
  if (done()) return;
  const NestedWait nested(*virtual_time_, self.context);
  for (unsigned waited = 0; !done();) {
    virtual_time_->require_time();
    if (!virtual_time_->stands_still() && (virtual_time_->step(self) || virtual_time_->ask_everyone(self))) {
      waited = 0;
      continue;
    }
    if (done()) return;  // cancelled tasks end without an event
    // Nothing happens by itself any more; another thread of the application may be about to submit something.
    constexpr unsigned kPatience = 1000;  // looks, of a millisecond each
    if (external_list_.load(std::memory_order_acquire)->next_external == nullptr || ++waited == kPatience) throw_standstill();
    lock.unlock();
    self.parker_apart.park(Seconds(0.001));
    lock.lock();
  }
}

template <class Predicate>
void TaskEngine::help_until(ThreadState& self, unsigned patience, Predicate&& done) {
  if (virtual_time_ != nullptr) return pass_time_until(self, done);
  if (self.on_device) return sleep_apart(self, done);  // on a thread of the device's driver
  // A body that waits holds nobody up. Outside of bodies, another thread may be taking this one's role, and its worker, away.
  if (memory_ != nullptr && self.context.task != nullptr && self.context.worker.valid()) memory_->idle(self.context.worker);
  while (!done()) {
    const WorkerRole role(*this, self);
    if (!role.held) {
      sleep_apart(self, [&] { return done() || !role_busy_.load(std::memory_order_acquire); });
      continue;
    }
    unsigned run = 0;  // tasks since the last look at `done`
    for (unsigned looks = 0;; ++looks) {
      if (looks % Grain::kTasksBetween == 0) go_home(self);
      TaskHeader* task = find_work(self);
      if (task == nullptr) task = search(self, true, done);
      if (task == nullptr) break;
      bool over = false;
      while (task != nullptr && !over) {
        task = execute(self, task);
        if (self.deferred != nullptr) [[unlikely]] complete_deferred(self);
        if (++run >= patience) {
          run = 0;
          over = done();
        }
      }
      if (task != nullptr) hand_to_policy(self, task);  // the wait is over, the chain of successors is not
      if (over) break;
    }
  }
  if (memory_ != nullptr) memory_->let_go(self);
}

/// @returns What `work` threw, which nobody but the caller holds; null if nothing.
template <class Work>
std::exception_ptr thrown_by(Work&& work) {
  try {
    work();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

/// Of a wait that has to see its end: something on this thread's stack is referred to, or there is nobody to throw at.
template <class Predicate>
void TaskEngine::help_surely_until(ThreadState& self, unsigned patience, Predicate&& done) {
  while (!done()) {
    std::exception_ptr thrown = thrown_by([&] { help_until(self, patience, done); });
    if (!thrown) continue;
    if (virtual_time_ != nullptr && virtual_time_->stands_still()) std::rethrow_exception(std::move(thrown));
    policy_threw(self, std::move(thrown));
  }
}

}  // namespace mitra::engine
