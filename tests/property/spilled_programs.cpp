// Programs whose data fit neither the devices nor what the host may take: they go to a directory and come back, and every
// result is that of sequential execution.
#include <filesystem>
#include <numeric>

#include <mitra/registry.hpp>

#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

using Numbers = std::vector<std::uint64_t>;

constexpr std::size_t kData = 24;
constexpr std::size_t kLength = 40;  // numbers: 320 bytes
constexpr std::size_t kMost = 4;     // data of a task

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) { return (a ^ (b + 0x9e3779b97f4a7c15U)) * 0xbf58476d1ce4e5b9U; }

struct Step {
  std::vector<std::size_t> reads;
  std::size_t writes = 0;
  AccessMode mode = AccessMode::readwrite;
  bool nested = false;   // its children do the work
  bool looks = false;    // afterwards, the application acquires what it wrote
  std::uint64_t salt = 0;
};

std::vector<Step> random_steps(test::Random& random, std::size_t count) {
  std::vector<Step> steps(count);
  for (std::size_t i = 0; i < count; ++i) {
    Step& step = steps[i];
    step.salt = random.below(1U << 30);
    step.writes = i < kData ? i : random.below(kData);
    if (i < kData || random.chance(0.2)) step.mode = AccessMode::write;
    const std::size_t reads = i < kData ? 0 : random.below(kMost);
    for (std::size_t r = 0; r < reads; ++r) {
      const std::size_t datum = random.below(kData);
      if (datum != step.writes && std::ranges::find(step.reads, datum) == step.reads.end()) step.reads.push_back(datum);
    }
    step.nested = i >= kData && step.mode == AccessMode::readwrite && random.chance(0.1);
    step.looks = i >= kData && random.chance(0.05);
  }
  return steps;
}

/// What a step makes of number `i`.
template <class Read>
std::uint64_t result(const Step& step, std::uint64_t before, std::size_t i, Read read) {
  std::uint64_t value = step.mode == AccessMode::write ? step.salt + i : mixed(before, step.salt);
  for (const std::size_t datum : step.reads) value = mixed(value, read(datum, i));
  return value;
}

std::vector<Numbers> in_sequence(const std::vector<Step>& steps) {
  std::vector<Numbers> data(kData, Numbers(kLength));
  for (const Step& step : steps)
    for (std::size_t i = 0; i < kLength; ++i) {
      const std::uint64_t value = result(step, data[step.writes][i], i, [&](std::size_t d, std::size_t j) { return data[d][j]; });
      data[step.writes][i] = value;
    }
  return data;
}

using Reads = AccessList<VectorKind<std::uint64_t>, AccessMode::read>;

template <class Written>
void apply(const Step& step, Written& own, const std::vector<View<const std::uint64_t>>& views) {
  for (std::size_t i = 0; i < kLength; ++i)
    own[i] = result(step, own[i], i, [&](std::size_t d, std::size_t j) {
      return views[static_cast<std::size_t>(std::ranges::find(step.reads, d) - step.reads.begin())][j];
    });
}

/// @returns What went wrong.
std::string problems_of(Runtime& rt, const std::vector<Step>& steps, const std::vector<Numbers>& expected) {
  std::vector<Vector<std::uint64_t>> data;
  for (std::size_t d = 0; d < kData; ++d) data.push_back(rt.vector<std::uint64_t>(kLength, "own"));
  for (const Step& step : steps) {
    Reads reads{{}, SourceLocation::current()};
    for (const std::size_t d : step.reads) reads.data.push_back(data[d].header());
    const auto works = [&step](auto& inputs, View<std::uint64_t> own) {
      std::vector<View<const std::uint64_t>> views;
      for (std::size_t i = 0; i < inputs.size(); ++i) views.push_back(inputs[i]);
      apply(step, own, views);
    };
    if (step.mode == AccessMode::write)
      rt.submit("step", [works](auto inputs, View<std::uint64_t> own) { works(inputs, own); }, reads, data[step.writes].write());
    else if (!step.nested)
      rt.submit("step", [works](auto inputs, View<std::uint64_t> own) { works(inputs, own); }, reads, data[step.writes].readwrite());
    else
      rt.submit("step", [works, &rt, reads, &own = data[step.writes]](auto, View<std::uint64_t>) {
        rt.submit("step", [works](auto inputs, View<std::uint64_t> o) { works(inputs, o); }, reads, own.readwrite());
        rt.wait();
      }, reads, data[step.writes].readwrite());
    if (step.looks) {
      const auto guard = rt.acquire(data[step.writes].read());
      const auto seen = guard.view();
      const std::size_t other = (step.writes + 1) % kData;
      const auto second = rt.acquire(data[other].read());
      const auto others = second.view();
      if (seen[0] == others[0] && seen[1] == others[1] && seen[2] == others[2]) return "two data are the same";
    }
  }
  rt.wait();
  for (std::size_t d = 0; d < kData; ++d) {
    const auto guard = rt.acquire(data[d].read());
    const auto seen = guard.view();
    for (std::size_t i = 0; i < kLength; ++i)
      if (seen[i] != expected[d][i]) return detail::message("datum ", d, " holds a wrong value at ", i);
  }
  return {};
}

void spill(std::uint64_t seeds) {
  const std::string directory = std::filesystem::temp_directory_path().string();
  std::uint64_t stored = 0, fetched = 0;
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const auto policies = schedulers();
    Config config = test::with_workers(1 + static_cast<unsigned>(random.below(4)), policies[random.below(policies.size())]->name);
    if (random.chance(0.6))
      config.emu = detail::message(1 + random.below(3), ":mem=", random.chance(0.5) ? "1300 B" : "4 kB", ",seed=", 1 + random.below(100), ",streams=",
                                   1 + random.below(2), ",pipeline=3,peer=", random.chance(0.5) ? "0" : "1000 GB/s", ",bw=1000 GB/s,latency=0 s,speed=0.01,poison=1");
    config.spill = directory;
    config.memory = random.chance(0.5) ? "host=1290 B" : "host=3 kB";  // one task's data; a third of all
    if (random.chance(0.3)) config.window = 5;
    INFO(config.scheduler << ", " << config.workers << " workers, " << config.memory << ", emulated devices " << config.emu);
    const std::vector<Step> steps = random_steps(random, 150);
    Runtime rt(config);
    const std::string problems = problems_of(rt, steps, in_sequence(steps));
    if (!problems.empty()) FAIL(problems);
    const auto memory = rt.statistics().memory;
    REQUIRE(memory.has_value());
    stored += memory->to_storage.value;
    fetched += memory->from_storage.value;
  }
  if (test::seeds(seeds).size() < seeds) return;  // one seed alone proves nothing of the others
  CHECK(stored > seeds * kData * kLength);
  CHECK(fetched > seeds * kData * kLength);
}

}  // namespace

TEST_CASE("programs that fit neither the devices nor the host give what their sequential execution gives") { spill(test::kSanitized ? 40 : 300); }

TEST_CASE("many programs that fit neither the devices nor the host give what their sequential execution gives", "[.nightly]") { spill(10000); }
