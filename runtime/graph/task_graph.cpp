// Which edges a graph's accesses imply: the dependency tracker's rules, for graphs that are data.
// Flow: task graph -> [task graph] -> lower bounds, workloads. Thread-safety: thread-safe.
#include <mitra/task_graph.hpp>

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "graph/datum.hpp"

namespace mitra {

namespace {

/// The end of a datum's history: a group of accesses that need no order among themselves, and the group before it.
struct History {
  graph::AccessGroup group = graph::AccessGroup::none;
  std::vector<std::uint32_t> members, previous;
};

void add_access(History& history, AccessMode mode, std::uint32_t task, std::vector<std::uint32_t>& predecessors) {
  if (mode == AccessMode::scratch) return;
  const graph::AccessGroup group = graph::group_of(mode);
  if (group != history.group || group == graph::AccessGroup::exclusive) {
    history.previous = std::exchange(history.members, {});
    history.group = group;
  }
  history.members.push_back(task);
  predecessors.insert(predecessors.end(), history.previous.begin(), history.previous.end());
}

}  // namespace

std::vector<std::vector<std::uint32_t>> predecessors_of(const TaskGraph& graph) {
  std::vector<std::vector<std::uint32_t>> result(graph.tasks.size());
  std::vector<History> histories(graph.data.size());
  for (std::uint32_t t = 0; t < graph.tasks.size(); ++t) {
    const GraphTask& task = graph.tasks[t];
    std::vector<std::uint32_t>& predecessors = result[t];
    for (const std::uint32_t before : task.after) {
      if (before >= t)
        throw Error(detail::message("task graph '", graph.name, "': task ", t, " ('", task.name, "') comes after task ", before,
                                    ", which is not submitted before it; put predecessors first"));
      predecessors.push_back(before);
    }
    for (const GraphAccess& access : task.accesses) {
      if (access.datum >= histories.size())
        throw Error(detail::message("task graph '", graph.name, "': task ", t, " ('", task.name, "') accesses datum ",
                                    access.datum, ", and there are ", histories.size()));
      add_access(histories[access.datum], access.mode, t, predecessors);
    }
    std::ranges::sort(predecessors);
    predecessors.erase(std::unique(predecessors.begin(), predecessors.end()), predecessors.end());
    std::erase(predecessors, t);  // a datum that the task accesses twice
    predecessors.shrink_to_fit();
  }
  return result;
}

}  // namespace mitra
