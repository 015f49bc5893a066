// Flow: task graph -> [identical processors] -> lower bounds.
#include <map>
#include <utility>

#include <mitra/error.hpp>
#include <mitra/lower_bounds.hpp>

namespace mitra {

BoundProblem identical_processors(const TaskGraph& graph, std::uint64_t processors) {
  if (processors == 0) throw Error("lower bounds: at least 1 processor is needed");
  BoundProblem problem;
  problem.resources = {{"processors", static_cast<double>(processors), Watts()}};
  BoundGraph& edges = problem.graph.emplace();
  edges.group.reserve(graph.tasks.size());
  edges.first_predecessor.reserve(graph.tasks.size() + 1);
  edges.first_predecessor.push_back(0);

  std::map<double, std::uint32_t> group_of;  // by duration
  const std::vector<std::vector<std::uint32_t>> predecessors = predecessors_of(graph);
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) {
    const GraphTask& task = graph.tasks[t];
    const auto [entry, is_new] = group_of.try_emplace(task.seconds, static_cast<std::uint32_t>(problem.groups.size()));
    if (is_new) problem.groups.push_back({task.name, 0, {task.seconds}, {}, {}});
    ++problem.groups[entry->second].tasks;
    edges.group.push_back(entry->second);
    edges.predecessors.insert(edges.predecessors.end(), predecessors[t].begin(), predecessors[t].end());
    if (edges.predecessors.size() > 0xffffffffU)
      throw Error(detail::message("lower bounds: the graph '", graph.name, "' has more than 2^32 edges"));
    edges.first_predecessor.push_back(static_cast<std::uint32_t>(edges.predecessors.size()));
  }
  return problem;
}

}  // namespace mitra
