// The workloads: names and parameters, results that verify and wrong ones that do not, what their graphs state.
#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <mitra/mitra.hpp>
#include <mitra/recorded_graph.hpp>
#include <mitra/registry.hpp>

#include "support/catch.hpp"
#include "support/runtimes.hpp"
#include "workloads/blas.hpp"
#include "workloads/metg.hpp"
#include "workloads/overhead_graph.hpp"
#include "workloads/workload.hpp"

extern "C" int openblas_get_num_threads();
extern "C" void openblas_set_num_threads(int);

using namespace mitra;
using namespace mitra::workloads;
using test::contains;
using test::with_workers;

namespace {

/// Small, and with tiles that do not divide the order.
GivenValues small(const WorkloadInfo& info) {
  const std::map<std::string, std::string> values{{"n", "70"},    {"tile", "16"},      {"steps", "9"},
                                                  {"width", "6"}, {"iterations", "3"}, {"radix", "3"}};
  GivenValues given;
  for (const ParameterInfo& parameter : info.parameters)
    if (const auto found = values.find(parameter.name); found != values.end()) given.insert(*found);
  return given;
}

std::unique_ptr<Workload> make_small(const WorkloadInfo& info) {
  return make_workload(info, Parameters(info.name, info.parameters, small(info)));
}

}  // namespace

TEST_CASE("the issue's workloads are registered, each with a line and defaults that it accepts") {
  std::vector<std::string> names;
  for (const WorkloadInfo& info : workloads::workloads()) {
    names.push_back(info.name);
    CHECK_FALSE(info.summary.empty());
    CHECK_NOTHROW(make_workload(info, Parameters(info.name, info.parameters)));
  }
  CHECK(names == std::vector<std::string>{"cholesky", "gemm", "stencil", "trivial", "no_comm", "stencil_1d",
                                          "stencil_1d_periodic", "dom", "tree", "fft", "all_to_all", "nearest",
                                          "spread", "random_nearest"});
}

TEST_CASE("an unknown workload, parameter or value is refused with the known ones") {
  Runtime rt(with_workers(1));
  CHECK_THROWS_AS(workloads::run(rt, "cholesk"), ConfigError);
  CHECK_THROWS_WITH(workloads::run(rt, "cholesk"), contains("unknown workload 'cholesk'; known: cholesky, gemm,"));
  CHECK_THROWS_WITH(workloads::run(rt, "cholesky", {{"width", "3"}}),
                    "the workload 'cholesky' has no parameter 'width'; known: n, tile, precision, seed");
  CHECK_THROWS_WITH(workloads::run(rt, "cholesky", {{"n", "-3"}}), contains("cholesky: n is a whole number from 1 to"));
  CHECK_THROWS_WITH(workloads::run(rt, "cholesky", {{"n", "12x"}}), contains("not '12x'"));
  CHECK_THROWS_WITH(workloads::run(rt, "cholesky", {{"n", "99999999999999999999"}}), contains("n is a whole number"));
  CHECK_THROWS_WITH(workloads::run(rt, "cholesky", {{"n", "100000"}, {"tile", "1"}}), contains("choose a larger tile"));
  CHECK_THROWS_WITH(workloads::run(rt, "gemm", {{"precision", "half"}}), contains("known: double, float"));
  CHECK_THROWS_WITH(workloads::run(rt, "fft", {{"kernel", "none"}}), contains("known: empty, busy, compute"));
  CHECK_THROWS_WITH(workloads::run(rt, "fft", {{"grain", "nan"}}), contains("grain is a number of at least 0"));
  CHECK_THROWS_WITH(workloads::run(rt, "fft", {{"fields", "1"}}), contains("fields is 0"));
}

TEST_CASE("data that the machine has no memory for are refused before the run") {
  Runtime rt(with_workers(1));
  if (rt.machine().memory_nodes.front().capacity == Bytes{}) return;  // unknown: nothing to compare with
  CHECK_THROWS_WITH(workloads::run(rt, "gemm", {{"n", "10000000"}, {"tile", "10000"}}),
                    contains("choose a smaller size"));
}

TEST_CASE("every workload verifies at a small size, with few and with many workers") {
  for (const unsigned workers : {1U, 2U, 7U}) {
    Runtime rt(with_workers(workers));
    for (const WorkloadInfo& info : workloads::workloads()) {
      INFO(info.name << " with " << workers << " workers");
      const WorkloadResult result = workloads::run(rt, info.name, small(info));
      CHECK(result.verified == true);
      CHECK(result.tasks > 0);
      CHECK(result.makespan >= result.submit);
    }
  }
}

TEST_CASE("every workload verifies under every policy") {
  for (const PolicyInfo* policy : schedulers()) {
    Runtime rt(with_workers(3, policy->name));
    for (const WorkloadInfo& info : workloads::workloads()) {
      INFO(info.name << " under " << policy->name);
      CHECK(workloads::run(rt, info.name, small(info)).verified == true);
    }
  }
}

TEST_CASE("sizes at the edges: one element, one tile, a tile larger than the matrix, tiles of one element") {
  Runtime rt(with_workers(2));
  for (const char* name : {"cholesky", "gemm", "stencil"})
    for (const auto& [n, tile] : {std::pair("1", "1"), {"1", "9"}, {"8", "8"}, {"8", "100"}, {"9", "8"}, {"5", "1"}}) {
      INFO(name << " n=" << n << " tile=" << tile);
      CHECK(workloads::run(rt, name, {{"n", n}, {"tile", tile}}).verified == true);
    }
  for (const char* precision : {"double", "float"})
    for (const char* name : {"cholesky", "gemm"})
      CHECK(workloads::run(rt, name, {{"n", "100"}, {"tile", "32"}, {"precision", precision}}).verified == true);
  for (const char* fields : {"0", "2", "3"})
    CHECK(workloads::run(rt, "stencil_1d", {{"width", "5"}, {"steps", "20"}, {"kernel", "empty"}, {"fields", fields}})
              .verified == true);
}

