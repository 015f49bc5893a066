// The graphs of the Standard Task Graph set whose optimal makespans are proven, where the shared data are.
// Flow: optimal.csv, .stg files -> [stg optima] -> tests. Thread-safety: one thread.
#pragma once

#include <fstream>
#include <map>
#include <mitra/task_graph.hpp>
#include <sstream>
#include <string>

#include "support/catch.hpp"
#include "support/shared_data.hpp"
#include "workloads/graph_files/graph_file.hpp"

namespace mitra::test {

/// Calls f(graph, processors, optimum in s) for each of the 320 proven cases; not at all, and says so, where there are no data.
/// @returns Whether there are.
template <class F>
bool for_each_stg_optimum(F&& f) {
  const std::string folder = shared_data("stg");
  if (folder.empty()) return false;
  std::ifstream optima(folder + "/optimal.csv");
  std::string line;
  REQUIRE(std::getline(optima, line));
  std::map<std::string, TaskGraph> graphs;
  std::size_t cases = 0;
  while (std::getline(optima, line)) {
    std::istringstream fields(line);
    std::string file, processors, optimum;
    std::getline(fields, file, ',');
    std::getline(fields, processors, ',');
    std::getline(fields, optimum, ',');
    CAPTURE(file, processors, optimum);
    auto [graph, is_new] = graphs.try_emplace(file);
    if (is_new) graph->second = workloads::read_graph_file(folder + '/' + file);
    f(graph->second, static_cast<unsigned>(std::stoul(processors)), std::stod(optimum));
    ++cases;
  }
  CHECK(graphs.size() == 80);
  CHECK(cases == 320);
  return true;
}

}  // namespace mitra::test
