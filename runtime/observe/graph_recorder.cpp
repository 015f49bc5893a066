// Flow: engine -> [graph recorder] -> graph writer -> file.
#include "observe/graph_recorder.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <mitra/error.hpp>
#include <mitra/task_ref.hpp>

#include "observe/graph_writer.hpp"

namespace mitra::observe {

namespace {

constexpr std::uint8_t kNotOfTheApplication = detail::kInternal | detail::kSignal | detail::kReplay;

}  // namespace

GraphRecorder::GraphRecorder(std::string path) : path_(std::move(path)) {
  try {
    check_graph_file(path_);
  } catch (const Error& error) {
    throw ConfigError(detail::message("record_graph: ", error.what(), " (set by MITRA_RECORD_GRAPH)"));
  }
}

void GraphRecorder::registered(const detail::DataHeader& datum, const std::string& name) {
  const detail::Shape& shape = datum.shape;
  std::scoped_lock lock(mutex_);
  numbers_[&datum] = static_cast<std::uint32_t>(data_.size());
  data_.push_back({name, shape.rows, shape.cols, shape.element_size});
}

GraphRecorder::Instance GraphRecorder::instance_of(const detail::TaskHeader& task) {
  if ((task.traits & detail::kRecorded) == 0) return {task.id.load(std::memory_order_relaxed), 0};
  const auto& graph = *reinterpret_cast<const detail::GraphStorage*>(task.parent->block);
  const detail::TaskHeader* replay = graph.running.load(std::memory_order_relaxed);
  return {replay->id.load(std::memory_order_relaxed), static_cast<std::uint32_t>(&task - graph.nodes.get()) + 1};
}

void GraphRecorder::describe(detail::TaskHeader& task, Entry& entry) {
  const TaskRef ref(&task);
  const Work work = ref.work();
  entry.task.name = ref.name();
  entry.task.priority = ref.priority();
  entry.task.flops = work.flops;
  entry.task.bytes = work.bytes;
  entry.task.seconds = work.seconds;  // until it is measured
  entry.task.gpu_seconds = work.gpu_seconds;
  std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < ref.access_count(); ++i)
    entry.task.accesses.push_back({numbers_.at(ref.access(i).header()), ref.access(i).mode()});
}

