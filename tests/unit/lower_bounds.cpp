// Lower bounds: the published values, an exact greedy where one exists, and small problems that are solved by hand.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mitra/error.hpp>
#include <mitra/lower_bounds.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace mitra;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

enum Kernel : std::uint32_t { potrf, trsm, syrk, gemm };

struct KernelTimes {
  double cpu, gpu;
};

/// Mirage, double precision, tiles of 960, s: as published with Chameleon.
constexpr KernelTimes kMirage[] = {{33.624e-3, 12.049e-3}, {89.194e-3, 7.918e-3}, {96.890e-3, 3.706e-3}, {172.932e-3, 5.981e-3}};

/// Tiled Cholesky, right-looking, of n x n tiles.
BoundGraph cholesky_graph(std::uint32_t n) {
  BoundGraph graph;
  graph.first_predecessor.push_back(0);
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> writer(n * n, kNone);
  const auto add = [&](Kernel kernel, std::initializer_list<std::uint32_t> reads, std::uint32_t tile) {
    const auto task = static_cast<std::uint32_t>(graph.group.size());
    graph.group.push_back(kernel);
    for (const std::uint32_t other : reads) graph.predecessors.push_back(writer[other]);
    if (writer[tile] != kNone) graph.predecessors.push_back(writer[tile]);
    graph.first_predecessor.push_back(static_cast<std::uint32_t>(graph.predecessors.size()));
    writer[tile] = task;
  };
  for (std::uint32_t k = 0; k < n; ++k) {
    add(potrf, {}, k * n + k);
    for (std::uint32_t i = k + 1; i < n; ++i) add(trsm, {k * n + k}, i * n + k);
    for (std::uint32_t i = k + 1; i < n; ++i) {
      add(syrk, {i * n + k}, i * n + i);
      for (std::uint32_t j = k + 1; j < i; ++j) add(gemm, {i * n + k, j * n + k}, i * n + j);
    }
  }
  return graph;
}

BoundProblem cholesky(std::uint32_t n, std::span<const KernelTimes> times, double cpus, double gpus) {
  BoundProblem problem;
  problem.resources = {{"cpu", cpus, Watts(0)}, {"gpu", gpus, Watts(0)}};
  const std::uint64_t m = n;
  const std::uint64_t counts[] = {m, m * (m - 1) / 2, m * (m - 1) / 2, m * (m - 1) * (m - 2) / 6};
  const char* names[] = {"potrf", "trsm", "syrk", "gemm"};
  for (std::size_t k = 0; k < 4; ++k) problem.groups.push_back({names[k], counts[k], {times[k].cpu, times[k].gpu}, {}, {}});
  problem.graph = cholesky_graph(n);
  return problem;
}

bool near(double value, double expected, double relative) { return std::abs(value - expected) <= relative * std::abs(expected); }

/// The area bound of two resources: fill the second one by falling acceleration until both end together.
double greedy_area(const BoundProblem& problem) {
  std::vector<const BoundGroup*> order;
  for (const BoundGroup& group : problem.groups) order.push_back(&group);
  std::ranges::stable_sort(order, std::greater{}, [](const BoundGroup* g) { return g->seconds[0] / g->seconds[1]; });
  double first = 0.0, second = 0.0;  // s of work on each
  for (const BoundGroup* group : order) first += static_cast<double>(group->tasks) * group->seconds[0];
  const double m0 = problem.resources[0].workers, m1 = problem.resources[1].workers;
  for (const BoundGroup* group : order) {
    const double n = static_cast<double>(group->tasks), a = group->seconds[0], b = group->seconds[1];
    // x tasks move: (first - x a) / m0 = (second + x b) / m1
    const double x = std::clamp((first / m0 - second / m1) / (a / m0 + b / m1), 0.0, n);
    first -= x * a;
    second += x * b;
  }
  return std::max(first / m0, second / m1);
}

BoundGraph chain(std::initializer_list<std::uint32_t> groups) {
  BoundGraph graph;
  graph.first_predecessor.push_back(0);
  for (const std::uint32_t group : groups) {
    if (!graph.group.empty()) graph.predecessors.push_back(static_cast<std::uint32_t>(graph.group.size() - 1));
    graph.group.push_back(group);
    graph.first_predecessor.push_back(static_cast<std::uint32_t>(graph.predecessors.size()));
  }
  return graph;
}

}  // namespace

