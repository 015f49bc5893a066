// Devices are lost at any call, one or all of them: what they had is made again, what they ran runs elsewhere, and random
// programs give what their sequential execution gives.
#include <mitra/registry.hpp>

#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

Config losing(test::Random& random) {
  const auto policies = schedulers();
  Config config = test::with_workers(2, policies[random.below(policies.size())]->name);
  const std::size_t devices = 1 + random.below(4);
  config.emu = detail::message(devices, ":mem=", random.chance(0.3) ? "300 B" : "1 MB", ",seed=", 1 + random.below(1000),
                               ",streams=", 1 + random.below(2), ",pipeline=3,bw=1000 GB/s,latency=0 s,speed=0.01,poison=1");
  const std::size_t lost = 1 + random.below(random.chance(0.2) ? devices : 1);
  for (std::size_t i = 0; i < lost; ++i) config.emu += detail::message(",lose=", random.below(devices), "@", 1 + random.below(random.chance(0.5) ? 30 : 120));
  return config;
}

void lose_devices(std::uint64_t seeds) {
  std::uint64_t lost = 0, recomputed = 0;
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const Config config = losing(random);
    INFO(config.scheduler << " beside emulated devices " << config.emu);
    Runtime rt(config);
    const Program program = random_program(seed, {.tasks = 150, .nested = false});
    expect_well(rt, program, kWrongValuesOfRun);  // bodies run again
    lost += rt.statistics().lost_devices;
    recomputed += rt.statistics().recomputed;
  }
  if (test::seeds(seeds).size() < seeds) return;  // one seed alone proves nothing of the others
  CHECK(lost > seeds / 5);
  CHECK(recomputed > seeds / 20);
}

}  // namespace

TEST_CASE("a device that is lost at any point of a run leaves no trace in the result") { lose_devices(test::kSanitized ? 40 : 200); }

TEST_CASE("devices that are lost at any point of many runs leave no trace in the result", "[.nightly]") { lose_devices(10000); }
