// The time that submitting threads spend, in virtual time: it passes beside transfers and tasks.
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/machines.hpp"

using namespace mitra;

TEST_CASE("a transfer whose latency ends while tasks are submitted arrives when it does") {
  // The copy begins with the first submission, sends from 11 s on, and arrives at 19 s; meanwhile 18 more tasks are submitted.
  Config config = test::simulated_on("submission_clock", R"(
name = "submission-clock"
summary = "a slow submitter and a device behind a slow bus"
submission_overhead = "1 s"
[class.cpu]
kind = "cpu"
count = 1
memory = "dram"
[class.gpu]
kind = "hip"
count = 1
memory = "hbm"
[memory.dram]
[memory.hbm]
[[link]]
name = "bus"
between = ["dram", "hbm"]
bandwidth = "1 kB/s"
latency = "11 s"
)", "eager");
  Runtime rt(config);
  std::vector<double> values(1000);
  auto x = rt.data(values, "x");
  const auto on_device = codelet("device").hip([](HipStream, View<const double>) {}).cost([](View<const double>) {
    return Work{.seconds = 1.0, .gpu_seconds = 1.0};
  });
  const auto on_core = codelet("core").cpu([](View<double>) {}).cost([](View<const double>) { return Work{.seconds = 1.0}; });
  auto y = rt.vector<double>(1, "y");
  rt.submit(on_device, x.read());
  for (int i = 0; i < 18; ++i) rt.submit(on_core, y.readwrite());
  rt.wait();
  CHECK(rt.simulation()->memory.to_device == Bytes(8000));
  CHECK(rt.simulation()->makespan.value == Approx(11.0 + 8.0 + 1.0));
}
