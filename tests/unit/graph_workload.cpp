// A task graph as a workload: order, data, priorities, times, and a check that can fail.
#include <cmath>
#include <mitra/mitra.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/shared_data.hpp"
#include "workloads/graph_files/graph_file.hpp"
#include "workloads/graph_workload.hpp"

using namespace mitra;
using workloads::make_graph_workload;

namespace {

TaskGraph random_graph(std::uint64_t seed, std::size_t tasks) {
  test::Random random(seed);
  TaskGraph graph;
  for (std::size_t d = 0; d < 6; ++d) graph.data.push_back({detail::message('d', d), 4, d, 8});
  for (std::size_t t = 0; t < tasks; ++t) {
    GraphTask task{.name = detail::message("kind ", random.below(4)), .priority = random.between(-2, 2)};
    if (t > 0 && random.chance(0.3)) task.after.push_back(static_cast<std::uint32_t>(random.below(t)));
    std::vector<std::uint32_t> data{0, 1, 2, 3, 4, 5};  // each once: some modes stand alone
    random.shuffle(data);
    for (std::size_t i = random.below(4); i > 0; --i) task.accesses.push_back({data[i], static_cast<AccessMode>(random.below(6))});
    task.flops = 10;
    graph.tasks.push_back(std::move(task));
  }
  return graph;
}

}  // namespace

TEST_CASE("a graph runs each task once and in order") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    Runtime rt(test::with_workers(4));
    const auto workload = make_graph_workload(random_graph(seed, 300));
    CHECK(workload->tasks() == 300);
    CHECK(workload->flops() == 3000);
    CHECK(workload->footprint() == Bytes(0));
    const workloads::WorkloadResult result = workloads::run(rt, *workload);
    CAPTURE(result.remarks);
    // Folds of reductions are bodies, too: the count of bodies is not that of tasks.
    CHECK(workload->verify(rt).verified == true);
  }
}

TEST_CASE("a graph's workload notices tasks that did not run") {
  Runtime rt(test::with_workers(1));
  const auto workload = make_graph_workload(random_graph(1, 10));
  workload->generate(rt);
  const auto found = workload->verify(rt);
  CHECK(found.verified == false);
  CHECK(found.remark.find("ran 0 times") != std::string::npos);
}

TEST_CASE("bodies of a graph take their time, scaled") {
  TaskGraph graph;
  graph.tasks = {{.name = "a", .seconds = 0.02}, {.name = "b", .after = {0}, .seconds = 0.02}};
  for (const double scale : {0.0, 1.0, 2.0}) {
    Runtime rt(test::with_workers(2));
    const auto workload = make_graph_workload(graph, scale);
    const workloads::WorkloadResult result = workloads::run(rt, *workload);
    CHECK(result.verified == true);
    CHECK(result.makespan.value >= 0.04 * scale);
  }
  CHECK_THROWS_AS(make_graph_workload(graph, -1.0), ConfigError);
  CHECK_THROWS_AS(make_graph_workload(graph, std::nan("")), ConfigError);
  graph.tasks[1].after = {1};
  CHECK_THROWS_AS(make_graph_workload(graph), Error);
}

TEST_CASE("tasks of a graph have its names, priorities and costs") {
  TaskGraph graph;
  graph.data = {{"x", 3, 2, 8}};
  graph.tasks = {{.name = "first", .priority = 7, .accesses = {{0, AccessMode::write}}, .flops = 5, .bytes = 6, .seconds = 0.25}};
  Runtime rt(test::with_workers(1));
  const auto workload = make_graph_workload(graph, 2.0);
  workload->generate(rt);
  const RecordedGraph recorded = rt.record([&] { workload->submit(rt); });
  const TaskRef task(&recorded.storage()->nodes[0]);
  CHECK(std::string(task.name()) == "first");
  CHECK(task.priority() == 7);
  CHECK(task.work().known);
  CHECK(task.work().flops == 5);
  CHECK(task.work().bytes == 6);
  CHECK(task.work().seconds == 0.5);
  CHECK(task.access(0).bytes() == Bytes(48));
}

TEST_CASE("tasks of a graph run on simulated GPUs where a model knows what they cost there") {
  TaskGraph graph;
  for (std::uint32_t t = 0; t < 60; ++t) {
    graph.data.push_back({detail::message("x", t), 960, 960, 8});
    graph.tasks.push_back({.name = "product", .accesses = {{t, AccessMode::readwrite}}, .flops = 2.0 * 960 * 960 * 960});
  }
  const auto gpu_tasks = [](const TaskGraph& of) {
    Config config;
    config.backend = "sim";
    config.machine = "mirage";
    config.scheduler = "dmda";
    Runtime rt(config);
    const auto workload = make_graph_workload(of);
    const workloads::WorkloadResult result = workloads::run(rt, *workload);
    CHECK(result.simulation->tasks == 60);
    return result.simulation->classes.at(1).tasks;
  };
  CHECK(gpu_tasks(graph) > 30);
  for (GraphTask& task : graph.tasks) task.seconds = 0.1;  // on a core; flops still say what a GPU needs
  CHECK(gpu_tasks(graph) > 30);
  for (GraphTask& task : graph.tasks) task.flops = 0;
  CHECK(gpu_tasks(graph) == 0);
  for (GraphTask& task : graph.tasks) task.gpu_seconds = 0.01;  // ten times as fast there
  CHECK(gpu_tasks(graph) > 30);
  for (GraphTask& task : graph.tasks) task.seconds = 0;  // on GPUs alone
  CHECK(gpu_tasks(graph) == 60);
  for (GraphTask& task : graph.tasks) task.gpu_seconds = 0;
  // A name alone, of which the machine file has a measured kernel.
  for (GraphTask& task : graph.tasks) task.seconds = 0, task.name = "gemm";
  CHECK(gpu_tasks(graph) > 30);
}

TEST_CASE("published graphs run live") {
  const std::string file = test::shared_data("stg/stg100_0007.stg");
  if (file.empty()) return;
  for (const char* name : {"stg/stg100_0007.stg", "wfcommons/srasearch-chameleon-10a-001.json"}) {
    Runtime rt(test::with_workers(3));
    const auto workload = make_graph_workload(workloads::read_graph_file(test::shared_data(name)), 1e-6);
    CHECK(workloads::run(rt, *workload).verified == true);
  }
}
