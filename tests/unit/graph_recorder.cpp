// A live run writes the graph that was submitted: tasks, data, edges, work, times; children, replays and failures too.
#include <chrono>
#include <filesystem>
#include <mitra/mitra.hpp>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "observe/graph_writer.hpp"
#include "support/catch.hpp"
#include "support/runtimes.hpp"
#include "workloads/graph_files/graph_file.hpp"
#include "workloads/graph_workload.hpp"
#include "workloads/workload.hpp"

using namespace mitra;

namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

/// Runs `program` on a Runtime that records. @returns What it wrote.
template <class Program>
TaskGraph recorded(Program&& program, unsigned workers = 3) {
  const auto folder = std::filesystem::temp_directory_path();
  const std::string path = folder / ("mitra_test_recorded_" + std::to_string(::getpid()) + ".mgraph");
  Config config = test::with_workers(workers);
  config.record_graph = path;
  {
    Runtime rt(config);
    program(rt);
  }
  TaskGraph graph = workloads::read_graph_file(path);
  std::filesystem::remove(path);
  return graph;
}

std::vector<std::string> names(const TaskGraph& graph) {
  std::vector<std::string> list;
  for (const GraphTask& task : graph.tasks) list.push_back(task.name);
  return list;
}

}  // namespace

TEST_CASE("a recorded run has the tasks, data and edges that were submitted") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    std::vector<double> x(10), unused(3);
    auto X = rt.data(x, "x"), U = rt.data(unused, "unused");
    auto M = rt.matrix<float>(4, 6, "M").tiled(4, 3);
    auto token = rt.token("go");
    const auto scale = codelet("scale").cpu([](View<double> v, double) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); v[0] = 1; })
                           .cost([](View<const double> v, double) { return Work{.flops = double(v.size()), .bytes = 8.0 * double(v.size())}; });
    const Task first = rt.submit({.priority = 4}, scale, X.readwrite(), 2.0);
    rt.submit("tile", [](View<const double>, Tile<float>) {}, X.read(), M(0, 1).write());
    rt.submit({.name = "after", .after = {first}}, [] {}, token.commute());
    rt.submit("again", [](Tile<const float>) {}, M(0, 1).read(), token.write());
    rt.wait();
  });
  CHECK(names(graph) == std::vector<std::string>{"scale", "tile", "after", "again"});
  REQUIRE(graph.data.size() == 3);  // the unused one is left out
  CHECK(graph.data[0].name == "x");
  CHECK(graph.data[0].rows == 10);
  CHECK(graph.data[0].element_size == 8);
  CHECK(graph.data[1].name == "M(0,1)");
  CHECK(graph.data[1].rows == 4);
  CHECK(graph.data[1].cols == 3);
  CHECK(graph.data[1].element_size == 4);
  CHECK(graph.data[2].name == "go");
  CHECK(graph.tasks[0].priority == 4);
  CHECK(graph.tasks[0].flops == 10);
  CHECK(graph.tasks[0].bytes == 80);
  CHECK(graph.tasks[0].seconds >= 0.02);
  CHECK(graph.tasks[0].seconds < 2.0);
  CHECK(graph.tasks[1].seconds < 0.02);
  CHECK(graph.tasks[2].after == std::vector<std::uint32_t>{0});
  REQUIRE(graph.tasks[1].accesses.size() == 2);
  CHECK(graph.tasks[1].accesses[0].mode == AccessMode::read);
  CHECK(graph.tasks[1].accesses[1].mode == AccessMode::write);
  CHECK(predecessors_of(graph) == Edges{{}, {0}, {0}, {1, 2}});
}

