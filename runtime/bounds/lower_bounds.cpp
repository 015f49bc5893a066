// Critical path, area, mixed, transfer and iterated bounds, and the energy below which no schedule can stay.
// Area and mixed: Agullo, Beaumont, Eyraud-Dubois, Kumar, "Are Static Schedules so Bad?", IPDPS 2016. The iterated bound
// carries the idea on: rows for further paths, as the fractional solution violates them.
// Flow: graph with durations -> [lower bounds] -> reports.
#include <mitra/lower_bounds.hpp>

#include <algorithm>
#include <optional>

#include "checked_problem.hpp"
#include "work_program.hpp"

namespace mitra {

namespace {

using bounds::CheckedProblem;
using bounds::WorkProgram;

/// The solver answers to 1e-9 in every row: a bound gives away ten times as much, and stays a bound.
constexpr double kLowered = 1.0 - 1e-8;
constexpr unsigned kMostPaths = 50;
/// Weights that are tried for a path whose row is violated, before the rows are taken to be complete.
constexpr int kSearches = 4;

double length_of(const BoundPath& path, const std::vector<double>& seconds) {
  double sum = 0.0;
  for (std::size_t g = 0; g < seconds.size(); ++g) sum += static_cast<double>(path.tasks_by_group[g]) * seconds[g];
  return sum;
}

/// A path whose row the last solution violates: the longest one under the average durations, and if the path could do with
/// the faster places, the longest one under what it would pay there.
std::optional<BoundPath> violated_path(const WorkProgram& program, const BoundGraph& graph, double makespan) {
  const double limit = makespan * (1.0 + 1e-7);
  std::vector<double> weights = program.average_seconds();
  for (int search = 0; search < kSearches; ++search) {
    LongestPath longest = longest_path(graph, weights);
    // Under the averages this proves that no row is left: no path pays more than the averages of its tasks.
    if (longest.length.value <= limit) return std::nullopt;
    double length = 0.0;
    weights = program.cheapest_on_path(longest.path, length);
    if (length > limit) return std::move(longest.path);
  }
  return std::nullopt;
}

/// Adds paths until none is violated. @returns The makespan of the last solution.
Seconds iterate(WorkProgram& program, const BoundGraph& graph, const BoundPath& critical_path, unsigned& paths) {
  program.add_path(critical_path);
  paths = 1;
  Seconds makespan = program.minimise_time();
  while (paths < kMostPaths) {
    const std::optional<BoundPath> path = violated_path(program, graph, makespan.value);
    if (!path) break;
    program.add_path(*path);
    ++paths;
    makespan = program.minimise_time();
  }
  return makespan;
}

/// A time near the makespan: no part of the program is far from 1 then.
double scale_of(const CheckedProblem& problem, double critical_path) {
  double work = 0.0, workers = 0.0;
  for (std::size_t g = 0; g < problem->groups.size(); ++g)
    work += static_cast<double>(problem->groups[g].tasks) * problem.shortest()[g];
  for (const BoundResource& resource : problem->resources) workers += resource.workers;
  return std::max(critical_path, workers > 0.0 ? work / workers : 0.0);
}

}  // namespace

Bounds lower_bounds(const BoundProblem& given) {
  const CheckedProblem problem(given);
  Bounds result;

  BoundPath path;
  if (given.graph) {
    LongestPath longest = longest_path(*given.graph, problem.shortest());
    result.critical_path = longest.length;
    path = given.critical_path ? *given.critical_path : std::move(longest.path);
  } else if (given.critical_path) {
    path = *given.critical_path;
    result.critical_path = std::max(Seconds(given.critical_path_seconds), Seconds(length_of(path, problem.shortest())));
  } else {
    // Nothing is known of edges: one task alone is a path.
    path.tasks_by_group.assign(given.groups.size(), 0);
    result.critical_path = Seconds(given.critical_path_seconds);
    for (std::size_t g = 0; g < given.groups.size(); ++g)
      if (given.groups[g].tasks != 0) result.critical_path = std::max(result.critical_path, Seconds(problem.shortest()[g]));
  }
  const double scale = scale_of(problem, result.critical_path.value);
  if (scale == 0.0) return result;  // every task takes no time

  WorkProgram area(problem, scale);
  area.minimise_time();
  result.area = area.proven_area();

  WorkProgram mixed(problem, scale);
  mixed.add_mixed_path(path);
  result.mixed = std::max({mixed.minimise_time() * kLowered, result.area, result.critical_path});

  if (problem.knows_transfers()) {
    area.add_transfers();
    result.transfer = std::max(area.minimise_time() * kLowered, result.area);
  }
  std::optional<WorkProgram> all;
  if (given.graph) {
    all.emplace(problem, scale);
    result.iterated = std::max(iterate(*all, *given.graph, path, result.paths) * kLowered, result.mixed);
  }
  result.best = std::max({result.mixed, result.transfer, result.iterated});

  if (problem.knows_power()) {
    WorkProgram& program = all ? *all : mixed;
    program.add_transfers();
    result.energy = program.minimise_energy() * kLowered / given.power_conversion;
  }
  return result;
}

}  // namespace mitra
