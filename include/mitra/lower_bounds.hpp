// Times and energies that no schedule can beat: what every simulated run is measured against.
// Flow: graph with durations -> [lower bounds] -> reports. Thread-safety: functions of their arguments, thread-safe.
// Link Mitra::bounds (the linear programs are solved by GLPK).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <mitra/task_graph.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// Workers that are equal for the bounds.
struct BoundResource {
  std::string name;
  double workers = 0.0;  ///< Slots: workers x streams. A resource without any runs nothing.
  Watts idle;            ///< Of one slot.
};

/// Tasks that are equal for the bounds: the same duration and power on each resource.
struct BoundGroup {
  std::string name;
  std::uint64_t tasks = 0;
  std::vector<double> seconds;   ///< By resource; infinity: cannot run there.
  std::vector<double> watts;     ///< By resource, while it runs; empty: not known, no more than idle is counted.
  std::vector<double> bytes_in;  ///< By resource: bytes that each task run there adds, at least, to what enters its memories; or empty.
};

/// A way through the graph: how many tasks of each group lie on it.
struct BoundPath {
  std::vector<std::uint64_t> tasks_by_group;
};

/// The graph itself, for bounds that look for their own paths.
struct BoundGraph {
  std::vector<std::uint32_t> group;              ///< By task, in an order in which predecessors come first.
  std::vector<std::uint32_t> first_predecessor;  ///< tasks + 1 offsets into `predecessors`.
  std::vector<std::uint32_t> predecessors;
};

struct BoundProblem {
  std::vector<BoundResource> resources;
  std::vector<BoundGroup> groups;
  std::optional<BoundGraph> graph;  ///< Without it there is no iterated bound, and the critical path has to be given.
  std::optional<BoundPath> critical_path;  ///< A longest path under the shortest durations, if the caller has one.
  double critical_path_seconds = 0.0;      ///< Its length, s; used if there is no graph.
  std::vector<double> bandwidth_in;  ///< By resource, bytes/s into all of its memories together; 0, or empty: no limit.
  Watts constant;                    ///< Drawn whatever happens.
  double power_conversion = 1.0;     ///< Of the power drawn, the part that arrives: above 0, at most 1.
};

struct Bounds {
  Seconds critical_path;  ///< The longest path, each task at its shortest.
  Seconds area;           ///< All work spread over all workers, fractionally (LP).
  Seconds mixed;          ///< Area, and a critical path whose groups that lie wholly on it pay for where they run (LP).
  Seconds transfer;       ///< Area, and the bytes that must enter memories (LP); 0: no data known.
  Seconds iterated;       ///< Mixed, with rows for as many paths as it takes (LP, row generation); 0: no graph given.
  Seconds best;           ///< The largest.
  Joules energy;          ///< No schedule draws less (LP under all of the rows above); 0: no power known.
  unsigned paths = 0;     ///< Rows of the iterated bound.
};

/// @returns  Bounds that hold for every schedule without preemption: values of linear programs are lowered by more than
///           what the solver may be wrong.
/// @throws   Error if the problem contradicts itself, a group can run nowhere, or the solver fails; it names the group.
/// @cost     Linear programs of (groups that have a choice) x resources columns; each path adds as many and one pass over
///           the graph. Groups with one resource to run on cost nothing.
/// @source   Area and mixed bound: Agullo, Beaumont, Eyraud-Dubois, Kumar, IPDPS 2016, https://inria.hal.science/hal-01223573
Bounds lower_bounds(const BoundProblem& problem);

/// A longest path, found by one pass over the graph.
struct LongestPath {
  Seconds length;
  BoundPath path;                    ///< By group.
  std::vector<std::uint32_t> tasks;  ///< On it, in their order.
};

/// @param seconds_by_group  What a task of each group weighs; not negative.
/// @returns The first one of several, by the numbers of the tasks: the same on every run. Without tasks: length 0.
/// @throws  Error if the graph names groups or tasks that there are not, or a predecessor that does not come first.
LongestPath longest_path(const BoundGraph& graph, std::span<const double> seconds_by_group);

/// The problem of a graph on so many equal cores: durations are those of the tasks (GraphTask::seconds), transfers are free.
/// Tasks of equal duration are a group.
/// @throws Error if there are no processors; as predecessors_of() does.
BoundProblem identical_processors(const TaskGraph& graph, std::uint64_t processors);

}  // namespace mitra