TEST_CASE("input that was never factorised, iterated or computed on does not verify") {
  Runtime rt(with_workers(2));
  for (const char* name : {"cholesky", "stencil"}) {
    INFO(name);
    const WorkloadInfo& info = find_workload(name);
    GivenValues given = small(info);
    if (given.contains("steps"))
      given["steps"] = std::string("2");  // an even number: the result would lie where the input is
    const auto workload = make_workload(info, Parameters(info.name, info.parameters, given));
    workload->generate(rt);
    rt.wait();
    CHECK(workload->verify(rt).verified == false);
  }
}

TEST_CASE("the same seed gives the same input, and another seed another one") {
  Runtime rt(with_workers(2));
  const auto residual = [&](const char* seed) {
    return workloads::run(rt, "cholesky", {{"n", "60"}, {"tile", "20"}, {"seed", seed}}).residual;
  };
  CHECK(residual("1") == residual("1"));
  CHECK(residual("1") != residual("2"));
}

TEST_CASE("every task of every workload states its cost, and the flops sum to the workload's") {
  Runtime rt(with_workers(1));
  for (const WorkloadInfo& info : workloads::workloads()) {
    INFO(info.name);
    const auto workload = make_small(info);
    workload->generate(rt);
    const RecordedGraph graph = rt.record([&] { workload->submit(rt); });
    CHECK(graph.size() == workload->tasks());
    double flops = 0;
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const Work work = graph.task(i).work();
      CHECK(work.known);
      CHECK(work.bytes > 0);
      flops += work.flops;
    }
    CHECK(flops == Approx(workload->flops()));

    rt.replay(graph);
    rt.wait();
    CHECK(workload->verify(rt).verified == true);
  }
}

TEST_CASE("cholesky's priorities fall along every edge of its graph") {
  Runtime rt(with_workers(1));
  const auto workload = make_small(find_workload("cholesky"));
  workload->generate(rt);
  const RecordedGraph graph = rt.record([&] { workload->submit(rt); });
  for (std::size_t i = 0; i < graph.size(); ++i)
    for (const std::uint32_t next : graph.successors(i)) CHECK(graph.task(i).priority() > graph.task(next).priority());
  CHECK(graph.task(graph.size() - 1).priority() == 1);
}

TEST_CASE("BLAS has one thread while a guard lives, and what it had before afterwards") {
  const int before = openblas_get_num_threads();
  openblas_set_num_threads(2);
  const int wanted = openblas_get_num_threads();  // a build of OpenBLAS without threads stays at 1
  {
    const SingleThreadedBlas outer;
    {
      const SingleThreadedBlas inner;
      CHECK(openblas_get_num_threads() == 1);
    }
    CHECK(openblas_get_num_threads() == 1);
  }
  CHECK(openblas_get_num_threads() == wanted);
  openblas_set_num_threads(before);
}

TEST_CASE("the benchmark graphs have the tasks and edges that they promise") {
  Runtime rt(with_workers(2));
  CHECK_THROWS_WITH(overhead_pattern("ring"),
                    "unknown benchmark pattern 'ring'; known: independent, independent_data, chain, "
                    "stencil_1d, cholesky");
  OverheadSize size;
  size.tasks = 100;
  size.width = 10;
  size.tiles = 5;
  const std::map<std::string_view, std::pair<std::size_t, std::size_t>> expected{// tasks, edges
                                                                                 {"independent", {100, 0}},
                                                                                 {"independent_data", {100, 0}},
                                                                                 {"chain", {100, 99}},
                                                                                 {"cholesky", {35, 60}}};
  for (const std::string_view name : kOverheadPatterns)
    for (const std::uint64_t iterations : {0U, 1U}) {
      INFO(name);
      size.iterations = iterations;
      OverheadGraph graph(rt, overhead_pattern(name), size);
      const std::uint64_t before = rt.statistics().executed;
      graph.submit();
      rt.wait();
      CHECK(rt.statistics().executed - before == graph.tasks());

      const RecordedGraph recorded = rt.record([&] { graph.submit(); });
      CHECK(recorded.size() == graph.tasks());
      if (const auto found = expected.find(name); found != expected.end()) {
        CHECK(recorded.size() == found->second.first);
        CHECK(recorded.edge_count() == found->second.second);
      }
      rt.replay(recorded);
      rt.wait();
      CHECK(rt.statistics().executed - before == 2 * graph.tasks());
    }
}

TEST_CASE("METG is read off linearly where the efficiency falls through one half") {
  const auto points = [](std::initializer_list<std::pair<double, double>> list) {
    std::vector<MetgPoint> all;
    for (const auto& [granularity, efficiency] : list) all.push_back({1, Seconds(granularity), efficiency});
    return all;
  };
  CHECK(metg(points({{8, 0.9}, {4, 0.75}, {2, 0.25}}))->value == Approx(3.0));
  CHECK(metg(points({{8, 0.9}, {4, 0.5}, {2, 0.25}}))->value == Approx(4.0));
  CHECK(metg(points({{8, 0.9}, {4, 0.4}, {3, 0.6}, {2, 0.4}}))->value == Approx(2.5));  // a disturbed point in between
  CHECK(metg(points({{8, 0.9}, {4, 0.6}, {5, 0.3}}))->value == Approx(4.0));            // finer tasks take no less time
  CHECK_FALSE(metg(points({{8, 0.4}, {4, 0.3}})).has_value());
  CHECK_FALSE(metg(points({{8, 0.9}, {4, 0.8}})).has_value());
  CHECK_FALSE(metg({}).has_value());
}
