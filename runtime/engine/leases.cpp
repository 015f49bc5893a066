// Data lent to code that is no task, in order with the tasks; and the tasks without bodies by which a thread waits for others.
// Flow: Runtime::acquire, Task::wait -> [leases] -> dependency tracker -> signal.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/helping.hpp"
#include "engine/recorder.hpp"
#include "memory/private_copies.hpp"

namespace mitra::engine {

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

detail::Lease TaskEngine::begin_lease(detail::AccessWord access, SourceLocation where, const char* call) {
  if (!executes() && access.data() != nullptr) {
    Datum& datum = graph::datum_of(access);
    if (!datum.lent)
      throw MisuseError(detail::message(call, ": ", datum.label(), " is Mitra's own, and has no memory in virtual time, where "
                                        "bodies do not run; ask rt.executes() before, or set execute (MITRA_EXECUTE=1)"));
    if (graph::root_of(datum).written && access.mode() != AccessMode::write)
      throw MisuseError(detail::message(call, ": ", datum.label(), " was written by tasks in virtual time, where bodies do not run: "
                                        "its value was never computed; ask rt.executes() before, or set execute (MITRA_EXECUTE=1)"));
  }
  return lend(access, where, call);
}

detail::Lease TaskEngine::lend(detail::AccessWord access, SourceLocation where, const char* call) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError(detail::message(call, "() while a graph is being recorded: nothing runs before its replay"));
  if (access.data() == nullptr) throw MisuseError(detail::message(call, ": the handle has no datum: it is empty or was moved from"));
  Datum& datum = graph::datum_of(access);
  {
    detail::SpinGuard guard(self.held_lock);
    for (const HeldDatum& held : self.held)
      if ((held.datum == &datum || graph::exclude_each_other(*held.datum, datum)) &&
          (!reads_only(held.mode) || !reads_only(access.mode())))
        throw MisuseError(detail::message(call, ": this thread holds a guard on ", held.datum->label(), " already, with ",
                                          to_string(held.mode), held.datum == &datum ? "(): it" : "(), where " + datum.label() + " lies, too: it would wait for itself; release that guard first"));
  }
  Waiter waiter;
  TaskRecord* task = signal_task(self, waiter, 1, where, call);
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
    throw MisuseError(detail::message(call, ": ", graph::datum_of(access).label(), " was to be written by a cancelled task"));
  }
  void* address = nullptr;
  Frame* frame = nullptr;
  if (memory_ != nullptr && !LiveMemory::in_place(*task)) {
    frame = &memory_->enter_and_wait(*task);
    wait_for_data(self, *frame);
    if (frame->state.load(std::memory_order_relaxed) == Frame::State::refused) {
      const std::string why = frame->refusal;
      memory_->leave(*frame, false);
      complete_signal(self, task, false);
      throw Error(detail::message(call, ": ", datum.label(), ": ", why));
    }
  }
  try {
    address = executes() ? memory::home_address(datum, *driver_) : datum.host;
    detail::SpinGuard guard(self.held_lock);
    self.held.push_back({&datum, access.mode()});
  } catch (...) {
    if (frame != nullptr) memory_->leave(*frame, false);
    complete_signal(self, task, false);
    throw;
  }
  leases_of(self, self.context.task).fetch_add(1, std::memory_order_relaxed);
  return {task, TaskId(id), address, &self, frame};
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
  if (lease.frame != nullptr) memory_->leave(*static_cast<Frame*>(lease.frame), true);
  // The task that acquired has not completed: the lease is a child of it.
  leases_of(holder, lease.task->parent).fetch_sub(1, std::memory_order_relaxed);
  complete_signal(thread_state(), lease.task, false);
}

}  // namespace mitra::engine
