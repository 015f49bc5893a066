// Flow: lower bounds -> [longest path].
#include <algorithm>
#include <limits>

#include <mitra/error.hpp>
#include <mitra/lower_bounds.hpp>

namespace mitra {

LongestPath longest_path(const BoundGraph& graph, std::span<const double> seconds_by_group) {
  const std::size_t size = graph.group.size();
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  if (size >= kNone) throw Error(detail::message("longest path: a graph has fewer than 2^32 tasks, not ", size));
  if (graph.first_predecessor.size() != size + 1 || graph.first_predecessor.front() != 0 ||
      graph.first_predecessor.back() != graph.predecessors.size())
    throw Error(detail::message("longest path: the offsets of predecessors of ", size, " tasks are ", size + 1,
                                " numbers from 0 to ", graph.predecessors.size()));
  std::vector<double> end(size);                   // the longest way that ends with the task
  std::vector<std::uint32_t> before(size, kNone);  // the task before it on that way
  std::uint32_t last = kNone;
  for (std::uint32_t t = 0; t < size; ++t) {
    if (graph.group[t] >= seconds_by_group.size())
      throw Error(detail::message("longest path: task ", t, " is of group ", graph.group[t], ", and there are ",
                                  seconds_by_group.size(), " groups"));
    if (graph.first_predecessor[t] > graph.first_predecessor[t + 1] || graph.first_predecessor[t + 1] > graph.predecessors.size())
      throw Error(detail::message("longest path: the offsets of predecessors do not grow at task ", t));
    double start = 0.0;
    for (std::uint32_t e = graph.first_predecessor[t]; e != graph.first_predecessor[t + 1]; ++e) {
      const std::uint32_t p = graph.predecessors[e];
      if (p >= t) throw Error(detail::message("longest path: task ", t, " follows task ", p, ", which does not come before it"));
      if (before[t] == kNone || end[p] > start) {
        start = end[p];
        before[t] = p;
      }
    }
    end[t] = start + seconds_by_group[graph.group[t]];
    if (last == kNone || end[t] > end[last]) last = t;
  }

  LongestPath result;
  result.path.tasks_by_group.assign(seconds_by_group.size(), 0);
  if (last == kNone) return result;
  result.length = Seconds(end[last]);
  for (std::uint32_t t = last; t != kNone; t = before[t]) {
    result.tasks.push_back(t);
    ++result.path.tasks_by_group[graph.group[t]];
  }
  std::ranges::reverse(result.tasks);
  return result;
}

}  // namespace mitra
