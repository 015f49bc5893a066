// What each file of formats defines, for graph_file.cpp.
// Flow: graph_file.cpp -> [formats]. Thread-safety: thread-safe.
#pragma once

#include <string>
#include <string_view>

#include <mitra/task_graph.hpp>

namespace mitra::workloads {

TaskGraph read_stg(std::string_view text, const std::string& file);
TaskGraph read_wfformat(std::string_view text, const std::string& file);
TaskGraph read_starpu_tasks(std::string_view text, const std::string& file);
TaskGraph read_mitra_graph(std::string_view text, const std::string& file);

}  // namespace mitra::workloads
