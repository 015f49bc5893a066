// Flow: lower_bounds -> [checked problem] -> work program.
#include "checked_problem.hpp"

#include <algorithm>
#include <cmath>

#include <mitra/error.hpp>

namespace mitra::bounds {

namespace {

/// Larger numbers of seconds, watts or workers are mistakes, and would leave the solver without digits.
bool is_amount(double value) { return value >= 0.0 && value < 1e30; }

}  // namespace

CheckedProblem::CheckedProblem(const BoundProblem& problem) : problem_(problem) {
  check_resources();
  for (const BoundGroup& group : problem.groups) {
    check_group(group);
    std::vector<std::size_t>& places = places_.emplace_back();
    double& shortest = shortest_.emplace_back(0.0);
    for (std::size_t r = 0; r < problem.resources.size(); ++r) {
      if (problem.resources[r].workers == 0.0 || !std::isfinite(group.seconds[r])) continue;
      shortest = places.empty() ? group.seconds[r] : std::min(shortest, group.seconds[r]);
      places.push_back(r);
      if (group.tasks == 0) continue;
      knows_power_ |= !group.watts.empty();
      knows_transfers_ |= !group.bytes_in.empty() && group.bytes_in[r] > 0.0 && !problem.bandwidth_in.empty() && problem.bandwidth_in[r] > 0.0;
    }
    if (group.tasks != 0 && places.empty())
      throw Error(detail::message("lower bounds: no resource runs the group '", group.name, "' of ", group.tasks, " tasks"));
  }
  check_graph();
}

void CheckedProblem::check_resources() {
  for (const BoundResource& resource : problem_.resources) {
    if (!is_amount(resource.workers) || !is_amount(resource.idle.value))
      throw Error(detail::message("lower bounds: resource '", resource.name, "' has ", resource.workers, " workers of ",
                                  resource.idle.value, " W idle; numbers of at least 0 are expected"));
    knows_power_ |= resource.idle > Watts(0.0) && resource.workers > 0.0;
  }
  const std::size_t resources = problem_.resources.size();
  if (!problem_.bandwidth_in.empty() && problem_.bandwidth_in.size() != resources)
    throw Error(detail::message("lower bounds: ", problem_.bandwidth_in.size(), " bandwidths for ", resources, " resources"));
  for (const double bandwidth : problem_.bandwidth_in)
    if (!is_amount(bandwidth)) throw Error(detail::message("lower bounds: a bandwidth of ", bandwidth, " bytes/s"));
  if (!is_amount(problem_.constant.value)) throw Error(detail::message("lower bounds: a constant power of ", problem_.constant.value, " W"));
  if (!(problem_.power_conversion > 0.0 && problem_.power_conversion <= 1.0))
    throw Error(detail::message("lower bounds: power_conversion is above 0 and at most 1, not ", problem_.power_conversion));
  knows_power_ |= problem_.constant > Watts(0.0);
}

void CheckedProblem::check_group(const BoundGroup& group) const {
  const std::size_t resources = problem_.resources.size();
  const auto fits = [&](const std::vector<double>& values) { return values.empty() || values.size() == resources; };
  if (group.seconds.size() != resources || !fits(group.watts) || !fits(group.bytes_in))
    throw Error(detail::message("lower bounds: group '", group.name, "' gives ", group.seconds.size(), " durations, ",
                                group.watts.size(), " powers and ", group.bytes_in.size(), " amounts of bytes for ", resources,
                                " resources"));
  for (const double seconds : group.seconds)
    if (!is_amount(seconds) && !(std::isinf(seconds) && seconds > 0.0))
      throw Error(detail::message("lower bounds: a duration of ", seconds, " s in group '", group.name, "'"));
  for (const auto* values : {&group.watts, &group.bytes_in})
    for (const double value : *values)
      if (!is_amount(value))
        throw Error(detail::message("lower bounds: ", value, values == &group.watts ? " W" : " bytes", " in group '", group.name, "'"));
}

void CheckedProblem::check_graph() const {
  const std::size_t groups = problem_.groups.size();
  if (problem_.graph) {
    std::vector<std::uint64_t> tasks(groups, 0);
    for (const std::uint32_t group : problem_.graph->group)
      if (group < groups) ++tasks[group];  // others: longest_path() tells
    for (std::size_t g = 0; g < groups; ++g)
      if (tasks[g] != problem_.groups[g].tasks)
        throw Error(detail::message("lower bounds: group '", problem_.groups[g].name, "' has ", problem_.groups[g].tasks,
                                    " tasks, and ", tasks[g], " in the graph"));
  }
  if (!is_amount(problem_.critical_path_seconds))
    throw Error(detail::message("lower bounds: a critical path of ", problem_.critical_path_seconds, " s"));
  if (!problem_.critical_path) return;
  const std::vector<std::uint64_t>& path = problem_.critical_path->tasks_by_group;
  if (path.size() != groups) throw Error(detail::message("lower bounds: the critical path counts ", path.size(), " groups of ", groups));
  for (std::size_t g = 0; g < groups; ++g)
    if (path[g] > problem_.groups[g].tasks)
      throw Error(detail::message("lower bounds: the critical path has ", path[g], " tasks of group '", problem_.groups[g].name,
                                  "', which has ", problem_.groups[g].tasks));
}

}  // namespace mitra::bounds
