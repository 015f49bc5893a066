// Random programs give what their sequential execution gives, under every policy, with few workers and many: each task
// runs once, after all that it must follow, alone where it must be alone, and reads and leaves the oracle's values.
#include <memory>
#include <thread>

#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

void expect_statistics_to_add_up(const Statistics& statistics, std::uint64_t at_least) {
  std::uint64_t sum = 0;
  for (const std::uint64_t executed : statistics.executed_by_worker) sum += executed;
  CHECK(sum == statistics.executed);
  CHECK(statistics.executed >= at_least);
}

/// Each seed with devices of its own.
void run_beside_devices(std::uint64_t seeds) {
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const Config config = random_device_setting(random);
    INFO(config.scheduler << " beside emulated devices " << config.emu);
    Runtime rt(config);
    expect_well(rt, random_program(seed, {.tasks = 150}), kProblemsOfRun);
  }
}

}  // namespace

TEST_CASE("random programs beside any devices run as in sequence") { run_beside_devices(test::kSanitized ? 40 : 300); }

TEST_CASE("many random programs beside any devices run as in sequence", "[.nightly]") { run_beside_devices(10000); }

TEST_CASE("random programs run as in sequence") {
  in_every_setting(100, [](Runtime& rt, std::uint64_t seed) {
    const Program program = random_program(seed, {});
    const std::uint64_t executed_before = rt.statistics().executed;
    expect_well(rt, program, kProblemsOfRun);
    expect_statistics_to_add_up(rt.statistics(), executed_before + program.tasks.size());
  });
}

TEST_CASE("random programs without children run as in sequence") {
  in_every_setting(60, [](Runtime& rt, std::uint64_t seed) {
    expect_well(rt, random_program(seed, {.tasks = 200, .nested = false}), kProblemsOfRun);
  });
}

TEST_CASE("several random programs, submitted at once by threads of their own, run as in sequence each") {
  in_every_setting(15, [](Runtime& rt, std::uint64_t seed) {
    struct Part {
      Part(Runtime& rt, std::uint64_t seed) : program(random_program(seed, {})), oracle(program), execution(rt, program, oracle) {}
      Program program;
      Oracle oracle;
      Execution execution;
    };
    std::vector<std::unique_ptr<Part>> parts;
    for (std::uint64_t p = 0; p < 3; ++p) parts.push_back(std::make_unique<Part>(rt, 3 * seed + p));
    std::vector<std::thread> threads;
    for (auto& part : parts) threads.emplace_back([&part] { part->execution.submit_all(); });
    for (std::thread& t : threads) t.join();
    rt.wait();
    for (auto& part : parts) {
      part->execution.books.expect_all(1);
      part->execution.compare(part->oracle);
      INFO(part->program.text());
      CHECK(part->execution.books.problems() == "");
    }
  });
}

TEST_CASE("many random programs run as in sequence", "[.nightly]") {
  in_every_setting(2000, [](Runtime& rt, std::uint64_t seed) {
    expect_well(rt, random_program(seed, {.tasks = 300}), kProblemsOfRun);
  });
}
