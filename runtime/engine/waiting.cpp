// What a thread does when it has nothing to run: look for work, spin, sleep; and how application threads wait.
// Flow: worker loop, wait() -> [waiting] -> execute. Nested waits never deadlock: a task waits for its own children alone,
// so a task that waits has started before everything it waits for, and before everything above it on its thread's stack;
// a circle of waits would need a task that started before itself.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/recorder.hpp"
#include "memory/private_copies.hpp"

namespace mitra::engine {

// ------------------------------------------------------------------------------------------------ finding work

TaskHeader* TaskEngine::find_work(ThreadState& self) {
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

namespace {

// In pauses of the processor, about 15 to 25 ns each on current ones.
constexpr unsigned kFirstPause = 4;
constexpr unsigned kLongestPause = 32;
constexpr unsigned kPatientSpins = 128;
constexpr unsigned kSilentSpins = 384;

}  // namespace

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
  parking_.begin_search();
  auto found = [&](TaskHeader* task) {
    if (parking_.end_search() && task != nullptr) parking_.wake_for_work();  // where one task was, there may be more
    return task;
  };
  for (;;) {
    for (unsigned spun = 0; spun < spins_; spun += kLongestPause) {
      if (done()) return found(nullptr);
      if (TaskHeader* task = find_work(self)) return found(task);
      for (unsigned i = 0; i < kLongestPause; ++i) detail::cpu_relax();
    }
    if (waits) {
      std::scoped_lock lock(waiters_mutex_);
      waiters_.push_back(&self);
      // Before the last look at `done`: whoever makes it true from now on sees this number. It reads what was written
      // before by those who did not see it.
      event_waiters_.fetch_add(1, std::memory_order_acq_rel);
    }
    parking_.announce(self.parker);
    TaskHeader* task = nullptr;
    const bool over = done();
    if (!over) task = find_work(self);
    if (over || task != nullptr) {
      if (!parking_.unannounce(self.parker)) self.parker.park();  // the token is on its way: it must not be left behind
    } else if (parking_.wants_sentinel()) {
      // Workers outnumber the processors, and only as many as there are processors are awake. Should their tasks block,
      // the sleepers look for themselves, at longer and longer intervals.
      nap = nap > Seconds(0.0) ? std::min(nap * 2.0, Seconds(0.064)) : Seconds(0.001);
      if (!self.parker.park(nap) && !parking_.unannounce(self.parker)) self.parker.park();
    } else {
      self.parker.park();
    }
    if (waits) {
      std::scoped_lock lock(waiters_mutex_);
      waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &self));
      event_waiters_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (over || task != nullptr) return found(task);
  }
}

void TaskEngine::notify_waiters() {
  // A read-modify-write, not a load: it comes before a waiter's announcement, whose thread then sees what this one has
  // finished, or after it, and then it reads the waiter.
  if (event_waiters_.load(std::memory_order_relaxed) == 0 && event_waiters_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  std::scoped_lock lock(waiters_mutex_);
  for (ThreadState* waiter : waiters_) {
    if (waiter->sleeps_apart.load(std::memory_order_relaxed))
      waiter->parker.unpark();
    else
      parking_.wake(waiter->parker);
  }
}

template <class Predicate>
void TaskEngine::sleep_apart(ThreadState& self, Predicate&& done) {
  {
    std::scoped_lock lock(waiters_mutex_);
    self.sleeps_apart.store(true, std::memory_order_relaxed);
    waiters_.push_back(&self);
    event_waiters_.fetch_add(1, std::memory_order_acq_rel);  // before the look at `done`, as in search()
  }
  while (!done()) self.parker.park();
  std::scoped_lock lock(waiters_mutex_);
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &self));
  event_waiters_.fetch_sub(1, std::memory_order_relaxed);
  self.sleeps_apart.store(false, std::memory_order_relaxed);
}

// ------------------------------------------------------------------------------------------------ worker 0

