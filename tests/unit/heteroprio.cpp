// HeteroPrio in virtual time: against the reference values of the same method, and what each of its rules is worth.
#include "support/catch.hpp"
#include "support/machines.hpp"
#include "unit/simulated_run.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

/// Mirage without transfers: the GPUs work in the host's memory, and have nothing to fetch ahead.
std::string mirage_without_transfers(bool can_abort) {
  const std::string abort = can_abort ? "can_abort = true\n" : "";
  return test::machine_file(can_abort ? "mirage_abort" : "mirage_shared",
                            "extends = \"mirage\"\n[class.cpu]\n" + abort + "[class.gpu]\nmemory = \"ram\"\npipeline = 1\n" + abort);
}

}  // namespace

TEST_CASE("heteroprio with spoliation factorises as fast as the reference, or within 3 percent") {
  // Cholesky in double, tiles of 960, GFLOP/s of the same method computed by hand of the same kernel times.
  const struct { std::size_t tiles; double reference; } kRows[] = {{8, 567}, {12, 720}, {16, 836}, {20, 891}, {24, 930}};
  for (const auto& row : kRows) {
    INFO(row.tiles << " tiles");
    const auto result = SimulatedRun{mirage_without_transfers(true), "heteroprio", "cholesky", row.tiles}();
    CHECK(test::rate(result) >= 0.97 * row.reference);
    CHECK(result.simulation->makespan >= Seconds(0.0));
  }
}

TEST_CASE("heteroprio: spoliation, or waiting where nothing can be given up, keeps slow workers from the last tasks") {
  const auto with = [](bool can_abort, const char* parameters) {
    return test::rate(SimulatedRun{mirage_without_transfers(can_abort), std::string("heteroprio:") + parameters}());
  };
  const double neither = with(true, "spoliation=0,wait=0");
  CHECK(with(true, "spoliation=1") > 4.0 * neither);
  CHECK(with(true, "spoliation=0,wait=1") > 4.0 * neither);
  CHECK(with(false, "spoliation=1,wait=1") > 4.0 * neither);
  CHECK(with(false, "spoliation=1,wait=0") == neither);
}

TEST_CASE("heteroprio by StarPU's rules says what StarPU 1.4 with SimGrid says of sirocco, and more by its own") {
  constexpr double kStarPU = 3991.0;  // GFLOP/s: Cholesky, single precision, 40 tiles of 960
  const auto run = [](const char* scheduler) { return SimulatedRun{"sirocco", scheduler, "cholesky", 40, 960, "float"}(); };
  const auto theirs = run("heteroprio:look=1,wait=0"), ours = run("heteroprio");
  CHECK(test::rate(theirs) == Approx(kStarPU).epsilon(0.15));
  CHECK(test::rate(ours) > 1.5 * kStarPU);
  const auto moved = [](const workloads::WorkloadResult& result) {
    const auto& memory = result.simulation->memory;
    return (memory.to_device + memory.from_device + memory.between_devices).value;
  };
  CHECK(moved(ours) < moved(theirs));
}

TEST_CASE("heteroprio that knows no times is the policy of priorities") {
  SimulatedRun run{mirage_without_transfers(false), "heteroprio:look=1"};
  run.information = "blind";
  const auto blind = run();
  run.scheduler = "priority";
  CHECK(blind.simulation->schedule_digest == run().simulation->schedule_digest);
  CHECK(blind.tasks == 120);
}

TEST_CASE("heteroprio gives ready tasks to idle GPUs before others fetch ahead") {
  // Three equal tasks for three GPUs, each of which would hold two.
  Config config;
  config.backend = "sim";
  config.scheduler = "heteroprio";
  config.machine = test::machine_file("three_gpus", R"(
extends = "mirage"
[class.gpu]
memory = "ram"
)");
  Runtime rt(config);
  const auto work = codelet("work").cpu([](double) {}).hip_modelled().cost([](double flops) { return Work{.flops = flops}; });
  for (int i = 0; i < 3; ++i) rt.submit(work, 1e9);
  rt.wait();
  const SimulationReport report = *rt.simulation();
  CHECK(report.classes[1].tasks == 3);
  CHECK(report.makespan.value == Approx(report.classes[1].busy.value / 3));
}

TEST_CASE("heteroprio: workers that leave a task to the other kind do not wake each other for ever") {
  // Two GPUs, of which one runs something and could hold a second task, and a core that is better at what is left.
  const std::string machine = test::machine_file("left_to_cores", R"(
name = "left-to-cores"
summary = "a core that is better at one kernel, two GPUs that are better at the other"
[class.cpu]
kind = "cpu"
count = 1
memory = "dram"
[class.gpu]
kind = "hip"
count = 2
memory = "dram"
pipeline = 2
[memory.dram]
capacity = "1 GB"
[[kernel]]
codelet = "for_gpus"
shape = "10x10"
precision = "fp64"
time = { cpu = "100 s", gpu = "10 s" }
[[kernel]]
codelet = "for_cores"
shape = "10x10"
precision = "fp64"
time = { cpu = "1 s", gpu = "100 s" }
)");
  Config config;
  config.backend = "sim";
  config.machine = machine;
  config.scheduler = "heteroprio";
  Runtime rt(config);
  const auto for_gpus = codelet("for_gpus").cpu([](Tile<double>) {}).hip_modelled();
  const auto for_cores = codelet("for_cores").cpu([](Tile<double>) {}).hip_modelled();
  std::vector<Matrix<double>> data;
  for (int i = 0; i < 6; ++i) data.push_back(rt.matrix<double>(10, 10, "d"));
  rt.submit(for_gpus, data[0].readwrite());
  for (std::size_t i = 1; i < data.size(); ++i) rt.submit(for_cores, data[i].readwrite());
  rt.wait();
  CHECK(rt.simulation()->makespan.value == Approx(10.0));
}
