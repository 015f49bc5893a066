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
    if (parking_.wants_sentinel()) {
      // Workers outnumber the processors, and only as many as there are processors are awake. Should their tasks block,
      // the sleepers look for themselves, at longer and longer intervals.
      nap = nap > Seconds(0.0) ? std::min(nap * 2.0, Seconds(0.064)) : Seconds(0.001);
      search.sleep(nap);
    } else {
      search.sleep();
    }
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

template <class Predicate>
void TaskEngine::sleep_apart(ThreadState& self, Predicate&& done) {
  const EventWait wait(*this, &self, true);
  while (!done()) self.parker_apart.park();  // a token that is left over from an earlier wait costs one look
}

// ------------------------------------------------------------------------------------------------ worker 0

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
    if (!virtual_time_->stands_still() && (virtual_time_->step(self) || virtual_time_->ask_everyone(self))) {
      waited = 0;
      continue;
    }
    // Nothing happens by itself any more; another thread of the application may be about to submit something.
    constexpr unsigned kPatience = 1000;  // looks, of a millisecond each
    if (external_list_.load(std::memory_order_acquire)->next_external == nullptr || ++waited == kPatience) throw_standstill();
    lock.unlock();
    self.parker_apart.park(Seconds(0.001));
    lock.lock();
  }
}

void TaskEngine::throw_standstill() {
  virtual_time_->stand_still();
  throw Error(detail::message("the run stands still at ", driver_->now().value, " s of virtual time: nothing runs, and no worker that asked '",
                              config_.scheduler, "' got a task\n", describe_stall()));
}

template <class Predicate>
void TaskEngine::help_until(ThreadState& self, unsigned patience, Predicate&& done) {
  if (virtual_time_ != nullptr) return pass_time_until(self, done);
  while (!done()) {
    const WorkerRole role(*this, self);
    if (!role.held) {
      sleep_apart(self, [&] { return done() || !role_busy_.load(std::memory_order_acquire); });
      continue;
    }
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

/// Of a wait that has to see its end: something on this thread's stack is referred to, or there is nobody to throw at.
template <class Predicate>
void TaskEngine::help_surely_until(ThreadState& self, unsigned patience, Predicate&& done) {
  while (!done()) try {
    help_until(self, patience, done);
  } catch (...) {
    if (virtual_time_ != nullptr && virtual_time_->stands_still()) throw;
    policy_threw(self);
  }
}

/// Bodies' exceptions end in fail(): this one is the policy's. The next wait() throws it; the policy is asked again, not at
/// once.
void TaskEngine::policy_threw(ThreadState& self) {
  outcomes_.store_error(outcomes_.root_error(), std::current_exception());
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
    if (virtual_time_ != nullptr) return;
    const WorkerRole role(*this, self);
    if (role.held)
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
  if (virtual_time_ != nullptr) virtual_time_->end_phase();
  if (outcomes_.any())
    if (std::exception_ptr error = outcomes_.clear()) std::rethrow_exception(error);
}

void TaskEngine::help_out() {
  close_reductions(thread_state(), nullptr);
  help_surely_until(thread_state(), kUntilDry, [&] { return drained(); });
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

// ------------------------------------------------------------------------------------------------ leases

namespace {

/// @returns The number of data that the task has acquired, or the thread outside of tasks.
std::atomic<int>& leases_of(ThreadState& thread, TaskHeader* task) {
  return task == nullptr ? thread.leases : Domain::of(*task).leases;
}

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

/// Ends a task that stood for a lease, in the thread that held it, or was refused it.
void TaskEngine::complete_signal(ThreadState& self, TaskHeader* task, bool poisoned) {
  {
    const auto virtual_lock = lock_virtual_time();
    const WorkerRole role(*this, self);  // its successors become ready on behalf of worker 0, or of no worker
    if (TaskHeader* next = complete(self, task, poisoned)) hand_to_policy(self, next);
    if (self.deferred != nullptr) complete_deferred(self);
  }
  notify_waiters();
}

detail::Lease TaskEngine::begin_lease(detail::AccessWord access, SourceLocation where) {
  if (!executes() && access.data() != nullptr) {
    const Datum& datum = graph::datum_of(access);
    if (!datum.lent)
      throw MisuseError(detail::message("acquire: ", datum.label(), " is Mitra's own, and has no memory in virtual time, where "
                                        "bodies do not run; ask rt.executes() before, or set execute (MITRA_EXECUTE=1)"));
    if (datum.written && access.mode() != AccessMode::write)
      throw MisuseError(detail::message("acquire: ", datum.label(), " was written by tasks in virtual time, where bodies do not run: "
                                        "its value was never computed; ask rt.executes() before, or set execute (MITRA_EXECUTE=1)"));
  }
  return lend(access, where);
}

detail::Lease TaskEngine::lend(detail::AccessWord access, SourceLocation where) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("acquire() while a graph is being recorded: nothing runs before its replay");
  if (access.data() == nullptr) throw MisuseError("acquire: the handle has no datum: it is empty or was moved from");
  Datum& datum = graph::datum_of(access);
  {
    detail::SpinGuard guard(self.held_lock);
    for (const HeldDatum& held : self.held)
      if (held.datum == &datum && (!reads_only(held.mode) || !reads_only(access.mode())))
        throw MisuseError(detail::message("acquire: this thread holds a guard on ", datum.label(), " already, with ",
                                          to_string(held.mode), "(): it would wait for itself; release that guard first"));
  }
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
  help_surely_until(self, 1, [&] { return waiter.state.load(std::memory_order_acquire) != 0; });
  if (waiter.state.load(std::memory_order_relaxed) == 2) {
    const std::exception_ptr error = outcomes_.error_of(id);
    complete_signal(self, task, true);
    if (error) std::rethrow_exception(error);
    throw MisuseError(detail::message("acquire: ", graph::datum_of(access).label(), " was to be written by a cancelled task"));
  }
  void* address = nullptr;
  try {
    address = executes() ? memory::home_address(datum, *driver_) : datum.host;
    detail::SpinGuard guard(self.held_lock);
    self.held.push_back({&datum, access.mode()});
  } catch (...) {
    complete_signal(self, task, false);
    throw;
  }
  leases_of(self, self.context.task).fetch_add(1, std::memory_order_relaxed);
  return {task, TaskId(id), address, &self};
}

void TaskEngine::end_lease(const detail::Lease& lease) noexcept {
  auto& holder = *static_cast<ThreadState*>(lease.holder);
  const detail::AccessWord access = lease.task->access_words()[0];
  {
    detail::SpinGuard guard(holder.held_lock);
    holder.held.erase(std::find_if(holder.held.begin(), holder.held.end(), [&](const HeldDatum& h) {
      return h.datum == &graph::datum_of(access) && h.mode == access.mode();
    }));
  }
  // The task that acquired has not completed: the lease is a child of it.
  leases_of(holder, lease.task->parent).fetch_sub(1, std::memory_order_relaxed);
  complete_signal(thread_state(), lease.task, false);
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
    policy_threw(self);
  }
}

}  // namespace mitra::engine
