// Task graphs as text: Mitra's own format `.mgraph`, described in docs/graph-files.md.
// Flow: graph recorder -> [graph writer] -> file. Thread-safety: thread-safe.
#pragma once

#include <string>

#include <mitra/task_graph.hpp>

namespace mitra::observe {

/// @returns The text; equal graphs give equal texts, and numbers are read back as they were.
/// @throws  Error for a graph that could not be read back: an index that is not there, a time or amount that is not a number
///          of at least 0.
std::string write_graph(const TaskGraph& graph);

/// The same to a file, which is replaced at once: who reads it sees the old content, or all of the new one.
/// @throws Error if the file cannot be written; it says why.
void write_graph_file(const TaskGraph& graph, const std::string& path);

/// Makes sure that write_graph_file() could write there now. @throws Error if not; it says why.
void check_graph_file(const std::string& path);

}  // namespace mitra::observe
