// Task graphs from files: Standard Task Graph, WfFormat 1.5, StarPU's tasks.rec, and Mitra's own.
// Flow: file -> [graph file] -> task graph -> workload, lower bounds. Thread-safety: thread-safe.
#pragma once

#include <string>
#include <string_view>

#include <mitra/task_graph.hpp>

namespace mitra::workloads {

/// docs/graph-files.md says what each of them becomes.
enum class GraphFormat {
  stg,           ///< Standard Task Graph set, `.stg`
  wfformat,      ///< WfFormat 1.5 of WfCommons, `.json`
  starpu_tasks,  ///< StarPU's tasks.rec, `.rec`
  mitra,         ///< Written by MITRA_RECORD_GRAPH, `.mgraph`
};

/// @returns The graph; its name is the file's, its tasks are sorted so that predecessors come first.
/// @throws  Error for a file that cannot be read or is broken: it names the file, the line (in JSON: the element) and the reason.
TaskGraph read_graph_file(const std::string& path);

/// The same for text in memory. @param name  What errors call it, and the graph's name.
TaskGraph read_graph_text(std::string_view text, GraphFormat format, const std::string& name);

/// Chosen by the end of the name, otherwise by the first words.
/// @throws Error if it is none of them; it lists what is known.
GraphFormat graph_format(const std::string& path, std::string_view text);

/// Whether a name ends like that of a graph file: tells it from the name of a workload.
bool is_graph_file_name(std::string_view name);

}  // namespace mitra::workloads