bool TaskEngine::claim_worker_role(ThreadState& self) {
  if (self.worker_thread || self.context.task != nullptr) return true;
  SubmissionGuard guard(submission_lock_);
  if (role_busy_.load(std::memory_order_relaxed)) return role_holder_ == &self;
  if (role_holder_ != nullptr) role_holder_->context.worker = WorkerId();
  role_holder_ = &self;
  role_busy_.store(true, std::memory_order_relaxed);
  self.context.worker = WorkerId(0);
  return true;
}

void TaskEngine::release_worker_role(ThreadState& self) {
  if (self.worker_thread || self.context.task != nullptr) return;
  bool others_wait = false;
  {
    SubmissionGuard guard(submission_lock_);
    if (role_holder_ == &self) {
      role_busy_.store(false, std::memory_order_relaxed);
      others_wait = true;
    }
  }
  if (others_wait) notify_waiters();  // another application thread may take the role over
}

template <class Predicate>
void TaskEngine::help_until(ThreadState& self, unsigned patience, Predicate&& done) {
  while (!done()) {
    if (!claim_worker_role(self)) {  // another application thread is worker 0 at the moment
      sleep_apart(self, [&] { return done() || !role_busy_.load(std::memory_order_acquire); });
      continue;
    }
    // Also when a policy throws: the exception is the waiting caller's, the role the next one's.
    struct RoleGuard {
      TaskEngine& engine;
      ThreadState& self;
      ~RoleGuard() {
        if (self.replay_done != 0) engine.flush_replay(self);
        engine.release_worker_role(self);
      }
    } const role{*this, self};
    unsigned run = 0;  // tasks since the last look at `done`
    for (;;) {
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
    if (self.context.worker.valid())
      if (TaskHeader* task = find_work(self)) run_chain(self, task);
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
  free_retired_data();
  if (outcomes_.any())
    if (std::exception_ptr error = outcomes_.clear()) std::rethrow_exception(error);
}

void TaskEngine::help_out() {
  close_reductions(thread_state(), nullptr);
  help_until(thread_state(), kUntilDry, [&] { return drained(); });
}

void TaskEngine::wait_children(ThreadState& self) {
  TaskHeader* const task = self.context.task;
  if (!(task->traits & detail::kParent)) return;
  Domain& domain = Domain::of(*task);
  if (domain.leases != 0)
    throw MisuseError(detail::message("wait() in task '", task->name(), "' while it holds ", domain.leases,
                                      " acquired data: children that need them could never finish; release the guards first"));
  close_reductions(self, task);
  // Acquire: the children's effects.
  help_until(self, 1, [&] { return domain.open.load(std::memory_order_acquire) == 1; });
  {
    SubmissionGuard guard(submission_lock_);
    domain.states.clear();  // all have finished: later children follow nobody, and inherit nothing
  }
  if (std::exception_ptr error = outcomes_.take_error(domain.first_error)) std::rethrow_exception(error);
}

TaskStatus TaskEngine::status(const Task& task) const {
  const TaskHeader* header = task.header();
  const std::uint64_t id = task.id().value;
  if (header != nullptr) {
    // Acquire: a task seen as done has done its effects. The id is read last: if it still is the task's, the list was.
    const std::uint64_t list = header->successors.load(std::memory_order_acquire);
    if (header->id.load(std::memory_order_relaxed) == id && list >> 48 == (id & 0xffff) && !(list & detail::kClosed))
      return TaskStatus::pending;
  }
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
    help_until(self, 1, [&] { return waiter.state.load(std::memory_order_acquire) != 0; });
    complete(self, signal, false);
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

// ------------------------------------------------------------------------------------------------ leases

namespace {

void signals_do_not_run(TaskHeader&, const detail::ExecutionContext&) {}
constexpr detail::TaskType kSignalType{.launch = {&signals_do_not_run, nullptr}};

}  // namespace

TaskRecord* TaskEngine::signal_task(ThreadState& self, Waiter& waiter, std::size_t accesses, SourceLocation where,
                                      const char* name) {
  TaskRecord* task = new_record(self, accesses, sizeof(Waiter*));
  task->type = &kSignalType;
  task->priority = 0;
  task->kinds = 1;
  task->traits |= detail::kSignal;
  task->where() = where;
  task->name() = name;
  ::new (task->closure()) Waiter* (&waiter);
  return task;
}

void TaskEngine::give_signal(TaskHeader* task, bool poisoned) {
  Waiter& waiter = **reinterpret_cast<Waiter**>(task->closure());
  waiter.state.store(poisoned ? 2 : 1, std::memory_order_release);  // after it the waiter may be gone
  notify_waiters();
}

detail::Lease TaskEngine::begin_lease(detail::AccessWord access, SourceLocation where) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("acquire() while a graph is being recorded: nothing runs before its replay");
  if (access.data() == nullptr) throw MisuseError("acquire: the handle has no datum: it is empty or was moved from");
  Datum& datum = graph::datum_of(access);
  for (const HeldDatum& held : self.held)
    if (held.datum == &datum && (!reads_only(held.mode) || !reads_only(access.mode())))
      throw MisuseError(detail::message("acquire: this thread holds a guard on ", datum.label(), " already, with ",
                                        to_string(held.mode), "(): it would wait for itself; release that guard first"));
  Waiter waiter;
  TaskRecord* task = signal_task(self, waiter, 1, where, "acquire");
  task->access_words()[0] = access;
  try {
    validate(*task, nullptr);
  } catch (...) {
    free_record(self, task);
    throw;
  }
  const std::uint64_t id = publish(self, *task, nullptr).id().value;
  help_until(self, 1, [&] { return waiter.state.load(std::memory_order_acquire) != 0; });
  if (waiter.state.load(std::memory_order_relaxed) == 2) {
    const std::exception_ptr error = outcomes_.error_of(id);
    complete(self, task, true);
    if (self.deferred != nullptr) complete_deferred(self);
    if (error) std::rethrow_exception(error);
    throw MisuseError(detail::message("acquire: ", graph::datum_of(access).label(), " was to be written by a cancelled task"));
  }
  self.held.push_back({&datum, access.mode()});
  if (self.context.task == nullptr)
    ++self.leases;
  else
    ++Domain::of(*self.context.task).leases;
  return {task, TaskId(id), memory::home_address(graph::datum_of(access), *driver_)};
}

void TaskEngine::end_lease(const detail::Lease& lease) noexcept {
  ThreadState& self = thread_state();
  Datum& datum = graph::datum_of(lease.task->access_words()[0]);
  const auto held = std::find_if(self.held.begin(), self.held.end(), [&](const HeldDatum& h) { return h.datum == &datum; });
  if (held != self.held.end()) self.held.erase(held);
  if (self.context.task == nullptr)
    --self.leases;
  else
    --Domain::of(*self.context.task).leases;
  bool in_role = true;
  if (!self.worker_thread && self.context.task == nullptr) in_role = claim_worker_role(self);
  if (TaskHeader* next = complete(self, lease.task, false)) hand_to_policy(self, next);
  if (self.deferred != nullptr) complete_deferred(self);
  if (in_role) release_worker_role(self);
  notify_waiters();
}

// ------------------------------------------------------------------------------------------------ worker threads

void TaskEngine::worker_main(ThreadState& self) {
  thread_cache = {serial_, &self};
  driver_->attach(machine_.workers[self.context.worker.index()]);
  auto stop = [&] { return stopping_.load(std::memory_order_acquire); };
  unsigned run = 0;  // tasks since the last hold
  while (!stop()) try {
    TaskHeader* task = find_work(self);
    if (task == nullptr) task = search(self, false, stop);
    while (task != nullptr) {
      task = execute(self, task);
      if (self.deferred != nullptr) [[unlikely]] complete_deferred(self);
      // Recorded tasks were written long ago, by nobody who is in a hurry: they are shared at any size.
      if (self.replay_done != 0 || ++run % Grain::kTasksBetween != 0) continue;
      if (task != nullptr && self.grain.tiny()) hand_to_policy(self, std::exchange(task, nullptr));
      hold_off(self);
    }
  } catch (...) {
    // Bodies' exceptions end in fail(): this one is the policy's. The next wait() throws it; the policy is asked again,
    // not at once.
    outcomes_.store_error(outcomes_.root_error(), std::current_exception());
    outcomes_.set(TaskId::kNone, Outcome::failed);
    self.parker.park(Seconds(0.001));
  }
}

}  // namespace mitra::engine
