// Task Bench's patterns: the dependencies of small graphs, written by hand; and that a task notices a wrong input.
#include "workloads/task_bench.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include <mitra/mitra.hpp>

#include "support/catch.hpp"
#include "support/runtimes.hpp"
#include "workloads/siphash.hpp"

using namespace mitra;
using namespace mitra::workloads;
using test::contains;
using test::with_workers;

namespace {

using Columns = std::vector<std::int64_t>;

TaskBenchGraph graph(TaskBenchPattern pattern, std::int64_t width, std::int64_t steps = 4, std::int64_t radix = 5) {
  TaskBenchGraph g;
  g.pattern = pattern;
  g.width = width;
  g.steps = steps;
  g.radix = radix;
  return g;
}

Columns predecessors(const TaskBenchGraph& g, std::int64_t step, std::int64_t column) {
  Columns list;
  g.for_each_predecessor(step, column, [&](std::int64_t i) { list.push_back(i); });
  return list;
}

/// Of every column of a step, in order.
std::vector<Columns> step_of(const TaskBenchGraph& g, std::int64_t step) {
  std::vector<Columns> lists;
  for (std::int64_t i = 0; i < g.columns(step); ++i) lists.push_back(predecessors(g, step, g.first_column(step) + i));
  return lists;
}

using Lists = std::vector<Columns>;

TaskBenchPlan plan_of(const TaskBenchGraph& g) {
  TaskBenchPlan plan;
  plan.graph = g;
  return plan;
}

}  // namespace

TEST_CASE("the first step of every pattern depends on nothing") {
  for (int p = 0; p <= static_cast<int>(TaskBenchPattern::random_nearest); ++p)
    CHECK(predecessors(graph(static_cast<TaskBenchPattern>(p), 4), 0, 0).empty());
}

TEST_CASE("the dependencies of the local patterns") {
  CHECK(step_of(graph(TaskBenchPattern::trivial, 3), 1) == Lists{{}, {}, {}});
  CHECK(step_of(graph(TaskBenchPattern::no_comm, 3), 1) == Lists{{0}, {1}, {2}});
  CHECK(step_of(graph(TaskBenchPattern::stencil_1d, 4), 1) == Lists{{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}});
  CHECK(step_of(graph(TaskBenchPattern::stencil_1d, 1), 1) == Lists{{0}});
  CHECK(step_of(graph(TaskBenchPattern::all_to_all, 3), 2) == Lists{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}});
}

TEST_CASE("a ring of one or two columns has each neighbour once") {
  CHECK(step_of(graph(TaskBenchPattern::stencil_1d_periodic, 4), 1) ==
        Lists{{0, 1, 3}, {0, 1, 2}, {1, 2, 3}, {2, 3, 0}});
  CHECK(step_of(graph(TaskBenchPattern::stencil_1d_periodic, 2), 1) == Lists{{0, 1}, {0, 1}});
  CHECK(step_of(graph(TaskBenchPattern::stencil_1d_periodic, 1), 1) == Lists{{0}});
}

TEST_CASE("dom sweeps from one corner to the other") {
  const TaskBenchGraph g = graph(TaskBenchPattern::dom, 3, 5);
  CHECK(step_of(g, 0) == Lists{{}});
  CHECK(step_of(g, 1) == Lists{{0}, {0}});
  CHECK(step_of(g, 2) == Lists{{0}, {0, 1}, {1}});
  CHECK(g.first_column(3) == 1);
  CHECK(step_of(g, 3) == Lists{{0, 1}, {1, 2}});
  CHECK(g.first_column(4) == 2);
  CHECK(step_of(g, 4) == Lists{{1, 2}});
  CHECK(g.tasks() == 9);
}

TEST_CASE("tree doubles its width until it is full") {
  const TaskBenchGraph g = graph(TaskBenchPattern::tree, 5, 5);
  CHECK(step_of(g, 1) == Lists{{0}, {0}});
  CHECK(step_of(g, 2) == Lists{{0}, {0}, {1}, {1}});
  CHECK(step_of(g, 3) == Lists{{0}, {0}, {1}, {1}, {2}});
  CHECK(g.tasks() == 1 + 2 + 4 + 5 + 5);
}

TEST_CASE("fft doubles its distance with each step, and starts again") {
  const TaskBenchGraph g = graph(TaskBenchPattern::fft, 4);
  CHECK(step_of(g, 1) == Lists{{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}});
  CHECK(step_of(g, 2) == Lists{{0, 2}, {1, 3}, {0, 2}, {1, 3}});
  CHECK(step_of(g, 3) == step_of(g, 1));
  CHECK(step_of(graph(TaskBenchPattern::fft, 5), 3) == Lists{{0, 4}, {1}, {2}, {3}, {0, 4}});
  CHECK(step_of(graph(TaskBenchPattern::fft, 1), 2) == Lists{{0}});
}

