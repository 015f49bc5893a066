// The machine model: which of its sources answers, and with what.
#include "model/machine_model.hpp"

#include <mitra/error.hpp>
#include <mitra/machine_file.hpp>
#include <mitra/power_model.hpp>

#include "model/combined_model.hpp"
#include "support/catch.hpp"

using namespace mitra;
using model::CombinedModel;
using model::HistoryModel;
using model::MachineModel;

namespace {

constexpr ClassId kCpu{0}, kGpu{1};

MachineDescription two_classes() {
  MachineDescription machine;
  machine.classes.resize(2);
  WorkerClassDescription& cpu = machine.classes[0];
  cpu.name = "cpu";
  cpu.memory = "ram";
  cpu.peak[0] = 10e9;
  cpu.peak[1] = 20e9;
  cpu.efficiency[0] = 0.8;
  cpu.bandwidth = 5e9;
  cpu.task_overhead = Seconds(1e-6);
  WorkerClassDescription& gpu = machine.classes[1];
  gpu.name = "gpu";
  gpu.kind = WorkerKind::hip;
  gpu.memory = "hbm";
  gpu.peak[0] = 1e12;
  gpu.efficiency[0] = 0.5;
  gpu.kernel_overhead = Seconds(20e-6);
  gpu.bandwidth = 1e12;
  machine.memories = {{"ram", "ram", 0, {}, 0.0, {}, 0.0}, {"hbm0", "hbm", 0, {}, 0.0, {}, 0.0}};
  return machine;
}

TaskFootprint tiles(std::string_view codelet, std::size_t n, std::size_t element = 8, unsigned count = 3) {
  TaskFootprint task{codelet, std::vector<AccessFootprint>(count, AccessFootprint{n, n, element, AccessMode::read}), {}};
  const double order = static_cast<double>(n);
  task.work = {2 * order * order * order, static_cast<double>(count * element) * order * order, 0.0, true};
  return task;
}

KernelTiming row(std::string codelet, std::vector<std::string> shapes, ClassId c, double seconds, double flops = 0.0,
                 Precision precision = Precision::fp64) {
  return {std::move(codelet), std::move(shapes), precision, c, Seconds(seconds), 0.02, flops};
}

}  // namespace

TEST_CASE("a kernel row answers for its codelet, class, precision and shapes alone") {
  MachineDescription machine = two_classes();
  machine.classes[0].task_overhead = Seconds(0.0);
  machine.kernels = {row("gemm", {"960x960"}, kCpu, 0.1), row("gemm", {"960x960"}, kGpu, 0.004),
                     row("gemm", {"960x960"}, kCpu, 0.05, 0.0, Precision::fp32),
                     row("mixed", {"10x20", "20x1"}, kCpu, 0.5)};
  const MachineModel model(machine);
  const auto found = model.predict(tiles("gemm", 960), kCpu);
  REQUIRE(found.has_value());
  CHECK(found->seconds == Seconds(0.1));
  CHECK(found->uncertainty == 0.02);
  CHECK(found->source == std::string("machine file"));
  CHECK(model.predict(tiles("gemm", 960), kGpu)->seconds == Seconds(0.004));
  CHECK(model.predict(tiles("gemm", 960, 4), kCpu)->seconds == Seconds(0.05));
  CHECK_FALSE(model.measured(tiles("gemm", 961), kCpu).has_value());
  CHECK_FALSE(model.measured(tiles("trsm", 960), kCpu).has_value());
  TaskFootprint narrow = tiles("gemm", 960);
  narrow.accesses[2].cols = 959;
  CHECK_FALSE(model.measured(narrow, kCpu).has_value());

  TaskFootprint mixed{"mixed", {{10, 20, 8, AccessMode::read}, {20, 1, 8, AccessMode::write}}, {}};
  CHECK(model.measured(mixed, kCpu)->seconds == Seconds(0.5));
  std::swap(mixed.accesses[0], mixed.accesses[1]);
  CHECK_FALSE(model.measured(mixed, kCpu).has_value());
  mixed.accesses.pop_back();
  CHECK_FALSE(model.measured(mixed, kCpu).has_value());
}

TEST_CASE("the precision is that of the largest access, fp64 without data") {
  TaskFootprint task{"f", {{4, 4, 8, AccessMode::read}, {100, 100, 2, AccessMode::write}}, {}};
  CHECK(model::precision_of(task) == Precision::bf16);
  task.accesses[1] = {4, 8, 4, AccessMode::read};  // as many bytes: the larger element
  CHECK(model::precision_of(task) == Precision::fp64);
  CHECK(model::precision_of(TaskFootprint{}) == Precision::fp64);
  task.accesses = {{0, 0, 0, AccessMode::read}};  // a token
  CHECK(model::precision_of(task) == Precision::fp64);
}