TEST_CASE("a recorded run of a graph is that graph") {
  TaskGraph original;
  original.data = {{"a", 2, 3, 8}, {"b", 5, 1, 4}};
  original.tasks = {{.name = "p", .priority = 1, .accesses = {{0, AccessMode::write}}, .flops = 7},
                    {.name = "q", .accesses = {{0, AccessMode::read}, {1, AccessMode::reduce}}},
                    {.name = "q", .accesses = {{0, AccessMode::read}, {1, AccessMode::reduce}}},
                    {.name = "r", .after = {0}, .accesses = {{1, AccessMode::read}}},
                    {.name = "s", .accesses = {{0, AccessMode::commute}}, .bytes = 9}};
  TaskGraph graph = recorded([&](Runtime& rt) {
    const auto workload = workloads::make_graph_workload(original);
    workload->generate(rt);
    workload->submit(rt);
    rt.wait();
  });
  for (GraphTask& task : graph.tasks) {
    CHECK(task.seconds > 0.0);
    task.seconds = 0.0;
  }
  CHECK(observe::write_graph(graph) == observe::write_graph(original));
}

TEST_CASE("a recorded Cholesky has its edges") {
  const TaskGraph graph = recorded([](Runtime& rt) { CHECK(workloads::run(rt, "cholesky", {{"n", "64"}, {"tile", "16"}}).verified == true); });
  std::size_t gemms = 0;
  for (const GraphTask& task : graph.tasks) {
    gemms += task.name == "gemm" ? 1 : 0;
    if (task.name == "gemm") CHECK(task.flops == 2.0 * 16 * 16 * 16);
  }
  CHECK(gemms == 4);
  CHECK(graph.tasks.size() == 10 + 20);  // tiles filled, tasks of the factorisation
}

TEST_CASE("children of a task follow it in a recorded run, and come before later tasks") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    int x = 0, y = 0;
    auto X = rt.data(x, "x"), Y = rt.data(y, "y");
    rt.submit("parent", [&rt, X](int&) {
      rt.submit("child", [](int& v) { ++v; }, X.readwrite());
      const Task second = rt.submit("child", [&rt, X](int& v) {
        ++v;
        rt.submit("grandchild", [](int& w) { ++w; }, X.readwrite());
      }, X.readwrite());
      rt.submit({.name = "last child", .after = {second}}, [] {});
    }, X.readwrite());
    rt.submit("other", [](int& v) { ++v; }, Y.readwrite());
    rt.submit("reader", [](const int& v) { CHECK(v == 3); }, X.read());
    rt.wait();
  });
  CHECK(names(graph) == std::vector<std::string>{"parent", "child", "child", "grandchild", "last child", "other", "reader"});
  CHECK(predecessors_of(graph) == Edges{{}, {0}, {1}, {2}, {2}, {}, {3}});
}

TEST_CASE("the time of a body that waits is its own") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    rt.submit("parent", [&rt] {
      rt.submit("child", [] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); });
      rt.wait();
    });
    rt.wait();
  }, 1);
  REQUIRE(graph.tasks.size() == 2);
  CHECK(graph.tasks[1].seconds >= 0.2);
  CHECK(graph.tasks[0].seconds < 0.15);
}

TEST_CASE("each replay of a recorded graph is in a recorded run") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    int x = 0;
    long sum = 0;
    auto X = rt.data(x, "x");
    auto S = rt.data(sum, "sum");
    const RecordedGraph loop = rt.record([&] {
      const Task add = rt.submit("add", [](int& v) { ++v; }, X.readwrite());
      for (int i = 0; i < 2; ++i) rt.submit("reduce", [](const int&, long& s) { s += 1; }, X.read(), S.reduce(Sum{}));
      rt.submit({.name = "beside", .after = {add}}, [] {});
    });
    rt.submit("before", [](int& v) { v = 5; }, X.write());
    rt.replay(loop);
    const Task second = rt.replay(loop);
    rt.submit({.name = "end", .after = {second}}, [] {});
    rt.wait();
    CHECK(x == 7);
    CHECK(sum == 4);
  });
  CHECK(names(graph) == std::vector<std::string>{"before", "add", "reduce", "reduce", "beside", "add", "reduce", "reduce", "beside", "end"});
  for (const GraphTask& task : graph.tasks) CHECK(task.seconds > 0.0);
  const Edges edges = predecessors_of(graph);
  CHECK(edges[1] == std::vector<std::uint32_t>{0});
  CHECK(edges[2] == std::vector<std::uint32_t>{1});
  CHECK(graph.tasks[2].after.empty());  // its access says so already
  CHECK(graph.tasks[4].after == std::vector<std::uint32_t>{1});
  CHECK(edges[5] == std::vector<std::uint32_t>{2, 3});
  CHECK(graph.tasks[8].after == std::vector<std::uint32_t>{5});
  CHECK(graph.tasks[9].after == std::vector<std::uint32_t>{5, 6, 7, 8});
}

