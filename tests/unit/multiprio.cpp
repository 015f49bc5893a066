// MultiPrio in virtual time: what its rules do, and that they are worth it.
#include "support/catch.hpp"
#include "support/machines.hpp"
#include "unit/simulated_run.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

/// A core and a GPU that is twenty times as fast, on one memory.
std::string core_and_gpu() {
  return test::machine_file("core_and_gpu", R"(
name = "core-and-gpu"
[memory.ram]
[class.cpu]
kind = "cpu"
count = 1
memory = "ram"
peak.fp64 = "1 GFLOP/s"
[class.gpu]
kind = "hip"
count = 1
memory = "ram"
peak.fp64 = "20 GFLOP/s"
)");
}

Config simulated(const std::string& machine, const char* scheduler = "multiprio") {
  Config config;
  config.backend = "sim";
  config.scheduler = scheduler;
  config.machine = machine;
  return config;
}

auto work() {
  return codelet("work").cpu([](double) {}).hip_modelled().cost([](double flops) { return Work{.flops = flops}; });
}

}  // namespace

TEST_CASE("multiprio: a core takes a task of the GPU's only while the GPU has more to do than the task takes there") {
  for (const int tasks : {10, 100}) {
    INFO(tasks << " tasks");
    Runtime rt(simulated(core_and_gpu()));
    for (int i = 0; i < tasks; ++i) rt.submit(work(), 1e9);  // 50 ms there, 1 s here
    rt.wait();
    const SimulationReport report = *rt.simulation();
    if (tasks == 10)
      CHECK(report.classes[0].tasks == 0);
    else
      CHECK(report.classes[0].tasks > 0);
    CHECK(report.makespan.value < tasks * 0.05 + 1e-9);
  }
}

TEST_CASE("multiprio: of tasks with equal gain, the one that most others wait for goes first") {
  Config config = simulated("identical-1");
  config.execute = true;
  config.unknown = Seconds(1e-3);
  Runtime rt(config);
  std::vector<double> values(3, 0.0);
  auto a = rt.data(values[0], "a"), b = rt.data(values[1], "b");
  std::vector<int> order;
  const auto task = [&order](int number) { return [&order, number](double&) { order.push_back(number); }; };
  rt.submit("before", [](double&, double&) {}, a.readwrite(), b.readwrite());  // so that they are ready at the same time
  rt.submit("few", task(1), a.readwrite());
  rt.submit("many", task(2), b.readwrite());
  for (int i = 0; i < 3; ++i) rt.submit("reader", [](double) {}, b.read());
  rt.submit("reader", [](double) {}, a.read());
  rt.wait();
  CHECK((order == std::vector<int>{2, 1}));
}

TEST_CASE("multiprio: the window brings tasks to where their data are") {
  const auto moved = [](const char* scheduler) {
    const auto memory = SimulatedRun{"sirocco", scheduler, "cholesky", 24, 960, "float"}().simulation->memory;
    return static_cast<double>((memory.to_device + memory.from_device + memory.between_devices).value);
  };
  CHECK(moved("multiprio") < 0.6 * moved("multiprio:window=1"));
}

TEST_CASE("multiprio is faster than a queue that knows nothing, and works without knowledge") {
  SimulatedRun run{"mirage", "eager", "cholesky", 16};
  const double eager = test::rate(run());
  run.scheduler = "multiprio";
  CHECK(test::rate(run()) > 1.4 * eager);
  run.information = "blind";
  CHECK(run().simulation->tasks == 16 * 17 * 18 / 6);
}
