// From begin() to a task that hangs in the graph, or is ready.
// Flow: Runtime::submit -> [submission] -> dependency tracker -> ready.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/edge_sink.hpp"
#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "engine/recorder.hpp"
#include "engine/trees.hpp"

namespace mitra::engine {

using detail::AccessWord;
using graph::datum_of;
using graph::kSubmissionGuard;
using graph::OverflowBlock;

// ------------------------------------------------------------------------------------------------ records

graph::EdgeSlot* EdgeSink::take_overflow_slot(std::uint64_t& bits) {
  if (!(task_.traits & detail::kExtended)) {
    task_.traits |= detail::kExtended;
    task_.heap_block = nullptr;
    task_.overflow = nullptr;
  }
  if (task_.overflow == nullptr || overflow_used_ == OverflowBlock::kSlots) {
    OverflowBlock* block = engine_.pool_.take_overflow();
    block->owner = &task_;
    block->next_block = task_.overflow;
    task_.overflow = block;
    overflow_used_ = 0;
  }
  EdgeSlot* slot = &task_.overflow->slots[overflow_used_++];
  bits = reinterpret_cast<std::uint64_t>(slot) | detail::kOverflow;
  return slot;
}

void EdgeSink::follow(const Member& predecessor) {
  if (engine_.policy_watches_submissions_) self_.predecessors.push_back(TaskId(predecessor.id));
  if (engine_.virtual_time_ == nullptr) return;
  const VirtualTask& before = engine_.virtual_time_->of(*predecessor.task);
  engine_.virtual_time_->follow(before);
  if (before.path_end < path_end_ || (before.path_end == path_end_ && path_ != 0)) return;
  path_end_ = before.path_end;
  path_ = before.path;
}

void EdgeSink::inherit_outcome(std::uint64_t predecessor) {
  if (engine_.outcomes_.of(predecessor) == Outcome::none) return;
  engine_.outcomes_.inherit(task_.id.load(std::memory_order_relaxed), predecessor);
  task_.successors.fetch_or(detail::kCancelled, std::memory_order_relaxed);  // read after `pending`, which orders it
}

// ------------------------------------------------------------------------------------------------ begin

TaskHeader* TaskEngine::begin(std::size_t accesses, std::size_t closure_bytes) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) [[unlikely]] return self.recorder->begin(accesses, closure_bytes);
  if (accesses > 0xffff) throw MisuseError(detail::message("submit: a task has at most 65535 accesses, not ", accesses));
  if (next_id_.load(std::memory_order_relaxed) - finished_seen_.load(std::memory_order_relaxed) >= window_) [[unlikely]]
    make_room(self);
  return new_record(self, accesses, closure_bytes);
}

void TaskEngine::abandon(TaskHeader* task) noexcept {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) return;  // the recorder frees its blocks itself
  free_record(self, static_cast<TaskRecord*>(task));
}

// ------------------------------------------------------------------------------------------------ checks

void TaskEngine::check_parent_declares(const TaskHeader& parent, AccessWord access) const {
  const Datum& datum = datum_of(access);
  if (access.mode() == AccessMode::scratch) return;
  AccessWord declared(nullptr, AccessMode::write);
  if (covers(parent, datum, &declared)) {
    const AccessMode mode = declared.mode();
    if (mode == AccessMode::write || mode == AccessMode::readwrite || mode == AccessMode::commute) return;
    if (mode == AccessMode::read && reads_only(access.mode())) return;
    throw MisuseError(detail::message("task '", parent.name(), "' submits a child that accesses ", datum.label(), " with ",
                                      to_string(access.mode()), "(), but has declared only ", to_string(mode), "()",
                                      declared.data() == &datum ? "" : " of " + datum_of(declared).label(), " itself; declare the parent's access with readwrite()"));
  }
  throw MisuseError(detail::message("task '", parent.name(), "' submits a child that accesses ", datum.label(),
                                    ", which it has not declared itself: the child could wait for a task that waits for its "
                                    "parent; declare the access on the parent, too"));
}

