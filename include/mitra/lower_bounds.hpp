// Times and energies that no schedule can beat: what every simulated run is measured against.
// Flow: graph with durations -> [lower bounds] -> reports. Thread-safety: functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <mitra/types.hpp>

namespace mitra {

/// Workers that are equal for the bounds.
struct BoundResource {
  std::string name;
  double workers = 0.0;         ///< Slots: workers x streams.
  Watts idle;                   ///< Of one worker.
};

/// Tasks that are equal for the bounds: the same duration and power on each resource.
struct BoundGroup {
  std::string name;
  std::uint64_t tasks = 0;
  std::vector<double> seconds;  ///< By resource; infinity: cannot run there.
  std::vector<double> watts;    ///< By resource, while it runs; may be empty.
  /// By resource: bytes that each such task adds, at least, to what enters the memories of that resource. @see transfer bound
  std::vector<double> bytes_in;
};

/// A way through the graph: how many tasks of each group lie on it.
struct BoundPath {
  std::vector<std::uint64_t> tasks_by_group;
};

/// The graph itself, for bounds that look for their own paths.
struct BoundGraph {
  std::vector<std::uint32_t> group;             ///< By task, in an order in which predecessors come first.
  std::vector<std::uint32_t> first_predecessor; ///< tasks + 1 offsets into `predecessors`.
  std::vector<std::uint32_t> predecessors;
};

struct BoundProblem {
  std::vector<BoundResource> resources;
  std::vector<BoundGroup> groups;
  std::optional<BoundGraph> graph;   ///< Without it: no iterated bound, and the critical path has to be given.
  std::optional<BoundPath> critical_path;  ///< A longest path under the shortest durations, if the caller has one.
  double critical_path_seconds = 0.0;      ///< Its length; used if there is no graph.
  std::vector<double> bandwidth_in;  ///< By resource, bytes/s into all of its memories together; 0: no limit.
  Watts constant;                    ///< Drawn whatever happens.
  double power_conversion = 1.0;
};

struct Bounds {
  Seconds critical_path;  ///< The longest path, each task at its shortest.
  Seconds area;           ///< All work spread over all workers, fractionally (LP).
  Seconds mixed;          ///< Area, and a critical path whose groups lie wholly on it pays for where they run (LP).
  Seconds transfer;       ///< Area, and the bytes that must enter memories (LP); 0: no data known.
  Seconds iterated;       ///< Mixed, with rows for as many paths as it takes (LP, row generation); 0: no graph given.
  Seconds best;           ///< The largest.
  Joules energy;          ///< No schedule draws less (LP); 0: no power known.
};

/// @throws Error if a group can run nowhere, or the solver fails.
Bounds lower_bounds(const BoundProblem& problem);

}  // namespace mitra
