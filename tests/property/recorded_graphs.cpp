// Random programs, recorded and replayed: each replay does what submitting the program again would do.
#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

/// Records the program and replays it. @returns What went wrong; nothing if nothing did.
std::string problems_of(Runtime& rt, const Program& program, bool wait_between) {
  Oracle oracle(program);
  Execution execution(rt, program, oracle);
  const RecordedGraph graph = rt.record([&] { execution.submit_all(); });
  if (graph.size() < program.roots.size()) execution.books.report("the graph has too few nodes");
  const int replays = 3;
  for (int i = 0; i < replays; ++i) {
    if (i > 0) oracle.run_once();
    rt.replay(graph);
    if (wait_between) rt.wait();
  }
  rt.wait();
  execution.books.expect_all(replays);
  execution.compare(oracle);
  return execution.books.problems();
}
std::string problems_with_waits(Runtime& rt, const Program& program) { return problems_of(rt, program, true); }
std::string problems_in_a_row(Runtime& rt, const Program& program) { return problems_of(rt, program, false); }

}  // namespace

TEST_CASE("recorded programs run as in sequence at each replay") {
  in_every_setting(40, [](Runtime& rt, std::uint64_t seed) { expect_well(rt, random_program(seed, {}), problems_with_waits); });
}

TEST_CASE("replays in a row follow each other as their data ask") {
  in_every_setting(40, [](Runtime& rt, std::uint64_t seed) {
    expect_well(rt, random_program(seed, {.tasks = 60}), problems_in_a_row);
  });
}

TEST_CASE("a recorded graph's edges are among the orders that its program asks for, and imply them all") {
  for (const std::uint64_t seed : test::seeds(100)) {
    MITRA_INFO_SEED(seed);
    Runtime rt(test::with_workers(1));
    const Program program = random_program(seed, {.nested = false});
    const Oracle oracle(program);
    Execution execution(rt, program, oracle);
    const RecordedGraph graph = rt.record([&] { execution.submit_all(); });
    // Nodes that the engine inserted (joins, folds) have other names than the program's tasks.
    std::vector<std::size_t> node_of(program.tasks.size()), task_of(graph.size(), program.tasks.size());
    std::size_t next = 0;
    for (std::size_t n = 0; n < graph.size(); ++n)
      if (next < program.roots.size() && program.tasks[program.roots[next]].name == graph.task(n).name()) {
        task_of[n] = program.roots[next];
        node_of[program.roots[next++]] = n;
      }
    REQUIRE(next == program.roots.size());
    // reach[n]: the tasks that must have finished before node n. Edges lead from smaller to larger numbers.
    std::vector<std::vector<bool>> reach(graph.size(), std::vector<bool>(graph.size(), false));
    for (std::size_t n = 0; n < graph.size(); ++n)
      for (const std::uint32_t successor : graph.successors(n)) {
        REQUIRE(successor > n);
        reach[successor][n] = true;
        for (std::size_t before = 0; before < n; ++before)
          if (reach[n][before]) reach[successor][before] = true;
      }
    std::vector<std::vector<bool>> must(program.tasks.size(), std::vector<bool>(program.tasks.size(), false));
    for (const std::size_t task : program.roots)
      for (const std::size_t before : oracle.predecessors[task]) {
        must[task][before] = true;
        for (std::size_t i = 0; i < before; ++i)
          if (must[before][i]) must[task][i] = true;
      }
    int wrong = 0;
    for (const std::size_t task : program.roots)
      for (const std::size_t before : program.roots)
        wrong += before < task && reach[node_of[task]][node_of[before]] != must[task][before];
    INFO(program.text());
    CHECK(wrong == 0);
  }
}