void TaskEngine::validate(TaskHeader& task, const detail::SubmitExtras* extras) {
  AccessWord* words = task.access_words();
  bool special = false;
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::DataHeader* data = words[i].data();
    if (data == nullptr)
      throw MisuseError(detail::message("submit '", task.name(), "': access ", i,
                                        " has no datum: its handle is empty or was moved from"));
    if (data->engine != this) [[unlikely]]
      throw MisuseError(detail::message("submit '", task.name(), "': ", datum_of(words[i]).label(),
                                        data->engine == nullptr ? " was registered with a Runtime that has ended"
                                                                : " was registered with another Runtime",
                                        "; register it with this one"));
    special |= words[i].mode() >= AccessMode::commute;
    if (task.parent != nullptr) check_parent_declares(*task.parent, words[i]);
  }
  if (any_trees_.load(std::memory_order_acquire)) [[unlikely]] check_trees(task);
  if (special) [[unlikely]] {
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const AccessMode mode = words[i].mode();
      if (mode == AccessMode::commute && task.parent != nullptr) {
        // An ancestor may hold the datum as a commuting task itself, until this one has finished: among siblings the order
        // of submission excludes as well.
        words[i] = AccessWord(words[i].data(), AccessMode::readwrite);
        continue;
      }
      if (mode == AccessMode::commute) task.traits |= detail::kCommutes;
      if (mode == AccessMode::reduce || mode == AccessMode::scratch) task.traits |= detail::kPrivate;
      if (mode == AccessMode::reduce) {
        SubmissionGuard guard(submission_lock_);
        words[i].set_operation(datum_of(words[i]).operation_number(extras->operations[i]));
      }
      if (mode != AccessMode::commute && mode != AccessMode::reduce) continue;
      for (std::size_t j = 0; j < task.accesses; ++j)
        if (j != i && words[j].data() == words[i].data() && (words[j].mode() != mode || mode == AccessMode::reduce))
          throw MisuseError(detail::message("submit '", task.name(), "': ", datum_of(words[i]).label(), " is accessed with ",
                                            to_string(mode), "() and a second time with ", to_string(words[j].mode()),
                                            "() by the same task; use readwrite() alone"));
    }
  }
  if (extras != nullptr) {
    if (task.parent != nullptr)
      for (AccessWord word : extras->accesses) check_parent_declares(*task.parent, word);
    for (const Task& before : extras->after) {
      if (before.header() == nullptr) {
        if (before.id().valid() && (task.traits & detail::kRecorded) == 0)
          throw MisuseError(detail::message("submit '", task.name(),
                                            "': .after names a task of a recording: name the Task of its replay"));
        continue;
      }
      if (before.engine() != this)
        throw MisuseError(detail::message("submit '", task.name(), "': .after names a task of another Runtime"));
      const bool sibling = std::atomic_ref(before.header()->parent).load(std::memory_order_acquire) == task.parent;
      if (task.parent != nullptr && !sibling && status(before) == TaskStatus::pending) {
        for (const TaskHeader* ancestor = task.parent; ancestor != nullptr; ancestor = ancestor->parent)
          if (before.header() == ancestor && before.id() == TaskId(ancestor->id.load(std::memory_order_relaxed)))
            throw MisuseError(detail::message("submit '", task.name(), "': .after names '", ancestor->name(),
                                              "', whose completion waits for this child: a cycle"));
        throw MisuseError(detail::message("submit '", task.name(), "': .after names task #", before.id().value,
                                          ", which is not a child of '", task.parent->name(),
                                          "': it may itself wait for '", task.parent->name(),
                                          "', which would be a cycle; order the parents instead"));
      }
    }
  }
  if (memory_ != nullptr && !(task.traits & detail::kSignal)) [[unlikely]] {
    // Emulated devices run CPU bodies, and no others.
    if (devices_->emulates()) task.kinds = static_cast<std::uint8_t>((task.kinds & 1U) | task.type->emulated);
    task.kinds = memory_->largest_memories().kinds_with_room(task, task.kinds);
    const Frame* frame = thread_state().frame;
    if (task.parent != nullptr && frame != nullptr && frame->implementation != WorkerKind::cpu)
      throw MisuseError(detail::message("submit '", task.name(), "': the body of '", task.parent->name(),
                                        "' has only enqueued its work on the GPU, and submits a task that could overtake it; submit from "
                                        "a .cpu body"));
  }
  const std::uint8_t here = memory_ != nullptr ? 3U : 1U;
  const bool runs_somewhere = virtual_time_ == nullptr ? (task.kinds & here) != 0 : (task.kinds | task.type->modelled) != 0;
  if (!runs_somewhere && !(task.traits & detail::kSignal)) [[unlikely]] {
    std::string have;
    for (const WorkerClass& c : machine_.classes)
      have += (have.empty() ? "" : ", ") + std::to_string(c.workers.size()) + " x " + to_string(c.kind);
    throw SubmitError(detail::message("submit '", task.name(), "': no worker of this machine implements the codelet (workers: ",
                                      have, "); give it a .cpu implementation"));
  }
}

// ------------------------------------------------------------------------------------------------ commit

