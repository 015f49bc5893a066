// Devices are lost at any call, one or all of them: what they had is made again, what they ran runs elsewhere, and random
// programs give what their sequential execution gives.
#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

Config losing(test::Random& random, bool failing = false) {
  Config config = random_device_setting(random);
  add_faults(config, random, failing);
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

/// What children have written is not followed: it may be gone. Then it is said.
void lose_with_children(std::uint64_t seeds) {
  std::uint64_t lost = 0, right = 0, told = 0;
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const Config config = losing(random, true);
    INFO(config.scheduler << " beside emulated devices " << config.emu);
    Program program = random_program(seed, {.tasks = 60});
    for (TaskSpec& task : program.tasks) task.catches = false;  // who handles it need not tell
    Runtime rt(config);
    const Oracle oracle(program);
    Execution execution(rt, program, oracle);
    execution.submit_all();
    try {
      rt.wait();
      const std::string wrong = execution.wrong_values(oracle);
      if (!wrong.empty()) FAIL(wrong << "in\n" << program.text());
      ++right;
    } catch (const Error&) {
      ++told;
    }
    lost += rt.statistics().lost_devices;
  }
  if (test::seeds(seeds).size() < seeds) return;
  CHECK(lost > seeds / 5);
  CHECK(right > seeds / 4);
  CHECK(told > 0);
}

}  // namespace

TEST_CASE("a device that is lost at any point of a run leaves no trace in the result") { lose_devices(test::kSanitized ? 40 : 300); }

TEST_CASE("tasks in tasks beside a device that is lost end right, or say what is gone") { lose_with_children(test::kSanitized ? 40 : 300); }

TEST_CASE("devices that are lost at any point of many runs leave no trace in the result", "[.nightly]") { lose_devices(10000); }

TEST_CASE("many programs of tasks in tasks beside devices that are lost end right, or say what is gone", "[.nightly]") { lose_with_children(10000); }