TEST_CASE("between rows of two sizes lies a power law, and outside of them nothing but the roofline") {
  MachineDescription machine = two_classes();
  machine.classes[0].task_overhead = Seconds(0.0);
  const auto seconds = [](double n) { return 1e-9 * n * n * n; };
  machine.kernels = {row("gemm", {"320x320"}, kCpu, seconds(320)), row("gemm", {"960x960"}, kCpu, seconds(960)),
                     row("gemm", {"2000x2000"}, kCpu, 1.0, 0.0, Precision::fp32)};
  const MachineModel model(machine);
  const auto between = model.predict(tiles("gemm", 640), kCpu);
  CHECK(between->seconds.value == Approx(seconds(640)));
  CHECK(between->source == std::string("regression"));
  CHECK(between->uncertainty > 0.0);
  // By elements: 0.9 of 320^2 is 303.6^2, 1.1 of 960^2 is 1006.8^2.
  CHECK(model.interpolated(tiles("gemm", 304), kCpu).has_value());
  CHECK_FALSE(model.interpolated(tiles("gemm", 303), kCpu).has_value());
  CHECK(model.interpolated(tiles("gemm", 1006), kCpu).has_value());
  CHECK_FALSE(model.interpolated(tiles("gemm", 1007), kCpu).has_value());
  CHECK(model.predict(tiles("gemm", 1007), kCpu)->source == std::string("roofline"));

  // By flops, where every row and the task say them.
  for (KernelTiming& kernel : machine.kernels) kernel.flops = 1e6;
  machine.kernels[1].flops = 4e6;
  const MachineModel with_flops(machine);
  TaskFootprint task = tiles("gemm", 500);
  task.work.flops = 2e6;
  CHECK(with_flops.predict(task, kCpu)->seconds.value == Approx(std::sqrt(seconds(320) * seconds(960))));
}

TEST_CASE("a stated time holds on cores, and says nothing of GPUs") {
  const MachineModel model(two_classes());
  TaskFootprint task{"wait", {}, {0.0, 0.0, 0.25, true}};
  CHECK(model.predict(task, kCpu)->seconds.value == Approx(0.25 + 1e-6));
  CHECK(model.predict(task, kCpu)->source == std::string("stated"));
  CHECK_FALSE(model.predict(task, kGpu).has_value());
  task.work.flops = 1e9;
  CHECK(model.predict(task, kGpu)->source == std::string("roofline"));
}

TEST_CASE("the roofline: overheads, peak, efficiency, relative rate, bandwidth") {
  MachineDescription machine = two_classes();
  machine.rates = {{"trsm", kGpu, 0.25}};
  const MachineModel model(machine);
  TaskFootprint task{"gemm", {{10, 10, 8, AccessMode::read}}, {1e9, 0.0, 0.0, true}};
  CHECK(model.predict(task, kCpu)->seconds.value == Approx(1e-6 + 1e9 / (10e9 * 0.8)));
  CHECK(model.predict(task, kGpu)->seconds.value == Approx(20e-6 + 1e9 / (1e12 * 0.5)));
  CHECK(model.predict(task, kGpu)->source == std::string("roofline"));
  CHECK(model.predict(task, kGpu)->uncertainty == model::kRooflineUncertainty);
  task.codelet = "trsm";
  CHECK(model.predict(task, kGpu)->seconds.value == Approx(20e-6 + 1e9 / (1e12 * 0.5 * 0.25)));
  task.work.bytes = 1e12;
  CHECK(model.predict(task, kGpu)->seconds.value == Approx(1.0));
  task.accesses[0].element_size = 4;  // no efficiency is said for it: all of the peak
  task.work.bytes = 0.0;
  CHECK(model.predict(task, kCpu)->seconds.value == Approx(1e-6 + 1e9 / 20e9));
  CHECK_FALSE(model.predict(task, kGpu).has_value());  // and no peak
}

TEST_CASE("what cannot be said is not said") {
  MachineDescription machine = two_classes();
  machine.classes[0].bandwidth = 0.0;
  const MachineModel model(machine);
  CHECK_FALSE(model.predict({"f", {{9, 9, 8, AccessMode::read}}, {}}, kCpu).has_value());
  CHECK_FALSE(model.predict({"copy", {}, {0.0, 1e6, 0.0, true}}, kCpu).has_value());
  CHECK(model.predict({"nothing", {}, {0.0, 0.0, 0.0, true}}, kCpu)->seconds.value == Approx(1e-6));
}