TEST_CASE("tasks that fail or never run are in a recorded run") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    int x = 0;
    auto X = rt.data(x);
    rt.submit("fails", [](int&) { throw std::runtime_error("on purpose"); }, X.readwrite());
    rt.submit("never runs", [](int&) {}, X.readwrite());
    CHECK_THROWS_AS(rt.wait(), TaskError);
  });
  REQUIRE(graph.tasks.size() == 2);
  CHECK(graph.tasks[0].seconds > 0.0);
  CHECK(graph.tasks[1].seconds == 0.0);
}

TEST_CASE("a datum that takes the address of another one is told from it") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    for (std::size_t i = 1; i <= 20; ++i) {
      auto x = rt.vector<double>(i, detail::message('x', i));
      rt.submit("use", [](View<double>) {}, x.write());
      rt.wait();
    }
  });
  REQUIRE(graph.data.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(graph.data[i].rows == i + 1);
    CHECK(graph.tasks[i].accesses.at(0).datum == i);
  }
}

TEST_CASE("threads that submit at the same time are all recorded") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    long x = 0;
    auto X = rt.data(x);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) rt.submit("add", [](long& v) { ++v; }, X.readwrite());
      });
    for (std::thread& thread : threads) thread.join();
    rt.wait();
    CHECK(x == 2000);
  });
  REQUIRE(graph.tasks.size() == 2000);
  for (const GraphTask& task : graph.tasks) CHECK(task.seconds > 0.0);
}

TEST_CASE("a graph that cannot be written is told of at the start, or in the report") {
  Config config = test::with_workers(1);
  config.record_graph = "/nonexistent/run.mgraph";
  CHECK_THROWS_AS(Runtime(config), ConfigError);
  CHECK_THROWS_WITH(Runtime(config), test::contains("record_graph: /nonexistent/run.mgraph: the graph cannot be written: open: No such file"));

  const auto folder = std::filesystem::temp_directory_path() / ("mitra_test_lost_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  config.record_graph = folder / "run.mgraph";
  std::string reported;
  config.report = [&](std::string_view text) { reported = text; };
  {
    Runtime rt(config);
    std::filesystem::remove(folder);
  }
  CHECK_THAT(reported, test::contains("the graph of this run is not written (MITRA_RECORD_GRAPH): "));
  CHECK_THAT(reported, test::contains("No such file or directory"));
}

TEST_CASE("a run without tasks is a graph without tasks") {
  const TaskGraph graph = recorded([](Runtime&) {});
  CHECK(graph.tasks.empty());
  CHECK(graph.data.empty());
}

TEST_CASE("transitions between a whole and its parts are tasks of the file: the edges follow from the accesses") {
  const TaskGraph graph = recorded([](Runtime& rt) {
    std::vector<double> x(10);
    auto X = rt.data(x, "x");
    auto B = X.blocked(5);
    rt.submit("left", [](View<double>) {}, B(0).write());
    rt.submit("right", [](View<double>) {}, B(1).write());
    rt.submit("whole", [](View<double>) {}, X.readwrite());
    rt.submit("left again", [](View<double>) {}, B(0).readwrite());
    rt.submit("right again", [](View<double>) {}, B(1).readwrite());
    rt.wait();
  });
  CHECK(names(graph) == std::vector<std::string>{"left", "right", "gather", "whole", "split", "left again", "right again"});
  CHECK(predecessors_of(graph) == Edges{{}, {}, {0, 1}, {2}, {2, 3}, {4}, {4}});
}
