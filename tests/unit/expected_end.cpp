// dm, dmda, dmdar, dmdas in virtual time: against StarPU and reference values, and what each of their rules is worth.
#include <algorithm>
#include <mitra/expected_end.hpp>
#include <mitra/least_of.hpp>

#include "support/catch.hpp"
#include "support/free_links.hpp"
#include "support/machines.hpp"
#include "support/random.hpp"
#include "unit/simulated_run.hpp"
#include "workloads/graph_workload.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

double rate_on_sirocco(const std::string& scheduler) {
  return test::rate(SimulatedRun{"sirocco", scheduler, "cholesky", 40, 960, "float"}());
}

/// Tasks for tests of queues: they are compared, and never looked into.
struct Tasks {
  TaskRef operator[](std::size_t i) { return TaskRef(headers + i); }
  detail::TaskHeader headers[8];
};

}  // namespace

TEST_CASE("the least of some numbers is known while they change") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    std::vector<double> numbers(1 + random.below(70), 5.0);
    LeastOf least(numbers.size(), 5.0);
    for (int change = 0; change < 200; ++change) {
      const std::size_t i = random.below(numbers.size());
      numbers[i] = static_cast<double>(random.below(20));
      least.set(i, numbers[i]);
      const auto first = std::min_element(numbers.begin(), numbers.end());
      REQUIRE(least.least() == static_cast<std::size_t>(first - numbers.begin()));
      REQUIRE(least.least_value() == *first);
    }
  }
}

TEST_CASE("a charged queue gives the most urgent first, equal ones in order, and knows its work") {
  Tasks tasks;
  ChargedQueue queue;
  queue.push(tasks[0], 1.0, 0);
  queue.push(tasks[1], 2.0, 5);
  queue.push(tasks[2], 4.0, 5);
  CHECK(queue.charge() == 7.0);
  CHECK(queue.pop().task == tasks[1]);
  CHECK(queue.pop().task == tasks[2]);
  CHECK(queue.charge() == 1.0);
  CHECK(queue.pop().task == tasks[0]);
  CHECK(queue.charge() == 0.0);
  CHECK(queue.empty());
}

TEST_CASE("among the first equally urgent tasks of a charged queue, the one that misses least goes first") {
  Tasks tasks;
  const int missing[] = {30, 20, 10, 0, 0, 7, 7, 7};
  const auto cost = [&](TaskRef task) { return missing[task.header() - tasks.headers]; };
  const auto taken = [&](std::size_t window, std::initializer_list<int> priorities) {
    ChargedQueue queue;
    std::size_t i = 0;
    for (const int priority : priorities) queue.push(tasks[i++], 1.0, priority);
    const TaskRef first = queue.pop_least(window, cost).task;
    CHECK(queue.charge() == static_cast<double>(i) - 1.0);
    std::ptrdiff_t last = -1;  // what was passed over is in its old order
    while (!queue.empty()) {
      const std::ptrdiff_t number = queue.pop().task.header() - tasks.headers;
      CHECK(number > last);
      last = number;
    }
    return first.header() - tasks.headers;
  };
  CHECK(taken(8, {1, 1, 1, 1, 1}) == 3);  // the first of those that miss nothing
  CHECK(taken(3, {1, 1, 1, 1, 1}) == 2);  // the window ends before
  CHECK(taken(1, {1, 1, 1, 1, 1}) == 0);
  CHECK(taken(8, {2, 2, 1, 1, 1}) == 1);  // data do not outweigh urgency
}

TEST_CASE("dmda and dmdas say what StarPU 1.4 with SimGrid says of sirocco, within 5 percent") {
  CHECK(rate_on_sirocco("dmda") == Approx(8285.0).epsilon(0.05));
  CHECK(rate_on_sirocco("dmdas") == Approx(8455.0).epsilon(0.05));
}