TEST_CASE("a cap lowers the clock of compute-bound kernels, and power is that of the operating point") {
  MachineDescription machine = two_classes();
  WorkerPower& power = machine.classes[1].power;
  power.known = true;
  power.static_power = Watts(100);
  power.dynamic.fill(Watts(400));
  power.stream = Watts(50);
  power.clock_max = 2e9;
  power.clock_min = 1e8;
  power.cap = Watts(300);
  const MachineModel model(machine);
  const TaskFootprint compute{"gemm", {{10, 10, 8, AccessMode::read}}, {1e12, 8.0, 0.0, true}};
  const TaskFootprint stream{"copy", {{10, 10, 8, AccessMode::read}}, {1.0, 1e12, 0.0, true}};
  // v0 = 1, v1 = 0: 100 + 400 x = 300.
  CHECK(model.predict(compute, kGpu)->seconds.value == Approx(20e-6 + 1e12 / (1e12 * 0.5 * 0.5)).epsilon(1e-6));
  CHECK(model.predict(compute, kGpu)->power.value == Approx(300).epsilon(1e-6));
  CHECK(model.predict(stream, kGpu)->seconds.value == Approx(1.0));
  CHECK(model.predict(stream, kGpu)->power.value == Approx(150));
  CHECK(model.predict(compute, kCpu)->power == Watts(0));  // nothing is said of it

  machine.memories[1].joules_per_byte = 40e-12;  // 1e12 bytes/s: 40 W
  CHECK(MachineModel(machine).predict(stream, kGpu)->power.value == Approx(190));
}

TEST_CASE("a kernel row whose shapes cannot be read is refused") {
  MachineDescription machine = two_classes();
  for (const char* shape : {"", "960", "960x", "x960", "960x960x", "960x960 of 8 B", "-1x4"}) {
    machine.kernels = {row("gemm", {shape}, kCpu, 0.1)};
    INFO(shape);
    CHECK_THROWS_AS(MachineModel(machine), ConfigError);
  }
  machine.kernels = {row("gemm", {"9"}, kCpu, 0.1)};
  CHECK_THROWS_WITH(MachineModel(machine), Catch::Contains("gemm") && Catch::Contains("'9'"));
}

TEST_CASE("the first source that knows answers") {
  MachineDescription machine = two_classes();
  const auto history = std::make_shared<HistoryModel>(std::vector<std::string>{"cpu", "gpu"});
  const auto source = [&](std::size_t n) {
    const auto found =
        CombinedModel(std::make_shared<MachineModel>(machine), history).predict(tiles("gemm", n), kCpu);
    return std::string(found ? found->source : "nothing");
  };
  const auto measure = [&](std::size_t n, double seconds) {
    for (int i = 0; i < 10; ++i) history->add(tiles("gemm", n), kCpu, Seconds(seconds));
  };
  CHECK(source(500) == "roofline");
  machine.kernels = {row("gemm", {"400x400"}, kCpu, 0.1), row("gemm", {"600x600"}, kCpu, 0.3)};
  CHECK(source(500) == "regression");
  CHECK(source(400) == "machine file");
  measure(500, 0.2);
  CHECK(source(500) == "history");
  measure(300, 0.05);
  CHECK(source(400) == "machine file");
  CHECK(source(450) == "regression");

  const CombinedModel model(std::make_shared<MachineModel>(machine), history);
  // Whoever knows the time: the runtime's overhead comes on top.
  CHECK(model.predict(tiles("gemm", 500), kCpu)->seconds.value == Approx(0.2 + 1e-6));
  CHECK(model.predict(tiles("gemm", 400), kCpu)->seconds.value == Approx(0.1 + 1e-6));
}

namespace {

/// 8 cores, and a class of teams of 4 that says nothing but its efficiency.
MachineDescription with_teams() {
  return parse_machine(R"(
name = "teams"
[class.cpu]
kind = "cpu"
count = 8
memory = "ram"
task_overhead = "1 us"
bandwidth = "10 GB/s"
[class.cpu.peak]
fp64 = "10 GFLOP/s"
[class.cpu.efficiency]
fp64 = 0.8
[class.cpu.power]
idle = "1 W"
static = "2 W"
fp64 = "3 W"
[class.cpu-x4]
kind = "cpu"
count = 2
cores = 4
memory = "ram"
team_efficiency = 0.5
[memory.ram]
bandwidth = "25 GB/s"
[[kernel]]
codelet = "solve"
shape = "100x100"
time = { cpu = "8 ms" }
[[kernel]]
codelet = "split"
shape = "100x100"
time = { cpu = "8 ms", cpu-x4 = "3 ms" }
[rates.cpu]
slow = 0.25
)", "teams.toml");
}

constexpr ClassId kTeam{1};

TaskFootprint moldable(std::string_view codelet, std::size_t n) {
  TaskFootprint task = tiles(codelet, n);
  task.moldable = true;
  return task;
}

}  // namespace

