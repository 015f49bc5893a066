// DARTS in virtual time: how much it brings to GPUs whose memory holds a fraction of the data.
#include <cmath>
#include <tuple>
#include <utility>

#include <mitra/registry.hpp>

#include "conformance/fake_graph.hpp"
#include "conformance/fake_machine.hpp"
#include "conformance/fake_view.hpp"
#include "support/catch.hpp"
#include "support/machines.hpp"
#include "unit/simulated_run.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

constexpr std::size_t kTile = 960;
constexpr double kTileBytes = kTile * kTile * sizeof(float);

/// GPUs like a V100, with little memory each: 500 MB are 135 tiles, where a product of 20 x 20 tiles has 1200.
std::string small_gpus(unsigned gpus, int megabytes = 500) {
  return test::machine_file("small_gpus_" + std::to_string(gpus) + "_" + std::to_string(megabytes), R"(
name = "small-gpus"
[memory.ram]
[memory.gpu]
count = )" + std::to_string(gpus) + R"(
capacity = ")" + std::to_string(megabytes) + R"( MB"
[class.cpu]
kind = "cpu"
count = )" + std::to_string(gpus + 1) + R"(
memory = "ram"
peak.fp32 = "0.02 TFLOP/s"
peak.fp64 = "0.01 TFLOP/s"
[class.gpu]
kind = "hip"
count = )" + std::to_string(gpus) + R"(
memory = "gpu"
driver_core = true
pipeline = 2
kernel_overhead = "10 us"
peak.fp32 = "14 TFLOP/s"
efficiency.fp32 = 0.93
peak.fp64 = "7 TFLOP/s"
[[link]]
name = "pcie"
between = ["ram", "gpu"]
bandwidth = "12 GB/s"
latency = "8 us"
[[link]]
name = "peer"
between = ["gpu", "gpu"]
bandwidth = "9 GB/s"
latency = "8 us"
)");
}

/// Tiles that GPUs fetched, from anywhere.
double loads(const workloads::WorkloadResult& result) {
  const auto& memory = result.simulation->memory;
  return static_cast<double>((memory.to_device + memory.between_devices).value) / kTileBytes;
}

}  // namespace

TEST_CASE("darts multiplies matrices with few more loads than any order needs, and far fewer than others") {
  // 2 n^3 / sqrt(M): Hong and Kung, STOC 1981.
  const auto least = [](double tiles) { return 2.0 * tiles * tiles * tiles / std::sqrt(500e6 / kTileBytes); };
  for (const auto& [gpus, tiles, ratio] : {std::tuple{1U, 20U, 1.2}, {1U, 30U, 1.2}, {2U, 20U, 1.4}}) {
    INFO(gpus << " GPUs, " << tiles << " x " << tiles << " tiles");
    const std::string machine = small_gpus(gpus);
    const auto run = [&](const char* scheduler) {
      return SimulatedRun{machine, scheduler, "gemm", tiles, kTile, "float"}();
    };
    const auto darts = run("darts"), other = run("multiprio");
    CHECK(loads(darts) < ratio * least(tiles));
    CHECK(loads(other) > 2.5 * loads(darts));
    CHECK(test::rate(darts) > 1.2 * test::rate(other));
    CHECK(darts.simulation->memory.evictions > 0);
    for (const auto& [node, peak] : darts.simulation->memory.peak)
      if (node != "ram") CHECK(peak <= Bytes(500'000'000));
  }
}

TEST_CASE("darts leaves room for operands in memories of any size") {
  for (const auto& [megabytes, ratio] : {std::pair{100, 1.35}, {200, 1.3}, {1000, 1.35}}) {
    INFO(megabytes << " MB");
    const auto result = SimulatedRun{small_gpus(1, megabytes), "darts", "gemm", 24, kTile, "float"}();
    CHECK(loads(result) < ratio * 2.0 * 24 * 24 * 24 / std::sqrt(megabytes * 1e6 / kTileBytes));
  }
}

TEST_CASE("darts fetches less than others for a factorisation, too") {
  const std::string machine = small_gpus(2);
  const auto run = [&](const char* scheduler) { return SimulatedRun{machine, scheduler, "cholesky", 32, kTile, "float"}(); };
  const auto darts = run("darts"), other = run("multiprio");
  CHECK(loads(darts) < 0.97 * loads(other));
  CHECK(test::rate(darts) > test::rate(other));
}

TEST_CASE("darts leaves to cores what GPUs would have done sooner, and gives them what only they can do") {
  Config config;
  config.backend = "sim";
  config.scheduler = "darts";
  config.machine = small_gpus(1);
  Runtime rt(config);
  const auto both = codelet("both").cpu([](double) {}).hip_modelled().cost([](double flops) { return Work{.flops = flops}; });
  const auto core = codelet("core").cpu([](double) {}).cost([](double flops) { return Work{.flops = flops}; });
  for (int i = 0; i < 4; ++i) rt.submit(both, 1e9);
  for (int i = 0; i < 3; ++i) rt.submit(core, 1e9);
  rt.wait();
  const SimulationReport report = *rt.simulation();
  CHECK(report.classes[0].tasks == 3);
  CHECK(report.classes[1].tasks == 4);
}

TEST_CASE("darts without GPUs takes the most urgent task, as the policy of priorities does") {
  SimulatedRun run{"rhea1", "darts", "cholesky", 10};
  const auto darts = run();
  run.scheduler = "priority";
  CHECK(darts.simulation->schedule_digest == run().simulation->schedule_digest);
}

TEST_CASE("darts lets go of what the tasks to come use least, the longest unused first among equals") {
  const Machine machine = conformance::fake_machine(1, 1);
  const NodeId gpu(1);
  conformance::FakeGraph graph;
  graph.data.resize(4);
  for (detail::DataHeader& datum : graph.data) datum.shape = {.rows = 8, .cols = 1, .ld = 8, .element_size = 8};
  graph.nodes.resize(2);
  for (auto& node : graph.nodes) node.kinds = conformance::kOnHip;
  graph.nodes[0].accesses = {{0, AccessMode::read}, {1, AccessMode::read}};
  graph.nodes[1].accesses = {{1, AccessMode::read}};
  const conformance::FakeTask first(graph, 0), second(graph, 1);
  const auto refs = [&](std::initializer_list<std::size_t> data) {
    std::vector<AccessRef> all;
    for (const std::size_t d : data) all.emplace_back(detail::AccessWord(&graph.data[d], AccessMode::read));
    return all;
  };

  const auto policy = make_scheduler("darts");
  conformance::FakeView view(machine, 1);
  policy->start(view);
  policy->ready(first.ref(), view);
  policy->ready(second.ref(), view);
  CHECK(policy->victim(gpu, refs({1, 0}), view) == 1);
  CHECK(policy->victim(gpu, refs({1, 3, 2}), view) == 1);
  CHECK((policy->next(WorkerId(1), view) == second.ref()));  // the first lacks datum 0 now
}
