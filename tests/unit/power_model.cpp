// How clocks yield to power caps: the figures that the shipped machines were fitted to.
#include <mitra/machine_file.hpp>
#include <mitra/power_model.hpp>

#include "support/catch.hpp"

using namespace mitra;

namespace {

const WorkerClassDescription& gpu_of(const MachineDescription& machine) {
  for (const WorkerClassDescription& c : machine.classes)
    if (c.kind == WorkerKind::hip) return c;
  throw std::runtime_error("no GPU");
}

/// TFLOP/s in large matrix products, of so many workers of the class.
double teraflops(const WorkerClassDescription& c, Precision precision, Watts cap, double workers = 1.0) {
  const auto p = static_cast<std::size_t>(precision);
  return operating_point(c.power, precision, false, 0.0, cap).clock_ratio * c.peak[p] * c.efficiency[p] * workers * 1e-12;
}

}  // namespace

TEST_CASE("caps of alice-recoque-unified have the clocks and rates of the model that it was designed with") {
  const MachineDescription machine = find_machine("alice-recoque-unified");
  const WorkerClassDescription& gpu = gpu_of(machine);
  struct Row {
    double cap, ghz, tflops, gflops_per_watt;
  };
  for (const Row& row : {Row{700, .59, 65, 93}, {850, .81, 89, 105}, {1000, 1.03, 114, 114}, {1150, 1.25, 138, 120}, {1250, 1.40, 154, 123},
                         {1400, 1.51, 166, 119}, {1550, 1.61, 178, 115}, {1700, 1.70, 188, 111}, {1850, 1.79, 197, 107},
                         {2000, 1.87, 206, 103}, {2300, 2.02, 223, 97}}) {
    INFO("cap " << row.cap);
    const OperatingPoint point = operating_point(gpu.power, Precision::fp64, false, 0.0, Watts(row.cap));
    CHECK(point.power.value == Approx(row.cap).epsilon(1e-9));
    CHECK(point.clock_ratio * gpu.power.clock_max * 1e-9 == Approx(row.ghz).margin(0.0051));
    CHECK(teraflops(gpu, Precision::fp64, Watts(row.cap)) == Approx(row.tflops).margin(0.51));
    CHECK(teraflops(gpu, Precision::fp64, Watts(row.cap)) * 1e3 / row.cap == Approx(row.gflops_per_watt).margin(0.6));  // printed from rounded rates
  }
  CHECK(operating_point(gpu.power, Precision::fp64, false, 0.0, Watts()).power.value == Approx(1850));  // the default
}

TEST_CASE("memory-bound kernels stay below the cap at full clock") {
  const MachineDescription machine = find_machine("alice-recoque-unified");
  const OperatingPoint point = operating_point(gpu_of(machine).power, Precision::fp64, true, 450.0, Watts());
  CHECK(point.clock_ratio == 1.0);
  CHECK(point.power.value == Approx(1350));  // 300 + 600 + 450
}

TEST_CASE("validation machines meet the points that they were fitted to") {
  const MachineDescription frontier = find_machine("frontier-node"), mi300a = find_machine("mi300a-node");
  const WorkerClassDescription& gcd = gpu_of(frontier);  // two of them share a package
  CHECK(teraflops(gcd, Precision::fp64, Watts(280), 2) == Approx(53.4).margin(0.1));
  CHECK(teraflops(gcd, Precision::fp64, Watts(250), 2) == Approx(49.8).margin(0.1));
  CHECK(teraflops(gcd, Precision::fp64, Watts(150), 2) == Approx(30.0).margin(0.1));
  CHECK(operating_point(gcd.power, Precision::fp64, false, 0.0, Watts()).clock_ratio == Approx(0.775).margin(0.001));
  CHECK(teraflops(gpu_of(mi300a), Precision::fp64, Watts(550)) == Approx(61.1).margin(0.1));
  CHECK(teraflops(gpu_of(mi300a), Precision::fp64, Watts(760)) == Approx(76.4).margin(0.2));
  WorkerPower mi300x;  // BF16
  mi300x.static_power = Watts(150);
  mi300x.dynamic.fill(Watts(1978));
  mi300x.v0 = 0.40;
  mi300x.v1 = 0.60;
  mi300x.v_min = 0.75;
  mi300x.clock_max = 2.1e9;
  CHECK(operating_point(mi300x, Precision::bf16, false, 0.0, Watts(750)).clock_ratio == Approx(0.54).margin(0.001));
}

TEST_CASE("the clock has a lower end, and none without clock_max") {
  WorkerPower power;
  power.static_power = Watts(100);
  power.dynamic.fill(Watts(100));
  power.clock_max = 2e9;
  power.clock_min = 1e9;
  CHECK(operating_point(power, Precision::fp32, false, 0.0, Watts(200)).clock_ratio == 1.0);
  CHECK(operating_point(power, Precision::fp32, false, 0.0, Watts(175)).clock_ratio == Approx(0.75));
  const OperatingPoint least = operating_point(power, Precision::fp32, false, 0.0, Watts(20));
  CHECK(least.clock_ratio == 0.5);
  CHECK(least.power == Watts(150));  // above the cap, and it says so
  CHECK(operating_point(power, Precision::fp32, false, 30.0, Watts(175)).clock_ratio == 0.5);
  CHECK(operating_point(power, Precision::fp32, false, 0.0, Watts()).clock_ratio == 1.0);
  power.clock_max = power.clock_min = 0.0;
  CHECK(operating_point(power, Precision::fp32, false, 0.0, Watts(20)).clock_ratio == 1.0);
}
