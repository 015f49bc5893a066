// Lower bounds against proven optima: no bound of any of the 320 cases exceeds the optimum.
#include <filesystem>
#include <fstream>
#include <map>
#include <mitra/lower_bounds.hpp>
#include <sstream>
#include <string>

#include "support/catch.hpp"
#include "support/shared_data.hpp"
#include "workloads/graph_files/graph_file.hpp"

using namespace mitra;

TEST_CASE("bounds never exceed the proven optima of the Standard Task Graph set") {
  const std::string folder = test::shared_data("stg");
  if (folder.empty()) return;
  std::ifstream optima(folder + "/optimal.csv");
  std::string line;
  REQUIRE(std::getline(optima, line));
  std::map<std::string, TaskGraph> graphs;
  std::size_t cases = 0, tight = 0;
  while (std::getline(optima, line)) {
    std::istringstream fields(line);
    std::string file, processors, optimum;
    std::getline(fields, file, ',');
    std::getline(fields, processors, ',');
    std::getline(fields, optimum, ',');
    CAPTURE(file, processors, optimum);
    auto [graph, is_new] = graphs.try_emplace(file);
    if (is_new) graph->second = workloads::read_graph_file(folder + '/' + file);
    const double proven = std::stod(optimum);
    const Bounds bounds = lower_bounds(identical_processors(graph->second, std::stoul(processors)));
    CHECK(bounds.area.value <= proven);
    CHECK(bounds.critical_path.value <= proven);
    CHECK(bounds.iterated.value <= proven);
    CHECK(bounds.best.value <= proven);
    CHECK(bounds.best >= bounds.critical_path);
    ++cases;
    tight += bounds.best.value > proven - 1.0 ? 1 : 0;  // durations are whole numbers
  }
  CHECK(graphs.size() == 80);
  CHECK(cases == 320);
  CHECK(tight > 250);  // so the graphs were read as they are: most of these optima are known by their bounds
}