TEST_CASE("dmda: counting transfers, and that they share links, is worth much where the bus is full") {
  const double neither = rate_on_sirocco("dm"), transfers = rate_on_sirocco("dmda:contention=1"), both = rate_on_sirocco("dmda");
  CHECK(transfers > 1.2 * neither);
  CHECK(both > 1.2 * transfers);
  CHECK(rate_on_sirocco("dmda:contention=8") == both);  // four GPUs, two ways each
  CHECK(rate_on_sirocco("dmda:beta=0") < 0.8 * both);
}

TEST_CASE("dm and dmdas without transfers factorise as fast as the reference, within 3 percent") {
  // Cholesky in double, tiles of 960, GFLOP/s of the same methods computed by hand of the same kernel times.
  const struct { std::size_t tiles; double dm, dmdas; } kRows[] = {{4, 218, 227}, {8, 539, 555},  {12, 690, 691},
                                                                   {16, 780, 790}, {20, 839, 866}, {24, 875, 905}};
  for (const auto& row : kRows) {
    INFO(row.tiles << " tiles");
    CHECK(test::rate(SimulatedRun{test::mirage_with_free_links(), "dm", "cholesky", row.tiles}()) >= 0.97 * row.dm);
    CHECK(test::rate(SimulatedRun{test::mirage_with_free_links(), "dmdas", "cholesky", row.tiles}()) >= 0.97 * row.dmdas);
  }
}

TEST_CASE("the dm family without models serves whoever asks: by age, or by priority") {
  const auto digest = [](const char* scheduler) {
    SimulatedRun run{test::mirage_with_free_links(), scheduler};
    run.information = "blind";
    return run().simulation->schedule_digest;
  };
  CHECK(digest("dm") == digest("dmda"));
  CHECK(digest("dmdas") == digest("priority"));
  CHECK(digest("dm") != digest("dmdas"));
}

TEST_CASE("dmda pays time for energy where a joule is dear") {
  // 1 GFLOP: 0.1 s and 0.5 J on a core, 0.01 s and 5 J on a GPU.
  const std::string machine = test::machine_file("dear_gpu", R"(
name = "dear-gpu"
summary = "a fast device that draws much"
[class.cpu]
kind = "cpu"
count = 2
memory = "dram"
[class.cpu.peak]
fp64 = "10 GFLOP/s"
[class.cpu.power]
idle = "0 W"
static = "0 W"
fp64 = "5 W"
[class.gpu]
kind = "hip"
count = 1
memory = "dram"
[class.gpu.peak]
fp64 = "100 GFLOP/s"
[class.gpu.power]
idle = "0 W"
static = "0 W"
fp64 = "500 W"
[memory.dram]
capacity = "1 GB"
)");
  const auto cpu_tasks = [&](const char* scheduler) {
    Config config;
    config.backend = "sim";
    config.machine = machine;
    config.scheduler = scheduler;
    Runtime rt(config);
    const auto work = codelet("work").cpu([](double) {}).hip_modelled().cost([](double flops) { return Work{.flops = flops}; });
    for (int i = 0; i < 8; ++i) rt.submit(work, 1e9);
    rt.wait();
    return rt.simulation()->classes[0].tasks;
  };
  CHECK(cpu_tasks("dmda") == 0);
  CHECK(cpu_tasks("dmda:gamma=1e6") == 8);       // one second for a joule
  CHECK(cpu_tasks("dmda:gamma=1e6,alpha=1e3") < 8);
}

TEST_CASE("dm: a worker whose estimates were wrong takes from the queues of its equals") {
  TaskGraph graph;
  for (int i = 0; i < 400; ++i) graph.tasks.push_back({.name = "task", .seconds = 1.0});
  Config config;
  config.backend = "sim";
  config.machine = "identical";
  config.workers = 40;
  config.scheduler = "dm";
  config.noise = 1.0;
  config.information = "mean";
  Runtime rt(config);
  const auto workload = workloads::make_graph_workload(graph);
  const auto result = workloads::run(rt, *workload);
  const SimulationReport& report = *result.simulation;
  // All are ready at once: nobody is idle before the last task begins. A task of ten times the mean is possible.
  CHECK(result.makespan.value < report.classes[0].busy.value / 40 + 10.0);
  CHECK(report.tasks == 400);
}
