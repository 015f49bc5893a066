// From ready to released successors: policy, body, completion.
// Flow: ready -> policy -> worker -> body -> [completion] -> ready.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/trees.hpp"
#include "memory/private_copies.hpp"

namespace mitra::engine {

using graph::datum_of;
using graph::EdgeSlot;

// ------------------------------------------------------------------------------------------------ ready

void TaskEngine::make_ready(ThreadState& self, TaskHeader* task) {
  // Relaxed: whoever cancelled the task did so before the decrement of `pending` that made it ready here.
  if (task->successors.load(std::memory_order_relaxed) & detail::kCancelled && !(task->traits & detail::kRecorded)) [[unlikely]] {
    if (task->traits & detail::kSignal) return give_signal(task, true);
    // Whatever has failed, the replicas are where the levels say that they are: later tasks rely on it.
    if (is_transition(*task) && has_many_memories()) return hand_to_policy(self, task);
    if ((task->traits & detail::kReplay) != 0 && has_many_memories() && moves_trees(*task)) return start_replay(self, task);
    task->link = self.deferred;
    self.deferred = task;
    return;
  }
  if (task->traits & (detail::kCommutes | detail::kSignal | detail::kReplay)) [[unlikely]] {
    if (task->traits & detail::kSignal) return give_signal(task, false);
    if (task->traits & detail::kReplay) return start_replay(self, task);
    if (!take_commute_locks(task)) return;  // whoever holds the datum will try again for it
  }
  if (policy_splits_ && task->type->split != nullptr && splits(self, task)) [[unlikely]] return;
  hand_to_policy(self, task);
}

// ------------------------------------------------------------------------------------------------ commute

bool TaskEngine::take_commute_locks(TaskHeader* task) {
  // All or none, under one lock: nobody holds one datum while it waits for another, so there is no deadlock.
  std::scoped_lock lock(commute_mutex_);
  for (std::size_t i = 0; i < task->accesses; ++i) {
    const detail::AccessWord word = task->access_words()[i];
    if (word.mode() != AccessMode::commute) continue;
    Datum& datum = datum_of(word);
    if (datum.commute_holder == nullptr) continue;
    datum.commute_waiters.push_back(task);
    return false;
  }
  for (std::size_t i = 0; i < task->accesses; ++i)
    if (const detail::AccessWord word = task->access_words()[i]; word.mode() == AccessMode::commute)
      datum_of(word).commute_holder = task;
  return true;
}

void TaskEngine::release_commute_locks(ThreadState& self, TaskHeader* task) {
  std::vector<TaskHeader*> waiters;
  {
    std::scoped_lock lock(commute_mutex_);
    for (std::size_t i = 0; i < task->accesses; ++i) {
      const detail::AccessWord word = task->access_words()[i];
      if (word.mode() != AccessMode::commute) continue;
      Datum& datum = datum_of(word);
      if (datum.commute_holder != task) continue;  // the same datum twice, or a task that never got its locks
      datum.commute_holder = nullptr;
      waiters.insert(waiters.end(), datum.commute_waiters.begin(), datum.commute_waiters.end());
      datum.commute_waiters.clear();
    }
  }
  for (TaskHeader* waiter : waiters) make_ready(self, waiter);  // in the order in which they came
}

// ------------------------------------------------------------------------------------------------ execution

TaskHeader* TaskEngine::execute(ThreadState& self, TaskHeader* task) {
  if (self.to_split != nullptr) [[unlikely]] return run_split(self, std::exchange(self.to_split, nullptr));
  if (memory_ != nullptr) [[unlikely]] return execute_beside_devices(self, task);
  if (task->traits & detail::kRecorded) return execute_nodes(self, task);
  if (self.replay_done != 0) [[unlikely]] flush_replay(self);  // somebody may be waiting for the replay's end
  // Relaxed: a cancellation that comes now comes too late, and may as well be missed.
  if (task->successors.load(std::memory_order_relaxed) & detail::kCancelled) [[unlikely]] {
    tell_cancelled(self, *task);
    return finish(self, task, true);
  }
  const bool failed = run_body(self, task);
  return finish(self, task, failed);
}

void TaskEngine::note_duration(ThreadState& self, const TaskHeader& task, Seconds start, Seconds inner) {
  const Seconds whole = driver_->now() - start;
  graph_recorder_->ran(task, whole - self.inner);
  self.inner = inner + whole;
}

bool TaskEngine::run_virtual_body(ThreadState& self, const detail::ExecutionContext& context) {
  const detail::ExecutionContext below = std::exchange(self.context, context);
  bool failed = false;
  try {
    context.task->type->launch[0](*context.task, self.context);
  } catch (...) {
    fail(context.task, std::current_exception());
    failed = true;
  }
  self.context = below;
  return_loans(self, context.task);  // now: tasks end in another order than their bodies
  return failed;
}

void TaskEngine::fail(TaskHeader* task, std::exception_ptr thrown) {
  std::string what = "an exception that is no std::exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const TaskError& e) {
    // What a wait for children threw, and the body let through: the same as if the body had not waited.
    if (outcomes_.error_of(e.id.value) == thrown) return note_failure(task, thrown);
    what = e.what();
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {  // the text above
  }
  const SourceLocation where = task->where().unpack();
  const TaskId id(task->id.load(std::memory_order_relaxed));
  const std::string message =
      where.line != 0 ? detail::message("task '", task->name(), "', submitted at ", where.file, ':', where.line, ", failed: ", what)
                      : detail::message("task '", task->name(), "' failed: ", what);
  auto error = std::make_exception_ptr(TaskError(message, task->name(), id, where, thrown));
  note_failure(task, error);
}

/// Stores the error where the next to wait finds it: with the task, and with its parent, or as the first one of all.
void TaskEngine::note_failure(TaskHeader* task, const std::exception_ptr& error) {
  outcomes_.set(task->id.load(std::memory_order_relaxed), Outcome::failed, error);
  TaskHeader* parent = task->parent;
  if (task->traits & detail::kRecorded) {  // the replay has failed with it, and the replay's parent is the one to tell
    auto& graph = *reinterpret_cast<detail::GraphStorage*>(parent->block);
    graph.failed.store(true, std::memory_order_relaxed);
    TaskHeader* replay = graph.running.load(std::memory_order_relaxed);
    outcomes_.set(replay->id.load(std::memory_order_relaxed), Outcome::failed, error);
    parent = replay->parent;
  }
  outcomes_.store_error(parent == nullptr ? outcomes_.root_error() : Domain::of(*parent).first_error, error);
}

void TaskEngine::return_loans(ThreadState& self, const TaskHeader* task) {
  while (!self.loans.empty() && self.loans.back().task == task) {
    const PrivateLoan loan = self.loans.back();
    self.loans.pop_back();
    if (task->access_words()[loan.access].mode() == AccessMode::reduce)
      memory::give_reduce_copy(*loan.datum, loan.buffer);
    else
      memory::give_scratch(*loan.datum, loan.buffer);
  }
}

/// Ends what a task held beside its record. @returns False if children still run.
bool TaskEngine::release_held(ThreadState& self, TaskHeader* task, bool& poisoned) {
  return_loans(self, task);
  if (task->traits & detail::kParent) {
    close_trees(self, task);
    close_reductions(self, task);
    Domain& domain = Domain::of(*task);
    if (poisoned) domain.body_failed.store(true, std::memory_order_relaxed);
    // Release: the body's effects; acquire: the children's, if this was the last.
    if (domain.open.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  }
  return true;
}

void TaskEngine::child_finished(ThreadState& self, TaskHeader* parent) {
  // With more than 0 left the domain belongs to others again, and is not touched after the decrement.
  const std::int64_t left = Domain::of(*parent).open.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if (left == 1) {
    notify_waiters();  // only the body is left: it may be waiting
  } else if (left == 0) {
    const bool poisoned = Domain::of(*parent).body_failed.load(std::memory_order_relaxed);
    if (TaskHeader* next = complete(self, parent, poisoned)) hand_to_policy(self, next);
  }
}

TaskHeader* TaskEngine::complete(ThreadState& self, TaskHeader* task, bool poisoned) {
  if (poisoned && (task->traits & detail::kInternal) && task->accesses == 1) [[unlikely]] drop_contributions(*task);
  if (task->traits & (detail::kCommutes | detail::kParent | detail::kRecorded)) [[unlikely]] {
    if (task->traits & detail::kParent) {
      Domain* domain = &Domain::of(*task);
      if (domain->first_error) {  // a child's failure that the body did not ask for is the parent's own
        note_failure(task, domain->first_error);
        poisoned = true;
      }
      delete domain;
      task->traits &= static_cast<std::uint8_t>(~detail::kParent);
    }
    if (task->traits & detail::kCommutes) release_commute_locks(self, task);
    if (task->traits & detail::kRecorded) return finish_node(self, task, poisoned);
  }
  const bool kept = std::exchange(self.keeps_record, false);
  if (task->type->destroy != nullptr && !kept) {
    ++self.destroying;  // a handle whose last copy dies here cannot wait for this task
    task->type->destroy(*task);
    --self.destroying;
  }
  TaskHeader* const parent = task->parent;
  const std::uint64_t id = task->id.load(std::memory_order_relaxed);
  if (poisoned && outcomes_.of(id) == Outcome::none) [[unlikely]] outcomes_.set(id, Outcome::cancelled_by_user);
  // Release: the body's effects, for those who see the task closed. Acquire: the edge slots that submitters have linked.
  const std::uint64_t list =
      task->successors.exchange(detail::generation_of(id) | detail::kClosed, std::memory_order_acq_rel);
  TaskHeader* next = nullptr;
  std::uint64_t slot = list & (detail::kSlotMask | detail::kOverflow);
  if (slot != 0) {
    // The list is newest first. Reversed, tasks become ready in the order of their submission.
    std::uint64_t reversed = 0;
    for (std::uint64_t at = slot; at != 0;) {
      EdgeSlot* link = graph::slot_at(at);
      const std::uint64_t following = link->next;
      link->next = reversed;
      reversed = at;
      at = following;
    }
    for (std::uint64_t at = reversed; at != 0;) {
      const std::uint64_t following = graph::slot_at(at)->next;  // before the release: after it the record may be gone
      next = release_successor(self, graph::owner_of(at), task, poisoned, next);
      at = following;
    }
  }
  if (!kept) [[likely]] free_record(self, static_cast<TaskRecord*>(task));
  // Release: wait() sees the effects of everything that this thread has finished.
  const std::uint64_t finished = self.finished.load(std::memory_order_relaxed) + 1;
  self.finished.store(finished, std::memory_order_release);
  if ((finished & 63) == 0 && event_waiters_.load(std::memory_order_relaxed) != 0) [[unlikely]] notify_waiters();
  if (parent != nullptr) [[unlikely]] child_finished(self, parent);
  return next;
}

TaskHeader* TaskEngine::release_successor(ThreadState& self, TaskHeader* successor, const TaskHeader* by, bool poisoned,
                                            TaskHeader* next) {
  if (poisoned) [[unlikely]] {
    outcomes_.inherit(successor->id.load(std::memory_order_relaxed), by->id.load(std::memory_order_relaxed));
    successor->successors.fetch_or(detail::kCancelled, std::memory_order_relaxed);  // ordered by the decrement below
  }
  // With 1 left, this is the last predecessor, and nobody else will look at the counter: no read-modify-write is needed.
  // Acquire: what the other predecessors wrote; release: what this one wrote.
  if (successor->pending.load(std::memory_order_acquire) != 1 &&
      successor->pending.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return next;
  constexpr std::uint8_t kNotPlain = detail::kCommutes | detail::kSignal | detail::kReplay;
  // The first ready successor runs next, or a later one that is more urgent.
  if ((next == nullptr || successor->priority > next->priority) && !(successor->traits & kNotPlain) &&
      self.context.worker.valid() && !(successor->successors.load(std::memory_order_relaxed) & detail::kCancelled) &&
      runs_next(self, successor)) {
    if (next != nullptr) hand_to_policy(self, next);
    return successor;
  }
  make_ready(self, successor);
  return next;
}

void TaskEngine::complete_deferred(ThreadState& self) {
  while (self.deferred != nullptr) {
    TaskHeader* task = std::exchange(self.deferred, static_cast<TaskHeader*>(self.deferred->link));
    const bool poisoned = (task->successors.load(std::memory_order_relaxed) & detail::kCancelled) != 0;
    if (poisoned) tell_cancelled(self, *task);
    if (TaskHeader* next = complete(self, task, poisoned)) hand_to_policy(self, next);
  }
}

// ------------------------------------------------------------------------------------------------ private copies

void* TaskEngine::address(const detail::ExecutionContext& context, std::size_t access) {
  const detail::AccessWord word = context.task->access_words()[access];
  Datum& datum = datum_of(word);
  if (word.mode() != AccessMode::reduce && word.mode() != AccessMode::scratch) return memory::home_address(datum, *driver_);
  ThreadState& self = thread_state();
  for (const PrivateLoan& loan : self.loans)
    if (loan.task == context.task && loan.access == access) return loan.buffer;
  void* buffer = word.mode() == AccessMode::scratch
                     ? memory::take_scratch(datum, *driver_)
                     : memory::take_reduce_copy(datum, *datum.operations[word.operation()].load(std::memory_order_relaxed), *driver_);
  self.loans.push_back({context.task, access, &datum, buffer});
  return buffer;
}

void TaskEngine::run_fold(TaskHeader& task, const detail::ExecutionContext& context) {
  static_cast<TaskEngine*>(context.engine)->fold_reduction(task);
}

void TaskEngine::fold_reduction(TaskHeader& task) {
  const detail::AccessWord word = task.access_words()[0];
  Datum& datum = datum_of(word);
  const detail::ReduceOperation& operation = *datum.operations[word.operation()].load(std::memory_order_relaxed);
  memory::PartialResults copies(datum);
  if (copies.size() == 0) return;
  memory::home_address(datum, *driver_);
  // A tree: with many copies, children fold pairs at the same time, level by level.
  constexpr std::size_t kFoldAlone = 4;
  while (copies.size() > kFoldAlone) {
    const std::size_t half = copies.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      struct FoldPair {
        Datum* datum;
        const detail::ReduceOperation* operation;
        void *into, *from;
      };
      static constexpr detail::TaskType type{.launch = {[](TaskHeader& t, const detail::ExecutionContext&) {
                                                          const auto& pair = *reinterpret_cast<FoldPair*>(t.closure());
                                                          memory::fold_copies(*pair.datum, *pair.operation, pair.into, pair.from);
                                                        },
                                                        nullptr}};
      ThreadState& self = thread_state();
      TaskRecord* child = new_record(self, 0, sizeof(FoldPair));
      child->type = &type;
      child->priority = task.priority;
      child->kinds = 1;
      child->traits |= detail::kInternal;
      child->where() = SourceLocation{"(inserted by Mitra)", 0};
      child->name() = "fold pair";
      ::new (child->closure()) FoldPair{&datum, &operation, copies[i], copies.last()};
      copies.release_last();
      publish(self, *child, nullptr);
    }
    wait_all();  // its own children
  }
  for (std::size_t i = 0; i < copies.size(); ++i) memory::fold_into_datum(datum, operation, copies[i]);
}

/// Of a fold that has failed, or will not run: they are not for the next one.
void TaskEngine::drop_contributions(TaskHeader& task) {
  const detail::AccessWord word = task.access_words()[0];
  const memory::PartialResults dropped(datum_of(word));
  if (memory_ != nullptr) memory_->drop_contributions(task);
}

}  // namespace mitra::engine
