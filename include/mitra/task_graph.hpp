// A task graph as data: read from a file, written by a run, handed to the bounds. No bodies, no handles.
// Flow: graph files, recorded runs -> [task graph] -> workloads, lower bounds. Thread-safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// A piece of data that tasks of a graph touch.
struct GraphDatum {
  std::string name;
  std::size_t rows = 0, cols = 1, element_size = 1;  ///< Bytes: their product.
};

struct GraphAccess {
  std::uint32_t datum = 0;  ///< Index into TaskGraph::data
  AccessMode mode = AccessMode::read;
};

struct GraphTask {
  std::string name;                    ///< The codelet.
  std::int32_t priority = 0;
  std::vector<std::uint32_t> after{};  ///< Explicit predecessors: smaller indices than its own.
  std::vector<GraphAccess> accesses{}; ///< In submission order these imply further edges.
  double flops = 0.0, bytes = 0.0;     ///< 0: not said.
  double seconds = 0.0;                ///< Measured or given, on a core; 0: not said.
  double gpu_seconds = 0.0;            ///< On a GPU; 0: not said.
};

/// Tasks in submission order: every predecessor comes before its successors.
struct TaskGraph {
  std::string name;
  std::vector<GraphDatum> data;
  std::vector<GraphTask> tasks;
};

/// @returns By task, the tasks that it waits for: the explicit ones, and those which the accesses imply, as the table in
///          access.hpp says. Each once, in ascending order. What an edge through other tasks says already may be left out.
///          Commuting accesses exclude each other, and reductions to one datum join: neither is an edge.
/// @throws  Error for an access to a datum that there is not, or a predecessor that does not come first.
/// @thread  thread-safe
/// @cost    O(accesses + edges); many commuting tasks before many readers make an edge for each pair.
std::vector<std::vector<std::uint32_t>> predecessors_of(const TaskGraph& graph);

}  // namespace mitra