TEST_CASE("what a machine file does not say of a team follows from its cores") {
  const MachineDescription machine = with_teams();
  const WorkerClassDescription& team = machine.classes[1];
  CHECK(team.cores == 4);
  CHECK(team.peak[0] == 40e9);
  CHECK(team.efficiency[0] == Approx(0.4));
  CHECK(team.bandwidth == 25e9);  // what the memory has
  CHECK(team.power.known);
  CHECK(team.power.idle == Watts(4.0));
  CHECK(team.power.dynamic[0] == Watts(12.0));
  const Machine seen = to_machine(machine);
  CHECK(seen.classes[0].cores == 1);
  CHECK(seen.classes[1].cores == 4);
  CHECK(seen.workers.back().cores == 4);
  const MachineDescription again = parse_machine(write_machine_file(machine), "again.toml");
  CHECK(again.classes[1].team_efficiency == 0.5);
  CHECK(again.classes[1].efficiency[0] == Approx(0.4));
}

TEST_CASE("a sequential task takes one core of a team, and as long as there") {
  const MachineModel machine(with_teams());
  for (const char* codelet : {"gemm", "solve", "split", "slow"}) {
    INFO(codelet);
    const auto core = machine.predict(tiles(codelet, 100), kCpu), team = machine.predict(tiles(codelet, 100), kTeam);
    REQUIRE(core);
    REQUIRE(team);
    CHECK(team->seconds.value == Approx(core->seconds.value - 1e-6));  // the team has no overhead
    CHECK(team->power.value == Approx(core->power.value + 3.0));       // three cores idle
  }
}

TEST_CASE("a moldable task takes the team: by its own rows, those of a core, the roofline") {
  const MachineModel machine(with_teams());
  const auto own = machine.predict(moldable("split", 100), kTeam), from_core = machine.predict(moldable("solve", 100), kTeam),
             roofline = machine.predict(moldable("gemm", 1000), kTeam), slow = machine.predict(moldable("slow", 1000), kTeam);
  REQUIRE((own && from_core && roofline && slow));
  CHECK(own->seconds == Seconds(3e-3));
  CHECK(std::string(own->source) == "machine file");
  CHECK(from_core->seconds.value == Approx(8e-3 / (4 * 0.5)));
  CHECK(std::string(from_core->source) == "scaled");
  CHECK(roofline->seconds.value == Approx(2e9 / (40e9 * 0.4)));
  CHECK(slow->seconds.value == Approx(4 * 2e9 / (40e9 * 0.4)));  // the rate of cores
  CHECK(roofline->power == Watts(8.0 + 12.0));
  CHECK(machine.predict(moldable("solve", 100), kCpu)->seconds.value == Approx(8e-3 + 1e-6));
  // Measured on cores, and then on the team itself.
  const auto history = std::make_shared<HistoryModel>(std::vector<std::string>{"cpu", "cpu-x4"});
  const CombinedModel both(std::make_shared<const MachineModel>(with_teams()), history);
  for (int i = 0; i < 10; ++i) history->add(tiles("gemm", 1000), kCpu, Seconds(1.0));
  CHECK(both.predict(moldable("gemm", 1000), kTeam)->seconds.value == Approx(0.5));
  for (int i = 0; i < 10; ++i) history->add(moldable("gemm", 1000), kTeam, Seconds(0.3));
  CHECK(both.predict(moldable("gemm", 1000), kTeam)->seconds.value == Approx(0.3));
  CHECK(both.predict(tiles("gemm", 1000), kTeam)->seconds.value == Approx(1.0));
}

TEST_CASE("on a machine of teams alone, a sequential task has the peak of one core") {
  MachineDescription machine = two_classes();
  machine.classes[0].cores = 5;
  machine.classes[0].bandwidth = 0.0;
  const MachineModel model(machine);
  TaskFootprint task{"work", {}, {8e9, 0.0, 0.0, true}, false};
  CHECK(model.predict(task, kCpu)->seconds.value == Approx(5.0 + 1e-6));
  task.moldable = true;
  CHECK(model.predict(task, kCpu)->seconds.value == Approx(1.0 + 1e-6));
}
