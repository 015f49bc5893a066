// Partition trees in the engine: parts are registered, accesses to them checked, and transitions put into the graph.
// Flow: Runtime::tiled -> [trees]; submission -> [trees] -> dependency tracker -> ready.
#include "engine/trees.hpp"

#include <algorithm>

#include <mitra/error.hpp>

#include "engine/edge_sink.hpp"
#include "engine/hot_path.hpp"

namespace mitra::engine {

using detail::AccessWord;
using graph::datum_of;
using graph::in_tree;
using graph::Partition;
using graph::TreeLevel;
using graph::TreeLevels;

namespace {

void run_nothing(TaskHeader&, const detail::ExecutionContext&) {}

bool writes(AccessMode mode) { return mode != AccessMode::read && mode != AccessMode::scratch; }

}  // namespace

const detail::TaskType kTransitionType{.launch = {&run_nothing, nullptr}};

// ------------------------------------------------------------------------------------------------ partitions

detail::Parts TaskEngine::partition(detail::DataHeader* header, const detail::PartitionSpec& spec) {
  if (header == nullptr) throw MisuseError("a partition of a handle that has no datum: it is empty or was moved from");
  auto& whole = static_cast<Datum&>(*header);
  if (header->engine != this) throw MisuseError(detail::message("a partition of ", whole.label(), ", whose Runtime has ended"));
  if (spec.rows == 0 || spec.cols == 0)
    throw MisuseError(detail::message("a partition of ", whole.label(), ": a part has at least one row and one column"));
  const auto virtual_lock = lock_virtual_time();
  std::scoped_lock lock(keep_mutex_);
  if (in_tree(whole) && whole.tree->within != nullptr && whole.tree->within->read_only() && !spec.windows)
    throw MisuseError(detail::message(whole.label(), " is a window, and its parts would be written: cut the datum that it is a "
                                      "window of"));
  if (whole.tree == nullptr) {
    whole.tree = std::make_unique<graph::TreeNode>();
    whole.tree->root = &whole;
  }
  Partition* partition = graph::find_partition(whole, spec);
  if (partition == nullptr) {
    Datum& root = *whole.tree->root;
    if (virtual_time_ != nullptr) virtual_time_->check_home(root);
    auto made = graph::make_partition(whole, spec);
    {
      std::scoped_lock root_lock(root.mutex);  // it may be given its memory just now
      for (auto& part : made->parts) {
        part->host = root.host == nullptr ? nullptr : static_cast<std::byte*>(root.host) + part->tree->offset;
        part->engine = this;
      }
    }
    for (auto& part : made->parts) {
      if (graph_recorder_ != nullptr) graph_recorder_->registered(*part, part->name);
      if (virtual_time_ != nullptr) virtual_time_->add_part(*part, root);
      if (memory_ != nullptr) memory_->add_part(*part, root);
    }
    SubmissionGuard guard(submission_lock_);
    partition = whole.tree->partitions.emplace_back(std::move(made)).get();
    whole.root.in_tree.store(true, std::memory_order_release);
    any_trees_.store(true, std::memory_order_release);
  }
  return {graph::share_of(whole), partition->headers.data(), partition->headers.size()};
}

// ------------------------------------------------------------------------------------------------ checks

bool covers(const TaskHeader& parent, const Datum& datum, AccessWord* found) {
  const Datum& root = in_tree(datum) ? *datum.tree->root : datum;
  if (root.registered_in == parent.id.load(std::memory_order_relaxed)) return true;
  for (std::size_t i = 0; i < parent.accesses; ++i) {
    const AccessWord declared = parent.access_words()[i];
    if (declared.mode() == AccessMode::scratch || !graph::lies_in(datum, datum_of(declared))) continue;
    if (found != nullptr) *found = declared;
    return true;
  }
  return false;
}

/// A datum and its part cannot both be current, if one of them is written.
void TaskEngine::check_trees(const TaskHeader& task) const {
  const AccessWord* words = task.access_words();
  for (std::size_t i = 0; i < task.accesses; ++i) {
    if (!writes(words[i].mode()) || !in_tree(datum_of(words[i]))) continue;
    if (const Partition* within = datum_of(words[i]).tree->within; within != nullptr && within->read_only())
      throw MisuseError(detail::message("submit '", task.name(), "': ", datum_of(words[i]).label(), " is accessed with ",
                                        to_string(words[i].mode()), "(), and is a window: windows overlap, and can only be read; "
                                        "write to blocked() or tiled() parts, or to the whole"));
    for (std::size_t j = 0; j < task.accesses; ++j) {
      const Datum &a = datum_of(words[i]), &b = datum_of(words[j]);
      if (words[j].mode() == AccessMode::scratch || !graph::exclude_each_other(a, b)) continue;
      const bool inside = graph::lies_in(a, b) || graph::lies_in(b, a);
      throw MisuseError(detail::message("submit '", task.name(), "': it accesses ", a.label(), " with ", to_string(words[i].mode()),
                                        "() and ", b.label(), " with ", to_string(words[j].mode()), "(), ",
                                        inside ? "of which one lies in the other" : "which belong to different partitions of one datum",
                                        ": only one of the two can be current; access the datum in which both lie, or two parts "
                                        "of one partition"));
    }
  }
}

// ------------------------------------------------------------------------------------------------ domains

TreeLevel& LiveTrees::level(Datum& datum) {
  return parent_ == nullptr ? datum.tree->level : Domain::of(*parent_).levels[&datum];
}

bool LiveTrees::is_fresh(Datum& datum) {
  if (parent_ == nullptr) return datum.root.group == graph::AccessGroup::none && datum.root.previous.task == nullptr;
  // What the parent has lies wherever the parent ran. With one memory, that is where everything lies.
  return !engine_.has_many_memories() && !Domain::of(*parent_).states.contains(&datum);
}

bool LiveTrees::in_scope(Datum& datum) { return parent_ == nullptr || covers(*parent_, datum); }

void LiveTrees::insert(const char* name, std::span<const AccessWord> words) {
  engine_.insert_transition(self_, parent_, priority_, name, words, task_);
}

void LiveTrees::enter_fresh(Datum& whole, Partition& parts, bool stays) {
  if (!engine_.has_many_memories()) return;
  if (engine_.memory_ != nullptr)
    engine_.memory_->enter_fresh(whole, parts.headers, stays);
  else
    engine_.virtual_time_->enter_fresh(whole, parts.headers, stays);
}

// ------------------------------------------------------------------------------------------------ transitions

void TaskEngine::insert_transition(ThreadState& self, TaskHeader* parent, int priority, const char* name,
                                   std::span<const AccessWord> words, const TaskHeader* for_task) {
  TaskRecord& task = *new_record(self, words.size(), 0);
  std::atomic_ref(task.parent).store(parent, std::memory_order_relaxed);  // a stale reference may look at it
  task.type = &kTransitionType;
  task.priority = priority;
  task.kinds = 1;
  task.traits |= detail::kInternal;
  if (memory_ != nullptr) LiveCosts::of(task) = {};
  task.where() = SourceLocation{"(inserted by Mitra)", 0};
  task.name() = name;
  std::ranges::copy(words, task.access_words());
  // The task under way, if this is for one, has the next id itself. What this one inserts takes ids behind its own.
  std::uint64_t id = next_id_.load(std::memory_order_relaxed);
  if (for_task != nullptr) next_id_.store(++id, std::memory_order_relaxed);
  task.id.store(id, std::memory_order_relaxed);
  task.successors.store(detail::generation_of(id), std::memory_order_relaxed);
  task.pending.store(graph::kSubmissionGuard, std::memory_order_relaxed);
  if (parent != nullptr) Domain::of(*parent).open.fetch_add(1, std::memory_order_relaxed);
  EdgeSink sink(*this, self, task);
  std::vector<TaskId> others;  // predecessors of the task under way
  others.swap(self.predecessors);
  for (const AccessWord word : words)
    add_access(datum_of(word), state_for(datum_of(word), parent), word.mode(), nullptr, Member{&task, id}, sink);
  if (for_task == nullptr) next_id_.store(std::max(next_id_.load(std::memory_order_relaxed), id) + 1, std::memory_order_relaxed);
  transitions_.fetch_add(1, std::memory_order_relaxed);
  if (graph_recorder_ != nullptr) graph_recorder_->inserted(task, for_task);
  if (follows_edges_) [[unlikely]] {
    if (virtual_time_ != nullptr) virtual_time_->submitted(task, sink.path_end(), sink.path(), nullptr);
    if (policy_watches_submissions_) tell_policy(self, task);
  }
  others.swap(self.predecessors);
  const std::int32_t edges = sink.edges();
  if (edges == 0 || task.pending.fetch_sub(graph::kSubmissionGuard - edges, std::memory_order_acq_rel) ==
                        graph::kSubmissionGuard - edges)
    make_ready(self, &task);
}

/// Makes current what the task is to access, and stale what it is to overwrite.
void TaskEngine::prepare_trees(ThreadState& self, const TaskHeader& task, const detail::SubmitExtras* extras) {
  LiveTrees live(*this, self, task.parent, task.priority, &task);
  TreeLevels levels(live);
  // Before any access of the task is in the graph. Twice: a fresh datum that the task reads is left for its part, if the task reads that one, too.
  std::size_t concerned = 0;
  for (int pass = 0; pass == 0 || (pass == 1 && concerned > 1); ++pass)
    for (std::size_t i = 0; i < task.accesses; ++i)
      if (const AccessWord word = task.access_words()[i]; in_tree(datum_of(word))) {
        levels.access(datum_of(word), word.mode());
        ++concerned;
      }
  if (extras == nullptr || extras->accesses.empty()) return;
  const auto* trees = static_cast<const RecordedTrees*>(extras->trees);
  if (trees != nullptr)
    for (const auto& [whole, parts] : trees->required) levels.bring_to(*whole, parts);
  for (const AccessWord word : extras->accesses) {
    Datum& datum = datum_of(word);
    if (!in_tree(datum) || datum.tree->partitions.empty()) continue;
    // Cut when the recording had used it already, or after the recording.
    const bool asked = trees != nullptr && std::ranges::any_of(trees->required, [&](const auto& r) { return r.first == &datum; });
    if (!asked) levels.make_whole(datum, false);
  }
}

/// A replay is in the graph: its trees will be where it leaves them.
void TaskEngine::follow_trees(ThreadState& self, const TaskHeader& replay, const void* recorded) {
  LiveTrees live(*this, self, replay.parent, 0, &replay);
  for (const auto& [datum, level] : static_cast<const RecordedTrees*>(recorded)->after)
    if (live.in_scope(*datum)) live.level(*datum) = level;
}

/// The body of `parent` is over: to others, what it declared is as they know it, in one piece.
void TaskEngine::close_trees(ThreadState& self, TaskHeader* parent) {
  if (!has_many_memories()) return;  // its children are over before it is, and nothing has to be moved
  const auto virtual_lock = lock_virtual_time();
  {
    SubmissionGuard guard(submission_lock_);
    auto& known = Domain::of(*parent).levels;
    LiveTrees live(*this, self, parent, parent->priority, nullptr);
    TreeLevels levels(live);
    for (std::size_t i = 0; i < parent->accesses && !known.empty(); ++i)
      if (Datum& datum = datum_of(parent->access_words()[i]); known.contains(&datum)) levels.make_whole(datum, false);
  }
  if (self.deferred != nullptr) complete_deferred(self);
}

bool TaskEngine::has_many_memories() const { return memory_ != nullptr || (virtual_time_ != nullptr && virtual_time_->has_many_memories()); }

}  // namespace mitra::engine
