// Data in parts on machines with several memories, in virtual time: what transitions move, and what tasks that can be split
// are good for.
#include <array>
#include <memory>
#include <mitra/expected_end.hpp>
#include <mitra/lower_bounds.hpp>
#include <mitra/mitra.hpp>
#include <mitra/simulation_report.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/machines.hpp"

using namespace mitra;

namespace {

/// One device beside two cores; a copy of 8 kB takes 8 s, a task 1 s.
Config one_device(const std::string& scheduler = "eager") {
  return test::simulated_on("one_device", R"(
name = "one-device"
summary = "a device at the end of a slow bus"
[class.cpu]
kind = "cpu"
count = 2
memory = "dram"
[class.gpu]
kind = "hip"
count = 1
memory = "hbm"
[memory.dram]
capacity = "64 kB"
[memory.hbm]
capacity = "64 kB"
[[link]]
name = "bus"
between = ["dram", "hbm"]
bandwidth = "1 kB/s"
latency = "0 s"
)", scheduler);
}

const auto seconds = [](auto&&...) { return Work{.seconds = 1.0, .gpu_seconds = 1.0}; };
const auto on_device = codelet("device").hip([](HipStream, auto&&...) {}).cost(seconds);
const auto on_core = codelet("core").cpu([](auto&&...) {}).cost(seconds);

}  // namespace

TEST_CASE("a gather moves the parts home that lie elsewhere, a split the whole, and nothing twice") {
  Runtime rt(one_device());
  Vector<double> x = rt.vector<double>(1000, "x");
  auto B = x.blocked(500);
  rt.submit(on_device, B(0).write());
  rt.submit(on_core, B(1).write());
  rt.wait();
  CHECK(rt.simulation()->memory.transfers == 0);
  rt.submit(on_core, x.read());
  rt.wait();
  CHECK(rt.simulation()->memory.from_device == Bytes(4000));
  CHECK(rt.simulation()->makespan == Seconds(1.0 + 4.0 + 1.0));
  rt.submit(on_device, B(0).read());  // still there
  rt.wait();
  CHECK(rt.simulation()->memory.to_device == Bytes(0));
  rt.submit(on_device, x.readwrite());
  rt.wait();
  CHECK(rt.simulation()->memory.to_device == Bytes(8000));
  rt.submit(on_device, B(0).readwrite());  // through the host
  rt.wait();
  CHECK(rt.simulation()->memory.from_device == Bytes(12000));
  CHECK(rt.simulation()->memory.to_device == Bytes(12000));
  CHECK(rt.statistics().transitions == 3);
  rt.submit(on_core, x.readwrite());
  rt.wait();
  CHECK(rt.simulation()->memory.from_device == Bytes(16000));
}

TEST_CASE("who overwrites a whole does not wait for its parts to come home") {
  Runtime rt(one_device());
  Vector<double> x = rt.vector<double>(1000, "x");
  auto B = x.blocked(500);
  rt.submit(on_device, B(0).write());
  rt.submit(on_device, B(1).write());
  rt.submit(on_core, x.write());
  rt.wait();
  CHECK(rt.simulation()->memory.transfers == 0);
  CHECK(rt.simulation()->makespan == Seconds(3.0));
}

TEST_CASE("a tree takes the room of its root on the host, once") {
  Runtime rt(one_device());
  Vector<double> x = rt.vector<double>(8000, "x");  // all of it
  auto B = x.blocked(1000);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 8; ++i) rt.submit(on_core, B(i).readwrite());
    for (int i = 0; i < 8; ++i) rt.submit(on_core, B(i).blocked(500)(1).readwrite());
    rt.submit(on_core, x.readwrite());
  }
  CHECK_NOTHROW(rt.wait());
  CHECK(rt.simulation()->memory.peak[0].second == Bytes(64000));
}

TEST_CASE("children on parts of what their parent read leave replicas that the next writer makes stale") {
  Config config = one_device();
  config.execute = true;
  Runtime rt(config);
  std::vector<double> values(1000, 1.0);
  auto x = rt.data(values, "x");
  const auto cost = [](View<const double>) { return Work{.seconds = 1.0, .gpu_seconds = 1.0}; };
  const auto child = codelet("child").cpu([](View<const double>) {}).hip_modelled().cost(cost);
  const auto parent = codelet("parent").cpu([&](View<const double>) {
    for (int i = 0; i < 2; ++i) rt.submit(child, x.blocked(500)(i).read());
  }).cost(cost);
  const auto writer = codelet("writer").cpu([](View<double> v) { v[0] += 1.0; }).hip_modelled().cost(cost);
  for (int round = 0; round < 4; ++round) {
    rt.submit(parent, x.read());
    rt.submit(parent, x.read());
    rt.submit(writer, x.readwrite());
    rt.submit(writer, x.blocked(500)(0).readwrite());
  }
  CHECK_NOTHROW(rt.wait());
  CHECK(values[0] == 9.0);
}