Task TaskEngine::commit(TaskHeader* header, const detail::SubmitExtras* extras) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) [[unlikely]] return record_commit(self, header, extras);
  auto& task = *static_cast<TaskRecord*>(header);
  const bool plain = !keeps_more_;
  std::size_t entry = 0;
  try {
    validate(task, extras);
    if (!plain) [[unlikely]] entry = prepare(task, extras);
  } catch (...) {
    if (task.type->destroy != nullptr) task.type->destroy(task);
    free_record(self, &task);
    throw;
  }
  const Task result = publish(self, task, extras);
  if (plain) [[likely]] return result;
  if (graph_recorder_ != nullptr) graph_recorder_->published(entry, result.id());
  if (virtual_time_ != nullptr && self.splitting == 0) virtual_time_->pass_submission_time(self);
  return result;
}

/// For those who want to know of a task before it becomes known to workers. @returns The graph recorder's entry.
std::size_t TaskEngine::prepare(TaskHeader& task, const detail::SubmitExtras* extras) {
  std::size_t entry = 0;
  if (graph_recorder_ != nullptr)
    entry = graph_recorder_->submitted(task, extras != nullptr ? extras->after : std::span<const Task>());
  if (virtual_time_ != nullptr && !(task.traits & detail::kReplay)) virtual_time_->prepare(task);
  if (memory_ != nullptr) LiveCosts::of(task) = {};
  return entry;
}

void TaskEngine::tell_policy(ThreadState& self, TaskHeader& task) {
  if (policy_concurrent_ || virtual_time_ != nullptr) return policy_->submitted(TaskRef(&task), self.view);
  const PolicyGuard policy_guard(*this);
  policy_->submitted(TaskRef(&task), self.view);
}

/// To the policy that was told of it, the body will not run.
void TaskEngine::tell_cancelled(ThreadState& self, TaskHeader& task) {
  if (virtual_time_ != nullptr) virtual_time_->task_left();
  if (!policy_watches_submissions_ || (task.traits & (detail::kRecorded | detail::kSignal | detail::kReplay))) return;
  if (policy_concurrent_ || virtual_time_ != nullptr) return policy_->cancelled(TaskRef(&task), self.view);
  const PolicyGuard policy_guard(*this);
  policy_->cancelled(TaskRef(&task), self.view);
}

