// NUMA domains as memory nodes, from ample ones to such as hold one task's data or less, alone, beside devices and with a
// directory: random programs give what their sequential execution gives.
#include <filesystem>

#include <mitra/registry.hpp>

#include "execution.hpp"
#include "settings.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

/// The largest working set on the host: 12 data of 8 bytes.
DomainSetting random_domains(test::Random& random) {
  const auto policies = schedulers();
  const std::size_t domains = 1 + random.below(4), cores = 1 + random.below(2);
  DomainSetting setting;
  setting.topology = detail::message("pack:", domains, " numa:1 core:", cores, " pu:1");
  Config& config = setting.config;
  config = test::with_workers(static_cast<unsigned>(domains * cores), policies[random.below(policies.size())]->name);
  config.numa = "nodes";
  if (cores == 2 && random.chance(0.3)) config.teams = detail::message(1 + random.below(domains), "x2");
  for (std::size_t d = 1; d < domains; ++d)
    if (random.chance(0.7))
      config.memory += detail::message(config.memory.empty() ? "" : ",", "numa", d, "=", random.pick(std::vector{16, 24, 40, 96, 400}), " B");
  if (random.chance(0.3))
    config.emu = detail::message(1 + random.below(2), ":mem=", random.chance(0.5) ? "300 B" : "1 MB", ",seed=", 1 + random.below(100),
                                 ",streams=", 1 + random.below(2), ",pipeline=3,peer=", random.chance(0.5) ? "0" : "1000 GB/s",
                                 ",bw=1000 GB/s,latency=0 s,speed=0.01,poison=1");
  if (random.chance(0.2)) config.spill = std::filesystem::temp_directory_path().string();
  if (!config.spill.empty() || random.chance(0.15)) config.memory += config.memory.empty() ? "host=400 B" : ",host=400 B";
  if (random.chance(0.3)) config.window = 5;
  return setting;
}

void run_in_domains(std::uint64_t seeds) {
  std::uint64_t copied = 0, evicted = 0, away = 0;
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const auto [topology, config] = random_domains(random);
    const test::Variable synthetic("HWLOC_SYNTHETIC", topology.c_str()), off("HWLOC_THISSYSTEM", nullptr);
    INFO(config.scheduler << " on " << topology << ", teams " << config.teams << ", limits " << config.memory
                          << ", emulated devices " << config.emu << (config.spill.empty() ? "" : ", with a directory"));
    Runtime rt(config);
    expect_well(rt, random_program(seed, {.tasks = 150}), kProblemsOfRun);
    const Statistics done = rt.statistics();
    if (!done.memory) continue;  // one domain, and nothing beside it
    copied += done.memory->between_domains.value;
    evicted += done.memory->evictions;
    for (std::size_t w = 0; w < rt.machine().workers.size(); ++w)
      if (rt.machine().workers[w].numa_domain != 0) away += done.executed_by_worker[w];
  }
  if (test::seeds(seeds).size() < seeds) return;  // one seed alone proves nothing of the others
  CHECK(copied > seeds * 8 * 8);
  CHECK(evicted > seeds / 4);
  CHECK(away > seeds * 20);
}

}  // namespace

TEST_CASE("random programs in NUMA domains that are nodes run as in sequence") { run_in_domains(test::kSanitized ? 40 : 200); }

TEST_CASE("many random programs in NUMA domains that are nodes run as in sequence", "[.nightly]") { run_in_domains(10000); }
