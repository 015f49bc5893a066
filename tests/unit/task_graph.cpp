// Edges that the accesses of a graph imply: the table in access.hpp, case by case, and against the graph that runs.
#include <mitra/error.hpp>
#include <mitra/task_graph.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace mitra;

namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

/// Tasks that access one datum each, in these modes.
TaskGraph on_one_datum(std::initializer_list<AccessMode> modes) {
  TaskGraph graph;
  graph.data = {{"x", 1, 1, 8}};
  for (const AccessMode mode : modes) graph.tasks.push_back({.name = "task", .accesses = {{0, mode}}});
  return graph;
}

}  // namespace

TEST_CASE("pairs of accesses imply edges as the table says") {
  using enum AccessMode;
  constexpr AccessMode kModes[] = {read, write, readwrite, commute, reduce, scratch};
  //                        read   write  rw     comm.  reduce scratch   second, by first
  constexpr bool kOrder[6][6] = {{false, true, true, true, true, false},     // read
                                 {true, true, true, true, true, false},      // write
                                 {true, true, true, true, true, false},      // readwrite
                                 {true, true, true, false, true, false},     // commute: exclusion, no order
                                 {true, true, true, true, false, false},     // reduce
                                 {false, false, false, false, false, false}};
  for (std::size_t first = 0; first < 6; ++first)
    for (std::size_t second = 0; second < 6; ++second) {
      CAPTURE(to_string(kModes[first]), to_string(kModes[second]));
      const Edges expected = {{}, kOrder[first][second] ? std::vector<std::uint32_t>{0} : std::vector<std::uint32_t>{}};
      CHECK(predecessors_of(on_one_datum({kModes[first], kModes[second]})) == expected);
    }
}

TEST_CASE("a group of accesses follows the whole group before it") {
  using enum AccessMode;
  CHECK(predecessors_of(on_one_datum({write, read, read, scratch, write, read})) == Edges{{}, {0}, {0}, {}, {1, 2}, {4}});
  CHECK(predecessors_of(on_one_datum({commute, commute, read, read, commute})) == Edges{{}, {}, {0, 1}, {0, 1}, {2, 3}});
  CHECK(predecessors_of(on_one_datum({read, reduce, reduce, read})) == Edges{{}, {0}, {0}, {1, 2}});
}

TEST_CASE("a task that accesses a datum twice does not follow itself") {
  TaskGraph graph = on_one_datum({AccessMode::write, AccessMode::read, AccessMode::read});
  graph.tasks[1].accesses = {{0, AccessMode::read}, {0, AccessMode::write}};
  CHECK(predecessors_of(graph) == Edges{{}, {0}, {1}});
  graph.tasks[1].accesses = {{0, AccessMode::readwrite}, {0, AccessMode::read}};
  CHECK(predecessors_of(graph) == Edges{{}, {0}, {1}});
}

TEST_CASE("explicit edges join the implied ones, each once and in order") {
  TaskGraph graph;
  graph.data = {{"x", 1, 1, 8}, {"y", 1, 1, 8}};
  graph.tasks = {{.name = "a", .accesses = {{0, AccessMode::write}}},
                 {.name = "b", .accesses = {{1, AccessMode::write}}},
                 {.name = "c", .after = {}},
                 {.name = "d", .after = {2, 0, 2}, .accesses = {{1, AccessMode::read}, {0, AccessMode::read}}}};
  CHECK(predecessors_of(graph) == Edges{{}, {}, {}, {0, 1, 2}});
}

TEST_CASE("graphs whose indices lead nowhere are refused") {
  TaskGraph graph = on_one_datum({AccessMode::write, AccessMode::read});
  graph.name = std::string("g");
  graph.tasks[1].accesses[0].datum = 1;
  CHECK_THROWS_WITH(predecessors_of(graph), test::contains("task graph 'g': task 1 ('task') accesses datum 1, and there are 1"));
  graph.tasks[1].accesses.clear();
  graph.tasks[1].after = {1};
  CHECK_THROWS_WITH(predecessors_of(graph), test::contains("comes after task 1, which is not submitted before it"));
}