Task TaskEngine::publish(ThreadState& self, TaskRecord& task, const detail::SubmitExtras* extras) {
  const auto virtual_lock = lock_virtual_time();
  TaskHeader* const parent = task.parent;
  if (memory_ != nullptr && self.frame != nullptr && parent == self.context.task && parent != nullptr) memory_->publish(*self.frame);
  if (parent != nullptr && !(parent->traits & detail::kParent)) {
    parent->link = new Domain;
    parent->traits |= detail::kParent;
  }
  std::uint64_t id;
  bool ready;
  {
    SubmissionGuard guard(submission_lock_);
    id = next_id_.load(std::memory_order_relaxed);
    task.id.store(id, std::memory_order_relaxed);
    task.successors.store(detail::generation_of(id), std::memory_order_relaxed);
    task.pending.store(kSubmissionGuard, std::memory_order_relaxed);
    EdgeSink sink(*this, self, task);
    if (!(task.traits & (detail::kInternal | detail::kSignal | detail::kReplay)))
      self.submitted.store(self.submitted.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const AccessWord* words = task.access_words();
    if (any_trees_.load(std::memory_order_relaxed)) [[unlikely]] prepare_trees(self, task, extras);
    for (std::size_t i = 0; i < task.accesses; ++i) {
      Datum& datum = datum_of(words[i]);
      const detail::ReduceOperation* operation = nullptr;
      if (words[i].mode() == AccessMode::reduce) [[unlikely]]
        operation = datum.operations[words[i].operation()].load(std::memory_order_relaxed);
      add_access(datum, state_for(datum, parent), words[i].mode(), operation, Member{&task, id}, sink);
    }
    if (extras != nullptr) {
      for (AccessWord word : extras->accesses)
        add_access(datum_of(word), state_for(datum_of(word), parent), word.mode(), nullptr, Member{&task, id}, sink);
      if (extras->trees != nullptr) follow_trees(self, task, extras->trees);
      for (const Task& before : extras->after)
        if (before.header() != nullptr) sink.edge({before.header(), before.id().value});
    }
    // Joins and folds took ids of their own, before this task became known to anybody: its id stays the smaller one.
    next_id_.store(std::max(next_id_.load(std::memory_order_relaxed), id) + 1, std::memory_order_relaxed);
    if (parent != nullptr) Domain::of(*parent).open.fetch_add(1, std::memory_order_relaxed);
    if (memory_ != nullptr) [[unlikely]] memory_->submitted(task);
    if (follows_edges_) [[unlikely]] {
      if (virtual_time_ != nullptr) virtual_time_->submitted(task, sink.path_end(), sink.path(), extras);
      if (policy_watches_submissions_ && !(task.traits & (detail::kSignal | detail::kReplay))) tell_policy(self, task);
      self.predecessors.clear();
    }
    const std::int32_t edges = sink.edges();
    // Acquire: predecessors that have finished meanwhile have released what they wrote.
    ready = edges == 0 ||
            task.pending.fetch_sub(kSubmissionGuard - edges, std::memory_order_acq_rel) == kSubmissionGuard - edges;
    // An application thread is worker 0 only as long as the lock says so.
    if (ready && !self.worker_thread) {
      make_ready(self, &task);
      ready = false;
    }
  }
  if (ready) make_ready(self, &task);
  if (self.deferred != nullptr) [[unlikely]] complete_deferred(self);
  return Task(this, &task, TaskId(id));
}

Member TaskEngine::insert_internal(ThreadState& self, TaskHeader* parent, const detail::TaskType& type, Datum* datum,
                                     DependencyState& members, bool for_a_task) {
  TaskRecord& task = *new_record(self, datum == nullptr ? 0 : 1, 0);
  std::atomic_ref(task.parent).store(parent, std::memory_order_relaxed);  // a stale reference may look at it
  task.type = &type;
  task.priority = 0;
  task.kinds = 1;
  task.traits |= detail::kInternal;
  if (memory_ != nullptr) LiveCosts::of(task) = {};
  if (datum != nullptr) {
    task.access_words()[0] = AccessWord(datum, AccessMode::readwrite);
    task.access_words()[0].set_operation(datum->operation_number(members.operation));
  }
  task.where() = SourceLocation{"(inserted by Mitra)", 0};
  task.name() = datum == nullptr ? "join" : "fold";
  // The task under way, if this is for one, has the next id itself.
  const std::uint64_t id = next_id_.load(std::memory_order_relaxed) + (for_a_task ? 1 : 0);
  next_id_.store(for_a_task ? id : id + 1, std::memory_order_relaxed);
  task.id.store(id, std::memory_order_relaxed);
  task.successors.store(detail::generation_of(id), std::memory_order_relaxed);
  task.pending.store(kSubmissionGuard, std::memory_order_relaxed);
  if (parent != nullptr) Domain::of(*parent).open.fetch_add(1, std::memory_order_relaxed);
  EdgeSink sink(*this, self, task);
  std::vector<TaskId> others;  // predecessors of the task under way
  others.swap(self.predecessors);
  for (std::uint32_t i = 0; i < members.count; ++i) sink.edge(members.member(i));
  if (members.count == 0 && members.previous.task != nullptr) sink.edge(members.previous);
  if (follows_edges_) [[unlikely]] {
    if (virtual_time_ != nullptr) virtual_time_->submitted(task, sink.path_end(), sink.path(), nullptr);
    if (policy_watches_submissions_) tell_policy(self, task);
  }
  others.swap(self.predecessors);
  const std::int32_t edges = sink.edges();
  const bool ready =
      edges == 0 || task.pending.fetch_sub(kSubmissionGuard - edges, std::memory_order_acq_rel) == kSubmissionGuard - edges;
  const Member result{&task, id};
  if (ready) make_ready(self, &task);
  return result;
}

namespace {

void run_nothing(TaskHeader&, const detail::ExecutionContext&) {}
constexpr detail::TaskType kJoinType{.launch = {&run_nothing, nullptr}};
constexpr detail::TaskType kFoldType{.launch = {&TaskEngine::run_fold, nullptr}};

}  // namespace

Member EdgeSink::join(DependencyState& members) {
  return engine_.insert_internal(self_, task_.parent, kJoinType, nullptr, members, true);
}

Member EdgeSink::fold(Datum& datum, DependencyState& members) {
  return engine_.insert_internal(self_, task_.parent, kFoldType, &datum, members, true);
}

void EdgeSink::reduction_opened(Datum& datum) {
  auto& open = task_.parent == nullptr ? engine_.open_reductions_ : Domain::of(*task_.parent).open_reductions;
  open.push_back(&datum);
}

/// What was reduced is folded before somebody looks at it who is no task: at the end of a wait, of a parent, of a handle.
void TaskEngine::close_reductions(ThreadState& self, TaskHeader* parent) {
  const auto virtual_lock = lock_virtual_time();
  {
    SubmissionGuard guard(submission_lock_);
    auto& open = parent == nullptr ? open_reductions_ : Domain::of(*parent).open_reductions;
    for (Datum* datum : open) {
      DependencyState& state = state_for(*datum, parent);
      if (state.group != graph::AccessGroup::reduce) continue;  // a later access has had it folded
      const Member fold = insert_internal(self, parent, kFoldType, datum, state, false);
      state.start_group(graph::AccessGroup::exclusive, fold);
    }
    open.clear();
  }
  if (self.deferred != nullptr) complete_deferred(self);
}

}  // namespace mitra::engine