TEST_CASE("bounds of Cholesky on mirage in double precision are the published ones") {
  struct Row {
    std::uint32_t n;
    double area, mixed, critical_path;  // ms
  };
  // Printed to 0.1 ms: the check is for 0.1 %, or half of the last digit.
  constexpr Row kTable[] = {{4, 27.8, 83.1, 83.1},        {8, 180.1, 197.1, 177.8},       {12, 557.7, 557.7, 272.5},
                            {16, 1263.1, 1263.1, 367.1},  {20, 2450.9, 2450.9, 461.8},    {24, 4216.5, 4216.5, 556.5},
                            {32, 9938.6, 9938.6, 745.9}};
  for (const Row& row : kTable) {
    CAPTURE(row.n);
    const Bounds bounds = lower_bounds(cholesky(row.n, kMirage, 9, 3));
    const auto check = [](Seconds value, double expected) {
      CAPTURE(value.value * 1e3, expected);
      CHECK(std::abs(value.value * 1e3 - expected) <= std::max(0.001 * expected, 0.0501));
    };
    check(bounds.area, row.area);
    check(bounds.mixed, row.mixed);
    check(bounds.critical_path, row.critical_path);
    CHECK(bounds.iterated >= bounds.mixed);
    CHECK(bounds.best == bounds.iterated);
    CHECK(bounds.transfer == Seconds(0.0));
    CHECK(bounds.energy == Joules(0.0));
  }
}

TEST_CASE("the iterated bound of Cholesky lies above the mixed one at middle sizes") {
  // Half of the kernels on the critical path have to run on cores, when the GPUs are full.
  const Bounds bounds = lower_bounds(cholesky(16, kMirage, 9, 3));
  CHECK(bounds.iterated > 1.008 * bounds.mixed);
  CHECK(bounds.iterated < 1.01 * bounds.mixed);
}

TEST_CASE("the area bound of two resources is that of the greedy by acceleration") {
  for (const std::uint64_t seed : test::seeds(200)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    BoundProblem problem;
    problem.resources = {{"cpu", static_cast<double>(random.between(1, 256)), Watts(0)},
                         {"gpu", static_cast<double>(random.between(1, 8)), Watts(0)}};
    const int groups = random.between(1, 12);
    for (int g = 0; g < groups; ++g) {
      const auto seconds = [&] { return std::pow(10.0, random.between(-6, 1)) * random.between(1, 999); };
      problem.groups.push_back({"group", static_cast<std::uint64_t>(random.between(1, 100000)), {seconds(), seconds()}, {}, {}});
    }
    const double expected = greedy_area(problem), area = lower_bounds(problem).area.value;
    CAPTURE(expected, area);
    CHECK(near(area, expected, 1e-7));
    CHECK(area <= expected * (1 + 1e-12));  // a bound, not nearly one
  }
}

TEST_CASE("the area bound of one resource is the work by the workers") {
  BoundProblem problem;
  problem.resources = {{"cpu", 4, Watts(0)}};
  problem.groups = {{"a", 10, {3.0}, {}, {}}, {"b", 5, {2.0}, {}, {}}};
  const Bounds bounds = lower_bounds(problem);
  CHECK(bounds.area == Seconds(10.0));
  CHECK(bounds.critical_path == Seconds(3.0));  // of one task: no edges are known
  CHECK(bounds.best == Seconds(10.0));
  CHECK(bounds.iterated == Seconds(0.0));
  CHECK(bounds.paths == 0);
}

TEST_CASE("a group that lies wholly on the path pays for where it runs") {
  // Two tasks in a row, 10 s on the one core and 1 s on the one GPU; beside them 90 tasks that only the GPU runs, 0.1 s each.
  BoundProblem problem;
  problem.resources = {{"cpu", 1, Watts(0)}, {"gpu", 1, Watts(0)}};
  problem.groups = {{"chain", 2, {10.0, 1.0}, {}, {}}, {"gpu only", 90, {kNever, 0.1}, {}, {}}};
  problem.critical_path = BoundPath{{2, 0}};
  // x of the chain on the core: the resources say 10x and 9 + 2 - x, best at x = 1; the path says 10x + 2 - x, best at 0.9.
  const Bounds bounds = lower_bounds(problem);
  CHECK(near(bounds.area.value, 10.0, 1e-9));
  CHECK(near(bounds.mixed.value, 10.1, 1e-7));
  CHECK(bounds.critical_path == Seconds(2.0));
}