TEST_CASE("a transition behind a failed task takes place all the same: the tree is usable on all memories") {
  Config config = one_device();
  config.execute = true;
  Runtime rt(config);
  std::vector<double> values(1000, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(500);
  const auto cost = [](View<const double>) { return Work{.seconds = 1.0, .gpu_seconds = 1.0}; };
  const auto bad = codelet("bad").cpu([](View<double>) { throw std::runtime_error("on purpose"); }).hip_modelled().cost(cost);
  const auto good = codelet("good").cpu([](View<double> v) { v[0] += 1.0; }).hip_modelled().cost(cost);
  for (int round = 0; round < 3; ++round) {
    rt.submit(bad, B(0).readwrite());
    rt.submit(good, x.readwrite());
    rt.submit(good, B(1).readwrite());
    CHECK_THROWS_AS(rt.wait(), TaskError);
    rt.submit(good, B(1).readwrite());
    rt.submit(good, x.readwrite());
    CHECK_NOTHROW(rt.wait());
  }
  CHECK(values[0] == 4.0);
  CHECK(values[500] == 4.0);
}

// ------------------------------------------------------------------------------------------------ whole or split

namespace {

/// dmdas, which notes what ran where.
class Watched final : public ExpectedEnd {
 public:
  using Counts = std::array<std::array<int, 2>, kWorkerKinds>;  // by kind of worker: large, small
  Watched(Splitting splitting, Counts& counts) : ExpectedEnd(options(splitting)), counts_(counts) {}
  bool watches_completions() const override { return true; }
  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override {
    if (task.access_count() != 3) return;  // the products
    const Machine& machine = view.machine();
    const auto kind = machine.classes[machine.workers[measured.worker.index()].worker_class.index()].kind;
    ++counts_[static_cast<std::size_t>(kind)][task.can_split() ? 0 : 1];
  }

 private:
  static ExpectedEndOptions options(Splitting splitting) {
    ExpectedEndOptions options;
    options.transfers = options.by_priority = true;
    options.window = 16;
    options.contention = 0.0;
    options.splitting = splitting;
    return options;
  }
  Counts& counts_;
};

/// C := C + A B on a machine with two GPUs and 32 cores. @returns Seconds of virtual time.
double product(Splitting splitting, Watched::Counts& counts) {
  Config config = test::simulated_on("gpus_and_cores", R"(
name = "gpus-and-cores"
summary = "small products are slow on its GPUs"
[class.gpu]
kind = "hip"
count = 2
memory = "hbm"
pipeline = 2
kernel_overhead = "1 ms"
peak.fp64 = "1 TFLOP/s"
[class.cpu]
kind = "cpu"
count = 32
memory = "dram"
peak.fp64 = "30 GFLOP/s"
[memory.dram]
[memory.hbm]
count = 2
[[link]]
name = "pcie"
between = ["dram", "hbm"]
bandwidth = "50 GB/s"
)", "eager");
  config.policy = [&] { return std::make_unique<Watched>(splitting, counts); };
  Runtime rt(config);
  rt.keep_graph();
  const auto cost = [](auto, auto, auto c) {
    return Work{.flops = 2.0 * static_cast<double>(c.rows()) * static_cast<double>(c.cols()) * static_cast<double>(c.rows())};
  };
  const auto small = codelet("gemm").cpu([](Tile<const double>, Tile<const double>, Tile<double>) {}).hip_modelled().cost(cost);
  const auto large = small.split([small](Runtime& sub, TileRef<double> a, TileRef<double> b, TileRef<double> c) {
    auto A = a.tiled(256, 256), B = b.tiled(256, 256), C = c.tiled(256, 256);
    for (int k = 0; k < 4; ++k)
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 4; ++i) sub.submit(small, A(i, k).read(), B(k, j).read(), C(i, j).readwrite());
  });
  const std::size_t tiles = 5, tile = 1024;
  auto A = rt.matrix<double>(tiles * tile, tiles * tile, "A").tiled(tile, tile);
  auto B = rt.matrix<double>(tiles * tile, tiles * tile, "B").tiled(tile, tile);
  auto C = rt.matrix<double>(tiles * tile, tiles * tile, "C").tiled(tile, tile);
  for (std::size_t k = 0; k < tiles; ++k)
    for (std::size_t j = 0; j < tiles; ++j)
      for (std::size_t i = 0; i < tiles; ++i) rt.submit(large, A(i, k).read(), B(k, j).read(), C(i, j).readwrite());
  rt.wait();
  const SimulationReport report = *rt.simulation();
  CHECK(lower_bounds(report.bounds).best.value <= report.makespan.value * (1.0 + 1e-9));
  return report.makespan.value;
}

}  // namespace

TEST_CASE("large tiles go to GPUs and small ones to cores in one graph, which ends earlier than with either alone") {
  Watched::Counts whole{}, split{}, both{};
  const double large = product(Splitting::never, whole), small = product(Splitting::always, split), mixed = product(Splitting::automatic, both);
  const auto cpu = static_cast<std::size_t>(WorkerKind::cpu), hip = static_cast<std::size_t>(WorkerKind::hip);
  CHECK(whole[cpu][1] + whole[hip][1] == 0);
  CHECK(split[cpu][0] + split[hip][0] == 0);
  CHECK(split[cpu][1] + split[hip][1] == 125 * 64);
  INFO(large << " s with large tiles, " << small << " s with small ones, " << mixed << " s with both");
  // Of the mixed one: most large ones on GPUs, most small ones on cores, and work for both.
  CHECK(both[hip][0] > 60);
  CHECK(both[cpu][1] > 10 * 64);
  CHECK(both[cpu][0] <= both[hip][0] / 4);
  CHECK(both[hip][1] <= both[cpu][1] / 4);
  CHECK(mixed < 0.95 * large);
  CHECK(mixed < 0.95 * small);
}

TEST_CASE("a rehearsal knows how tasks on a whole and on its parts follow each other") {
  const auto run = [](const std::string& scheduler) {
    Runtime rt(one_device(scheduler));
    Vector<double> x = rt.vector<double>(1000, "x");
    auto B = x.blocked(100);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10; ++i) rt.submit(on_core, B(i).readwrite());
      rt.submit(on_core, x.readwrite());
    }
    rt.wait();
    return rt.simulation()->makespan;
  };
  CHECK(run("mitra:think=1e6") == Seconds(3 * (5.0 + 1.0)));
  CHECK(run("lookahead") == Seconds(3 * (5.0 + 1.0)));
}