TEST_CASE("nearest takes a window of `radix` columns, one more to the left if it is even") {
  CHECK(step_of(graph(TaskBenchPattern::nearest, 4, 4, 3), 1) == Lists{{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}});
  CHECK(predecessors(graph(TaskBenchPattern::nearest, 9, 4, 4), 1, 4) == Columns{2, 3, 4, 5});
  CHECK(predecessors(graph(TaskBenchPattern::nearest, 9, 4, 1), 1, 4) == Columns{4});
  CHECK(predecessors(graph(TaskBenchPattern::nearest, 9, 4, 0), 1, 4).empty());
}

TEST_CASE("spread cuts the width into `radix` parts and shifts them from step to step") {
  const TaskBenchGraph g = graph(TaskBenchPattern::spread, 4, 9, 2);
  CHECK(step_of(g, 1) == Lists{{0, 3}, {1, 0}, {2, 1}, {3, 2}});
  CHECK(step_of(g, 2) == Lists{{0}, {1}, {2}, {3}});  // shifted onto itself: each column once
  CHECK(step_of(g, 3) == Lists{{0, 2}, {1, 3}, {2, 0}, {3, 1}});
  for (Columns columns : step_of(graph(TaskBenchPattern::spread, 2, 4, 5), 1)) {
    std::ranges::sort(columns);
    CHECK(std::ranges::adjacent_find(columns) == columns.end());
  }
}

TEST_CASE("random_nearest keeps the column itself and about a quarter of the window, by Task Bench's hash") {
  // The reference implementation's vector for the key 00..0f and the message 00..07.
  const std::array<std::int64_t, 1> message{0x0706050403020100};
  CHECK(siphash(message, 0x0706050403020100U, 0x0f0e0d0c0b0a0908U) == 0x93f5f5799a932462U);

  const TaskBenchGraph g = graph(TaskBenchPattern::random_nearest, 1000, 4, 41);
  std::size_t kept = 0;
  for (std::int64_t i = 100; i < 900; ++i) {
    const Columns columns = predecessors(g, 1, i);
    CHECK(std::ranges::find(columns, i) != columns.end());
    CHECK(columns.front() >= i - 20);
    CHECK(columns.back() <= i + 20);
    kept += columns.size() - 1;
  }
  CHECK(static_cast<double>(kept) / (800 * 40) == Approx(0.25).epsilon(0.05));

  TaskBenchGraph other = g;
  other.seed = 2;
  CHECK(step_of(g, 1) != step_of(other, 1));
  CHECK(step_of(g, 1) == step_of(g, 4));  // the relation repeats after three steps
}

TEST_CASE("a task of Task Bench that gets another task's output fails") {
  Runtime rt(with_workers(2));
  const TaskBenchPlan plan = plan_of(graph(TaskBenchPattern::no_comm, 2));
  TaskBenchCell values[3] = {{0, 0}, {0, 1}, {}};
  auto cells = rt.vector(&values[0], 1), other_cells = rt.vector(&values[1], 1), out = rt.vector(&values[2], 1);
  const auto task = task_bench_codelet();

  rt.submit(task, TaskBenchPoint{&plan, 1, 0}, cells.read(), out.write());
  CHECK_NOTHROW(rt.wait());
  CHECK(values[2] == TaskBenchCell{1, 0});

  rt.submit(task, TaskBenchPoint{&plan, 1, 0}, other_cells.read(), out.write());
  CHECK_THROWS_WITH(rt.wait(), contains("task (1, 0) got the output of (0, 1) where that of (0, 0) had to be"));
  rt.submit(task, TaskBenchPoint{&plan, 2, 0}, cells.read(), out.write());
  CHECK_THROWS_WITH(rt.wait(), contains("got the output of (0, 0) where that of (1, 0)"));
  rt.submit(task, TaskBenchPoint{&plan, 1, 0}, out.write());
  CHECK_THROWS_WITH(rt.wait(), contains("did not get the output of (0, 0)"));
  rt.submit(task, TaskBenchPoint{&plan, 1, 0}, cells.read(), other_cells.read(), out.write());
  CHECK_THROWS_WITH(rt.wait(), contains("got 2 outputs, it has 1 predecessors"));
}

TEST_CASE("a run of Task Bench whose last step is missing is not verified") {
  Runtime rt(with_workers(2));
  TaskBench bench(plan_of(graph(TaskBenchPattern::stencil_1d, 4)));
  bench.generate(rt);
  rt.wait();
  const Verification found = bench.verify(rt);
  CHECK(found.verified == false);
  CHECK(found.residual == 4.0);
}

TEST_CASE("the compute kernel takes the time that its calibration promises, roughly") {
  CHECK(compute_flops(10) == 2 * 64 * 10 + 64);
  CHECK(compute_rate() > 1e6);
  CHECK(compute_iterations(Seconds(0)) == 1);
  CHECK(compute_iterations(Seconds(1e-3)) > compute_iterations(Seconds(1e-5)));
}
