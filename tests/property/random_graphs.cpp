// Random programs give what their sequential execution gives, under every policy, with few workers and many: each task
// runs once, after all that it must follow, alone where it must be alone, and reads and leaves the oracle's values.
#include <memory>
#include <thread>

#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

void expect_as_oracle(Runtime& rt, std::uint64_t seed, const ProgramOptions& options) {
  const Program program = random_program(seed, options);
  const Oracle oracle(program);
  Execution execution(rt, program, oracle);
  execution.submit_all();
  rt.wait();
  execution.books.expect_all(1);
  const std::string problems = execution.books.problems();
  if (problems.empty() && execution.values == oracle.data && execution.seen == oracle.seen) return;
  INFO(problems << program.text());
  CHECK(problems == "");
  CHECK(execution.values == oracle.data);
  CHECK((execution.seen == oracle.seen));
}

void expect_statistics_to_add_up(const Runtime& rt) {
  const Statistics statistics = rt.statistics();
  std::uint64_t sum = 0;
  for (const std::uint64_t executed : statistics.executed_by_worker) sum += executed;
  CHECK(sum == statistics.executed);
  CHECK(statistics.executed >= statistics.submitted);
}

}  // namespace

TEST_CASE("random programs run as in sequence") {
  in_every_setting(25, [](Runtime& rt, std::uint64_t seed) {
    expect_as_oracle(rt, seed, {});
    expect_statistics_to_add_up(rt);
  });
}

TEST_CASE("random programs without children run as in sequence") {
  in_every_setting(15, [](Runtime& rt, std::uint64_t seed) { expect_as_oracle(rt, seed, {.tasks = 200, .nested = false}); });
}

TEST_CASE("several random programs, submitted at once by threads of their own, run as in sequence each") {
  in_every_setting(4, [](Runtime& rt, std::uint64_t seed) {
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
      INFO(part->program.text());
      CHECK(part->execution.books.problems() == "");
      CHECK((part->execution.values == part->oracle.data));
      CHECK((part->execution.seen == part->oracle.seen));
    }
  });
}

TEST_CASE("many random programs run as in sequence", "[.nightly]") {
  in_every_setting(2000, [](Runtime& rt, std::uint64_t seed) { expect_as_oracle(rt, seed, {.tasks = 300}); });
}