TEST_CASE("the iterated bound adds the paths that the solution violates") {
  // As above with two such chains and four cores: the second chain pays, too.
  BoundProblem problem;
  problem.resources = {{"cpu", 4, Watts(0)}, {"gpu", 1, Watts(0)}};
  problem.groups = {{"chain", 2, {10.0, 1.0}, {}, {}}, {"other chain", 2, {10.0, 1.0}, {}, {}}, {"gpu only", 90, {kNever, 0.1}, {}, {}}};
  BoundGraph& graph = problem.graph.emplace(chain({0, 0}));
  const auto add = [&](std::uint32_t group) {
    graph.group.push_back(group);
    graph.first_predecessor.push_back(static_cast<std::uint32_t>(graph.predecessors.size()));
  };
  add(1);
  graph.predecessors.push_back(2);
  add(1);
  for (int i = 0; i < 90; ++i) add(2);
  // One chain pays: 11 - x = 2 + 9x. Both pay: 13 - 2x = 2 + 9x.
  const Bounds bounds = lower_bounds(problem);
  CHECK(near(bounds.mixed.value, 10.1, 1e-7));
  CHECK(near(bounds.iterated.value, 11.0, 1e-7));
  CHECK(bounds.paths == 2);
  CHECK(bounds.critical_path == Seconds(2.0));
}

TEST_CASE("bytes that have to enter a memory bound the time") {
  BoundProblem problem;
  problem.resources = {{"cpu", 1, Watts(0)}, {"gpu", 1, Watts(0)}};
  problem.groups = {{"a", 100, {1.0, 0.1}, {}, {0.0, 1e9}}};
  problem.bandwidth_in = {0.0, 1e9};
  // x on the GPU: max(100 - x, 0.1 x, x) is smallest at x = 50; without transfers at 1000/11.
  const Bounds bounds = lower_bounds(problem);
  CHECK(near(bounds.area.value, 100.0 / 11.0, 1e-9));
  CHECK(near(bounds.transfer.value, 50.0, 1e-7));
  CHECK(bounds.best == bounds.transfer);
  problem.bandwidth_in.clear();
  CHECK(lower_bounds(problem).transfer == Seconds(0.0));
}

TEST_CASE("the energy bound weighs idle, active and constant power") {
  BoundProblem problem;
  problem.resources = {{"cpu", 1, Watts(0)}, {"gpu", 1, Watts(10)}};
  problem.groups = {{"a", 10, {1.0, 0.1}, {5.0, 100.0}, {}}};
  // x tasks on the GPU, l = max(10 - x, 0.1 x): 5 (10 - x) + 90 * 0.1 x + 10 l. The core alone costs 50 + 100, the fastest
  // split x = 100/11 costs 5 * 10/11 + 900/11 + 100/11.
  CHECK(near(lower_bounds(problem).energy.value, 1050.0 / 11.0, 1e-7));
  problem.constant = Watts(20);
  CHECK(near(lower_bounds(problem).energy.value, 1250.0 / 11.0, 1e-7));
  problem.power_conversion = 0.5;
  CHECK(near(lower_bounds(problem).energy.value, 2500.0 / 11.0, 1e-7));
  // Work that is cheap on the slow resource stays there when nothing else draws power.
  problem.constant = Watts(0);
  problem.power_conversion = 1.0;
  problem.resources[1].idle = Watts(0);
  CHECK(near(lower_bounds(problem).energy.value, 50.0, 1e-7));
  // Active below idle: a core that sleeps in its task. The program has negative costs.
  problem.resources[0].idle = Watts(8);
  CHECK(lower_bounds(problem).energy > Joules(0.0));
  // No group says what it draws, but the machine draws idle power.
  problem.groups[0].watts.clear();
  CHECK(near(lower_bounds(problem).energy.value, 8.0 * 10.0 / 11.0, 1e-7));
}

TEST_CASE("longest_path finds the path, its groups and its tasks") {
  BoundGraph graph;  // 0 -> 1 -> 3, 0 -> 2 -> 3
  graph.group = {0, 1, 2, 0};
  graph.first_predecessor = {0, 0, 1, 2, 4};
  graph.predecessors = {0, 0, 1, 2};
  const double weights[] = {1.0, 2.0, 5.0};
  const LongestPath found = longest_path(graph, weights);
  CHECK(found.length == Seconds(7.0));
  CHECK(found.tasks == std::vector<std::uint32_t>{0, 2, 3});
  CHECK(found.path.tasks_by_group == std::vector<std::uint64_t>{2, 0, 1});
  const double equal[] = {1.0, 2.0, 2.0};
  CHECK(longest_path(graph, equal).tasks == std::vector<std::uint32_t>{0, 1, 3});  // of equal ones the first
  const BoundGraph empty{{}, {0}, {}};
  CHECK(longest_path(empty, weights).length == Seconds(0.0));
  CHECK(longest_path(empty, weights).tasks.empty());
}

TEST_CASE("tasks that take no time have bounds of no time") {
  BoundProblem problem;
  problem.resources = {{"cpu", 2, Watts(1)}};
  problem.groups = {{"a", 3, {0.0}, {}, {}}};
  problem.graph = chain({0, 0, 0});
  CHECK(lower_bounds(problem).best == Seconds(0.0));
  problem.groups[0].tasks = 0;
  problem.graph = BoundGraph{{}, {0}, {}};
  CHECK(lower_bounds(problem).best == Seconds(0.0));
}

