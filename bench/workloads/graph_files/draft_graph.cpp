// Flow: file formats -> [draft graph] -> task graph.

#include "workloads/graph_files/draft_graph.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include <mitra/error.hpp>

namespace mitra::workloads {

std::uint32_t DraftGraph::add_datum(GraphDatum datum) {
  data_.push_back(std::move(datum));
  return static_cast<std::uint32_t>(data_.size() - 1);
}

void DraftGraph::define(const std::string& id, std::uint32_t number, Place place) {
  if (!numbers_.try_emplace(id, number).second)
    throw Error(describe_(place) + "task " + id + " is there twice; names of tasks are unique");
}

std::uint32_t DraftGraph::add_task(std::string id, GraphTask task, std::uint64_t order, Place place) {
  const auto number = static_cast<std::uint32_t>(tasks_.size());
  define(id, number, place);
  tasks_.push_back({std::move(id), std::move(task), order, place});
  return number;
}

void DraftGraph::add_nothing(std::string id, Place place) { define(id, kNothing, place); }

void DraftGraph::add_edge(std::string before, std::string after, Place place) {
  edges_.push_back({std::move(before), std::move(after), place});
}

std::uint32_t DraftGraph::find(const std::string& id, const char* what, const std::string& other, Place place) const {
  const auto found = numbers_.find(id);
  if (found == numbers_.end()) throw Error(describe_(place) + "unknown " + what + " " + id + " of task " + other);
  return found->second;
}

void DraftGraph::fail_of_cycle(const std::vector<std::vector<std::uint32_t>>& predecessors,
                               const std::vector<std::uint32_t>& position) const {
  // Whoever is left follows somebody who is left: going backwards ends in a circle.
  std::vector<bool> seen(tasks_.size(), false);
  auto at = static_cast<std::uint32_t>(std::ranges::find(position, kNothing) - position.begin());
  const auto step = [&](std::uint32_t from) {
    return *std::ranges::find_if(predecessors[from], [&](std::uint32_t p) { return position[p] == kNothing; });
  };
  while (!seen[at]) {
    seen[at] = true;
    at = step(at);
  }
  std::string circle = tasks_[at].id;
  std::size_t length = 1;
  for (std::uint32_t p = step(at); p != at; p = step(p), ++length)
    if (length < 8) circle = tasks_[p].id + " -> " + circle;
  circle = (length > 8 ? "... -> " : tasks_[at].id + " -> ") + circle;
  throw Error(describe_(tasks_[at].place) + "a cycle of " + std::to_string(length) + " tasks: " + circle);
}

TaskGraph DraftGraph::finish() {
  const std::size_t size = tasks_.size();
  std::vector<std::vector<std::uint32_t>> predecessors(size), successors(size);
  for (const Edge& edge : edges_) {
    const std::uint32_t after = find(edge.after, "successor", edge.before, edge.place);
    const std::uint32_t before = find(edge.before, "predecessor", edge.after, edge.place);
    if (before != kNothing && after != kNothing) predecessors[after].push_back(before);
  }
  std::vector<std::size_t> missing(size);
  using Entry = std::pair<std::uint64_t, std::uint32_t>;  // order, number
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (std::uint32_t t = 0; t < size; ++t) {
    std::ranges::sort(predecessors[t]);
    predecessors[t].erase(std::unique(predecessors[t].begin(), predecessors[t].end()), predecessors[t].end());
    for (const std::uint32_t p : predecessors[t]) successors[p].push_back(t);
    missing[t] = predecessors[t].size();
    if (missing[t] == 0) ready.emplace(tasks_[t].order, t);
  }

  // Kahn, CACM 1962; among ready tasks the smallest order first, so that a sorted file stays as it is.
  TaskGraph graph;
  graph.data = std::move(data_);
  graph.tasks.reserve(size);
  std::vector<std::uint32_t> position(size, kNothing);
  while (!ready.empty()) {
    const std::uint32_t t = ready.top().second;
    ready.pop();
    position[t] = static_cast<std::uint32_t>(graph.tasks.size());
    GraphTask& task = graph.tasks.emplace_back(std::move(tasks_[t].task));
    for (const std::uint32_t p : predecessors[t]) task.after.push_back(position[p]);
    std::ranges::sort(task.after);
    for (const std::uint32_t s : successors[t])
      if (--missing[s] == 0) ready.emplace(tasks_[s].order, s);
  }
  if (graph.tasks.size() != size) fail_of_cycle(predecessors, position);
  return graph;
}

}  // namespace mitra::workloads