std::size_t GraphRecorder::submitted(detail::TaskHeader& task, std::span<const Task> after) {
  if (task.traits & kNotOfTheApplication) return kNothing;
  Entry entry;
  describe(task, entry);
  if (task.parent != nullptr) entry.parent = instance_of(*task.parent);
  for (const Task& before : after)
    if (before.id().valid()) entry.after.push_back({before.id().value, 0});
  std::scoped_lock lock(mutex_);
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

void GraphRecorder::inserted(detail::TaskHeader& transition, const detail::TaskHeader* before) {
  Entry entry;
  describe(transition, entry);
  if (transition.parent != nullptr) entry.parent = instance_of(*transition.parent);
  // Its own id is larger than that of the task which follows it.
  entry.self = instance_of(transition);
  std::scoped_lock lock(mutex_);
  if (before != nullptr) entry.self = {before->id.load(std::memory_order_relaxed) - 1, kInserted + inserted_++};
  entries_.push_back(std::move(entry));
}

std::size_t GraphRecorder::replayed(detail::GraphStorage& graph) {
  // By node: the application's tasks that it follows, directly or through tasks that the engine inserted.
  std::vector<std::vector<std::uint32_t>> before(graph.size);
  std::vector<Entry> entries;
  for (std::uint32_t n = 0; n < graph.size; ++n) {
    detail::TaskHeader& node = graph.nodes[n];
    const bool inserted = (node.traits & detail::kInternal) != 0;
    const std::uint64_t range = node.successors.load(std::memory_order_relaxed);
    for (std::uint64_t e = range >> 32, end = e + (range & 0xffffffffU); e != end; ++e) {
      std::vector<std::uint32_t>& list = before[graph.edges[e]];
      if (inserted)
        list.insert(list.end(), before[n].begin(), before[n].end());
      else
        list.push_back(n);
    }
    if (inserted) continue;
    Entry& entry = entries.emplace_back();
    entry.self.node = n + 1;
    entry.is_first_node = entries.size() == 1;
    for (const std::uint32_t p : before[n]) entry.after.push_back({TaskId::kNone, p + 1});  // of the same replay
    describe(node, entry);
  }
  if (entries.empty()) return kNothing;
  std::scoped_lock lock(mutex_);
  const std::size_t first = entries_.size();
  std::ranges::move(entries, std::back_inserter(entries_));
  return first;
}

void GraphRecorder::published(std::size_t entry, TaskId id) {
  if (entry == kNothing) return;
  std::scoped_lock lock(mutex_);
  const bool is_replay = entries_[entry].self.node != 0;
  do {
    entries_[entry].self.id = id.value;
    for (Instance& before : entries_[entry].after)
      if (before.id == TaskId::kNone) before.id = id.value;
    ++entry;
  } while (is_replay && entry < entries_.size() && entries_[entry].self.node != 0 && !entries_[entry].is_first_node);
}

void GraphRecorder::ran(const detail::TaskHeader& task, Seconds seconds) {
  if (task.traits & kNotOfTheApplication) return;
  const Instance instance = instance_of(task);
  std::scoped_lock lock(mutex_);
  seconds_[instance] = std::max(0.0, seconds.value);
}

std::vector<const GraphRecorder::Entry*> GraphRecorder::in_order() const {
  std::vector<std::uint32_t> by_id;
  for (std::uint32_t e = 0; e < entries_.size(); ++e)
    if (entries_[e].self.id != TaskId::kNone) by_id.push_back(e);
  std::ranges::sort(by_id, {}, [&](std::uint32_t e) { return entries_[e].self; });
  std::map<Instance, std::vector<std::uint32_t>> children;
  for (const std::uint32_t e : by_id) children[entries_[e].parent].push_back(e);

  std::vector<const Entry*> order;
  std::vector<std::uint32_t> open;
  const auto open_children = [&](const Instance& parent) {
    const auto found = children.find(parent);
    if (found != children.end()) open.insert(open.end(), found->second.rbegin(), found->second.rend());
  };
  open_children({});
  while (!open.empty()) {
    const std::uint32_t e = open.back();
    open.pop_back();
    order.push_back(&entries_[e]);
    open_children(entries_[e].self);
  }
  return order;
}

TaskGraph GraphRecorder::graph() const {
  std::scoped_lock lock(mutex_);
  const std::vector<const Entry*> order = in_order();
  std::map<Instance, std::uint32_t> place;
  for (std::uint32_t t = 0; t < order.size(); ++t) place.emplace(order[t]->self, t);

  TaskGraph graph;
  constexpr std::uint32_t kUnused = ~std::uint32_t{0};
  std::vector<std::uint32_t> number(data_.size(), kUnused);  // data that nobody accessed are left out
  for (const Entry* entry : order) {
    GraphTask& task = graph.tasks.emplace_back(entry->task);
    if (const auto found = seconds_.find(entry->self); found != seconds_.end()) task.seconds = found->second;
    for (GraphAccess& access : task.accesses) {
      if (number[access.datum] == kUnused) {
        number[access.datum] = static_cast<std::uint32_t>(graph.data.size());
        graph.data.push_back(data_[access.datum]);
      }
      access.datum = number[access.datum];
    }
  }
  const std::vector<std::vector<std::uint32_t>> implied = predecessors_of(graph);
  for (std::uint32_t t = 0; t < order.size(); ++t) {
    std::vector<std::uint32_t>& after = graph.tasks[t].after;
    // A replay stands for all of its nodes.
    for (const Instance& before : order[t]->after)
      for (auto at = place.lower_bound(before); at != place.end() && at->first.id == before.id; ++at) {
        if (before.node != 0 && at->first.node != before.node) break;
        if (before.node == 0 && at->first.node >= kInserted) break;
        // One that comes later is a task of another parent that was over when this one was submitted: it orders nothing.
        if (at->second < t) after.push_back(at->second);
      }
    std::ranges::sort(after);
    after.erase(std::unique(after.begin(), after.end()), after.end());
    if (order[t]->self.node != 0)  // nodes know all of their edges, also those that the accesses imply
      std::erase_if(after, [&](std::uint32_t p) { return std::ranges::binary_search(implied[t], p); });
  }
  return graph;
}

void GraphRecorder::write() const { write_graph_file(graph(), path_); }

}  // namespace mitra::observe