TEST_CASE("a resource without workers runs nothing") {
  BoundProblem problem;
  problem.resources = {{"cpu", 2, Watts(0)}, {"gpu", 0, Watts(0)}};
  problem.groups = {{"a", 4, {1.0, 0.001}, {}, {}}};
  const Bounds bounds = lower_bounds(problem);
  CHECK(bounds.area == Seconds(2.0));
  CHECK(bounds.critical_path == Seconds(1.0));
}

TEST_CASE("bounds are computed by several threads at once") {
  const BoundProblem problem = cholesky(10, kMirage, 9, 3);
  const Bounds expected = lower_bounds(problem);
  std::vector<Bounds> found(8);
  std::vector<std::thread> threads;
  for (Bounds& bounds : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) bounds = lower_bounds(problem);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Bounds& bounds : found) {
    CHECK(bounds.iterated == expected.iterated);
    CHECK(bounds.area == expected.area);
  }
}

TEST_CASE("a problem that contradicts itself is refused") {
  using test::contains;
  const auto refused = [](auto&& change, const std::string& text) {
    BoundProblem problem;
    problem.resources = {{"cpu", 2, Watts(0)}, {"gpu", 1, Watts(0)}};
    problem.groups = {{"a", 2, {1.0, 2.0}, {}, {}}, {"b", 1, {1.0, 2.0}, {}, {}}};
    problem.graph = chain({0, 1, 0});
    CHECK_NOTHROW(lower_bounds(problem));
    change(problem);
    CHECK_THROWS_WITH(lower_bounds(problem), contains(text));
    CHECK_THROWS_AS(lower_bounds(problem), Error);
  };
  refused([](BoundProblem& p) { p.groups[0].seconds = {kNever, kNever}; }, "no resource runs the group 'a' of 2 tasks");
  refused([](BoundProblem& p) { p.groups[1].seconds = {1.0}; }, "group 'b' gives 1 durations");
  refused([](BoundProblem& p) { p.groups[1].seconds[0] = -1.0; }, "a duration of -1 s in group 'b'");
  refused([](BoundProblem& p) { p.groups[1].seconds[0] = std::nan(""); }, "a duration of nan s");
  refused([](BoundProblem& p) { p.groups[1].watts = {1.0, -2.0}; }, "-2 W in group 'b'");
  refused([](BoundProblem& p) { p.groups[1].bytes_in = {1.0}; }, "1 amounts of bytes");
  refused([](BoundProblem& p) { p.groups[0].tasks = 3; }, "group 'a' has 3 tasks, and 2 in the graph");
  refused([](BoundProblem& p) { p.resources[0].workers = -1; }, "resource 'cpu' has -1 workers");
  refused([](BoundProblem& p) { p.resources[0].workers = kNever; }, "resource 'cpu' has inf workers");
  refused([](BoundProblem& p) { p.bandwidth_in = {1.0}; }, "1 bandwidths for 2 resources");
  refused([](BoundProblem& p) { p.power_conversion = 0.0; }, "power_conversion");
  refused([](BoundProblem& p) { p.critical_path = BoundPath{{3, 0}}; }, "the critical path has 3 tasks of group 'a'");
  refused([](BoundProblem& p) { p.critical_path = BoundPath{{1}}; }, "counts 1 groups of 2");
  refused([](BoundProblem& p) { p.graph->predecessors[0] = 1; }, "task 1 follows task 1");
  refused([](BoundProblem& p) { p.graph->first_predecessor.pop_back(); }, "the offsets of predecessors");
  refused([](BoundProblem& p) { p.graph->group[0] = 7; }, "group");
}

TEST_CASE("a graph on equal processors is grouped by duration") {
  TaskGraph graph;
  graph.data = {{"x", 1, 1, 8}};
  graph.tasks = {{.name = "a", .accesses = {{0, AccessMode::write}}, .seconds = 2.0},
                 {.name = "b", .accesses = {{0, AccessMode::read}}, .seconds = 3.0},
                 {.name = "b", .accesses = {{0, AccessMode::read}}, .seconds = 3.0},
                 {.name = "c", .after = {1}, .seconds = 2.0}};
  const BoundProblem problem = identical_processors(graph, 2);
  REQUIRE(problem.groups.size() == 2);
  CHECK(problem.groups[0].tasks == 2);
  const Bounds bounds = lower_bounds(problem);
  CHECK(bounds.area == Seconds(5.0));
  CHECK(bounds.critical_path == Seconds(7.0));
  CHECK(bounds.best == Seconds(7.0));
  CHECK_THROWS_WITH(identical_processors(graph, 0), test::contains("at least 1 processor"));
}
