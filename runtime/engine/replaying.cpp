// Recorded graphs: taking submissions, and running them again from counters alone.
// Flow: Runtime::record -> recorder; Runtime::replay -> [replaying] -> policy -> worker.
//
// A replay is one task in the dependency graph of its Runtime, with the accesses of the whole graph. When it is ready its
// roots go to the policy; a node's last predecessor makes it ready; when all nodes are done, the task completes.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/recorder.hpp"

namespace mitra::engine {

using detail::GraphStorage;

namespace {

/// Roots handed out at a time: a worker that finds nothing else takes some, so that starting a wide graph is shared work.
constexpr std::size_t kRootBatch = 64;

struct ReplayClosure {
  std::shared_ptr<GraphStorage> graph;
};

void replays_do_not_run(TaskHeader&, const detail::ExecutionContext&) {}
void destroy_replay(TaskHeader& task) noexcept {
  std::destroy_at(std::launder(reinterpret_cast<ReplayClosure*>(task.closure())));
}
constexpr detail::TaskType kReplayType{.launch = {&replays_do_not_run, nullptr}, .destroy = &destroy_replay};

GraphStorage& recorded_graph_of(const TaskHeader& replay) {
  return *std::launder(reinterpret_cast<const ReplayClosure*>(replay.closure()))->graph;
}

}  // namespace

// ------------------------------------------------------------------------------------------------ recording

void TaskEngine::begin_recording() {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("record() inside of record(): one graph is recorded at a time by a thread");
  static constexpr detail::TaskType fold_type{.launch = {&TaskEngine::run_fold, nullptr}};
  self.recorder = std::make_unique<Recorder>(serial_, recordings_.fetch_add(1, std::memory_order_relaxed), fold_type);
}

std::shared_ptr<GraphStorage> TaskEngine::end_recording() {
  ThreadState& self = thread_state();
  const std::unique_ptr<Recorder> recorder = std::move(self.recorder);
  std::shared_ptr<GraphStorage> graph = recorder->finish();
  return graph;
}

void TaskEngine::discard_recording() noexcept { thread_state().recorder.reset(); }

Task TaskEngine::record_commit(ThreadState& self, TaskHeader* task, const detail::SubmitExtras* extras) {
  try {
    validate(*task, extras);
    if (extras != nullptr)
      for (const Task& before : extras->after)
        if (before.id().valid() && !self.recorder->is_mine(before.id()))
          throw MisuseError(detail::message("record: '", task->name(),
                                            "' names a task in .after that is not of the same recording; order the replay by data"));
  } catch (...) {
    self.recorder->drop_last(true);
    throw;
  }
  SubmissionGuard guard(submission_lock_);  // another thread may cut a datum just now
  return Task(this, nullptr, self.recorder->task_id(self.recorder->add(extras)));
}

// ------------------------------------------------------------------------------------------------ replay

Task TaskEngine::replay(const std::shared_ptr<GraphStorage>& graph, SourceLocation where) {
  ThreadState& self = thread_state();
  if (self.recorder != nullptr) throw MisuseError("replay() while a graph is being recorded: a graph holds tasks, not graphs");
  if (graph == nullptr) throw MisuseError("replay: the graph is empty: it was never recorded, or was moved from");
  if (graph->engine_serial != serial_) throw MisuseError("replay: the graph was recorded with another Runtime");
  auto& task = *static_cast<TaskRecord*>(begin(0, sizeof(ReplayClosure)));  // its accesses stay in the graph
  task.type = &kReplayType;
  task.priority = 0;
  task.kinds = 1;
  task.traits |= detail::kReplay;
  task.where() = where;
  task.name() = "replay";
  ::new (task.closure()) ReplayClosure{graph};
  const auto virtual_lock = lock_virtual_time();
  std::size_t entry = 0;
  try {
    if (virtual_time_ != nullptr) prepare_nodes(*graph);
    if (memory_ != nullptr && graph->beside == nullptr) graph->beside = std::make_unique<std::byte[]>(graph->size * sizeof(LiveTask));
    if (graph_recorder_ != nullptr) entry = graph_recorder_->replayed(*graph);
  } catch (...) {
    destroy_replay(task);
    free_record(self, &task);
    throw;
  }
  // Two replays of one graph share its counters: the second follows the first, also where the data do not say so.
  std::scoped_lock lock(replay_order_mutex_);
  replayed_tasks_.fetch_add(graph->application_tasks, std::memory_order_relaxed);
  const Task previous = graph->last_replay;
  const detail::SubmitExtras extras{{&previous, 1}, {}, graph->accesses, graph->trees.get()};
  graph->last_replay = commit(&task, &extras);
  if (graph_recorder_ != nullptr) graph_recorder_->published(entry, graph->last_replay.id());
  return graph->last_replay;
}

/// Are there transitions among its nodes?
bool TaskEngine::moves_trees(const TaskHeader& replay) { return recorded_graph_of(replay).trees != nullptr; }

/// Of one that is cancelled, the nodes are, too: what is left of them are the transitions between the levels of trees.
void TaskEngine::start_replay(ThreadState& self, TaskHeader* task) {
  GraphStorage& graph = recorded_graph_of(*task);
  const bool cancelled = is_cancelled(*task);
  graph.running.store(task, std::memory_order_relaxed);
  graph.done.store(0, std::memory_order_relaxed);
  graph.next_root.store(0, std::memory_order_relaxed);
  if (cancelled || graph.poisoned.load(std::memory_order_relaxed)) {
    for (auto& flag : graph.cancelled) flag.store(cancelled, std::memory_order_relaxed);
    graph.poisoned.store(cancelled, std::memory_order_relaxed);
  }
  if (follows_edges_) follow_nodes(self, graph, *task);
  if (graph.size == 0) {
    task->link = self.deferred;
    self.deferred = task;
    return;
  }
  if (!policy_concurrent_ || virtual_time_ != nullptr || graph.roots.size() <= kRootBatch) {  // such a policy orders all roots, not the first ones
    graph.next_root.store(graph.roots.size(), std::memory_order_relaxed);
    for (std::uint32_t root : graph.roots) make_ready(self, &graph.nodes[root]);
    return;
  }
  {
    std::scoped_lock lock(replays_mutex_);
    replays_.push_back(&graph);
    replays_running_.fetch_add(1, std::memory_order_release);
  }
  parking_.wake_for_work();
}

/// In virtual time: what the nodes cost, and where they can run.
void TaskEngine::prepare_nodes(GraphStorage& graph) {
  if (graph.beside == nullptr) graph.beside = std::make_unique<std::byte[]>(graph.size * sizeof(VirtualTask));
  for (std::size_t i = 0; i < graph.size; ++i)
    if (!(graph.nodes[i].traits & detail::kInternal)) virtual_time_->prepare(graph.nodes[i]);
}

/// Tells of the nodes as if they were submitted now: the policy that looks ahead, and the books of the longest path.
void TaskEngine::follow_nodes(ThreadState& self, GraphStorage& graph, const TaskHeader& replay) {
  struct Path {
    double end;
    std::uint32_t number;
  };
  Path start{0.0, 0};
  if (virtual_time_ != nullptr) start = {virtual_time_->of(replay).path_end, virtual_time_->of(replay).path};
  std::vector<Path> longest(virtual_time_ != nullptr ? graph.size : 0, start);
  std::vector<std::vector<TaskId>> predecessors(policy_watches_submissions_ ? graph.size : 0);
  for (std::size_t i = 0; i < graph.size; ++i) {
    TaskHeader& node = graph.nodes[i];
    if (virtual_time_ != nullptr) virtual_time_->submitted(node, longest[i].end, longest[i].number, nullptr);
    if (policy_watches_submissions_) {
      self.predecessors.swap(predecessors[i]);
      tell_policy(self, node);
      self.predecessors.clear();
    }
    const std::uint64_t range = node.successors.load(std::memory_order_relaxed);
    for (std::uint64_t e = range >> 32, end = e + (range & 0xffffffffU); e != end; ++e) {
      const std::uint32_t successor = graph.edges[e];
      if (policy_watches_submissions_) predecessors[successor].push_back(TaskId(node.id.load(std::memory_order_relaxed)));
      if (virtual_time_ == nullptr) continue;
      const VirtualTask& mine = virtual_time_->of(node);
      if (mine.path_end > longest[successor].end) longest[successor] = {mine.path_end, mine.path};
    }
  }
}

bool TaskEngine::claim_roots(ThreadState& self) {
  if (!self.context.worker.valid()) return false;
  std::scoped_lock lock(replays_mutex_);
  if (replays_.empty()) return false;
  GraphStorage& graph = *replays_.front();
  const std::size_t first = graph.next_root.load(std::memory_order_relaxed);
  const std::size_t last = std::min(first + kRootBatch, graph.roots.size());
  graph.next_root.store(last, std::memory_order_relaxed);
  if (last == graph.roots.size()) {  // before the roots below: with the last of them the graph may be over, and gone
    replays_.erase(replays_.begin());
    replays_running_.fetch_sub(1, std::memory_order_relaxed);
  }
  TaskHeader* const nodes = graph.nodes.get();
  const std::uint32_t* const roots = graph.roots.data();
  // The graph lives on at least until this thread has handed over the last root of its batch.
  for (std::size_t i = first; i < last; ++i) make_ready(self, &nodes[roots[i]]);
  return true;
}

TaskHeader* TaskEngine::execute_nodes(ThreadState& self, TaskHeader* node) {
  GraphStorage& graph = graph_of(*node);
  if (self.replay != &graph) {
    flush_replay(self);
    self.replay = &graph;
  }
  constexpr std::uint8_t kSpecial = detail::kCommutes | detail::kPrivate | detail::kParent;
  const bool plain = config_.watchdog <= Seconds(0.0) && !policy_watches_completions_ && graph_recorder_ == nullptr;
  TaskHeader* const nodes = graph.nodes.get();
  const std::uint32_t* const edges = graph.edges.data();
  TaskHeader* const below = self.context.task;
  const WorkerId worker = self.context.worker;
  std::uint64_t executed = 0;
  auto count = [&] {
    self.context.task = below;
    self.executed.store(self.executed.load(std::memory_order_relaxed) + executed, std::memory_order_relaxed);
  };
  for (;;) {
    bool poisoned = graph.poisoned.load(std::memory_order_relaxed) &&
                    graph.cancelled[static_cast<std::size_t>(node - nodes)].load(std::memory_order_relaxed);
    if (!poisoned) {
      self.context.task = node;
      ++executed;
      if (!plain) self.running.store(node, std::memory_order_release);
      const Seconds start = plain ? Seconds(0.0) : driver_->now();
      const Seconds inner = plain ? Seconds(0.0) : std::exchange(self.inner, Seconds(0.0));
      try {
        node->type->launch[0](*node, self.context);
      } catch (...) {
        fail(node, std::current_exception());
        poisoned = true;
      }
      if (!plain) {
        self.running.store(below, std::memory_order_release);
        if (graph_recorder_ != nullptr) note_duration(self, *node, start, inner);
        if (policy_watches_completions_) {
          const Measured measured{worker, start, driver_->now() - start};
          const PolicyGuard guard(*this);
          policy_->finished(TaskRef(node), measured, self.view);
        }
      }
    }
    if (poisoned || (node->traits & kSpecial) != 0 || self.replay != &graph) [[unlikely]] {
      // A nested wait may have run nodes of other graphs in between.
      count();
      if (self.replay != &graph) {
        flush_replay(self);
        self.replay = &graph;
      }
      return finish(self, node, poisoned);
    }
    // The fast path: counters, and the first ready successor runs next. `done` is counted when this worker runs dry.
    ++self.replay_done;
    const std::uint64_t range = node->successors.load(std::memory_order_relaxed);
    const std::uint32_t* const first = edges + (range >> 32);
    const std::uint32_t* const last = first + (range & 0xffffffffU);
    TaskHeader* next = nullptr;
    for (const std::uint32_t* edge = first; edge != last; ++edge) {
      TaskHeader* successor = &nodes[*edge];
      // As in release_successor: with 1 left nobody else looks at the counter. It is set for the next replay at once.
      if (successor->pending.load(std::memory_order_acquire) != 1 &&
          successor->pending.fetch_sub(1, std::memory_order_acq_rel) != 1)
        continue;
      if (successor->index != 1) successor->pending.store(static_cast<std::int32_t>(successor->index), std::memory_order_relaxed);
      if ((next == nullptr || successor->priority > next->priority) && !(successor->traits & detail::kCommutes) &&
          runs_next(self, successor)) {
        if (next != nullptr) hand_to_policy(self, next);
        next = successor;
      } else {
        make_ready(self, successor);
      }
    }
    if (next == nullptr) {
      count();
      return nullptr;
    }
    node = next;
  }
}

/// The long way: of a node that failed, was cancelled, held something, or had children.
TaskHeader* TaskEngine::finish_node(ThreadState& self, TaskHeader* node, bool poisoned) {
  GraphStorage& graph = graph_of(*node);
  TaskHeader* const nodes = graph.nodes.get();
  const std::uint64_t range = node->successors.load(std::memory_order_relaxed);
  for (std::uint64_t e = range >> 32, end = e + (range & 0xffffffffU); e != end; ++e) {
    const std::uint32_t number = graph.edges[e];
    TaskHeader* successor = &nodes[number];
    if (poisoned) {
      graph.cancelled[number].store(true, std::memory_order_relaxed);  // ordered by the decrement below
      graph.poisoned.store(true, std::memory_order_relaxed);
    }
    if (successor->pending.fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
    successor->pending.store(static_cast<std::int32_t>(successor->index), std::memory_order_relaxed);
    make_ready(self, successor);
  }
  node_done(self, graph, 1);
  return nullptr;
}

void TaskEngine::flush_replay(ThreadState& self) {
  const std::uint64_t count = std::exchange(self.replay_done, 0);
  if (count != 0) node_done(self, *self.replay, count);
  self.replay = nullptr;
}

void TaskEngine::node_done(ThreadState& self, GraphStorage& graph, std::uint64_t count) {
  TaskHeader* const task = graph.running.load(std::memory_order_relaxed);
  // After this addition the graph may be over, unless it is this thread that ends it.
  const std::size_t size = graph.size;
  if (graph.done.fetch_add(count, std::memory_order_acq_rel) + count != size) return;
  const bool cancelled = is_cancelled(*task), failed = graph.failed.exchange(false, std::memory_order_relaxed);
  if (TaskHeader* next = complete(self, task, failed || cancelled)) hand_to_policy(self, next);
  if (self.deferred != nullptr) complete_deferred(self);
}

}  // namespace mitra::engine
