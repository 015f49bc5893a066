// A task graph as a workload: its tasks with their data, edges, priorities and costs; bodies take their time and do nothing.
// Flow: graph file, recorded run -> [graph workload] -> Runtime::submit. Thread-safety: submission thread.
#pragma once

#include <memory>

#include <mitra/task_graph.hpp>

#include "workloads/workload.hpp"

namespace mitra::workloads {

/// Live, a body keeps its core busy for the task's seconds times `time_scale`; no datum is ever looked at, so none takes
/// memory. The cost of a task is what the graph says of it: flops, bytes, and the seconds on cores and on GPUs, which
/// count where they are given. In virtual time, GPUs run the tasks that a model knows there: by a kernel of the task's name,
/// by its seconds there, or by its flops and bytes on the roofline. verify() makes sure that each task ran once, after all of its predecessors.
/// @param time_scale  0: bodies are empty.
/// @throws ConfigError if time_scale is not a number of at least 0; Error if the graph's indices lead nowhere.
std::unique_ptr<Workload> make_graph_workload(TaskGraph graph, double time_scale = 1.0);

}  // namespace mitra::workloads
