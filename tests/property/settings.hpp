// Under what the properties must hold: every policy, few workers and many, a window that is never full and one that always
// is; live, beside devices, with NUMA domains as nodes, and in virtual time on one memory, on many, and on memories that are
// always full.
// Flow: [settings] -> property tests. Thread-safety: one thread.
#pragma once

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <string>
#include <vector>

#include "shrink.hpp"
#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/machines.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

namespace mitra::property {

/// Runs the program; should it go wrong, says how, with the smallest part of it that still goes wrong.
/// @param problems_of  problems_of(rt, program) runs it, and returns what went wrong.
template <class ProblemsOf>
void expect_well(Runtime& rt, const Program& program, ProblemsOf problems_of) {
  const std::string problems = problems_of(rt, program);
  if (problems.empty()) return;
  const Program small = shrunk(program, [&](const Program& smaller) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      Runtime fresh(rt.config());
      if (!problems_of(fresh, smaller).empty()) return true;
    }
    return false;
  });
  FAIL(problems << "in " << program.tasks.size() << " tasks, of which these are enough:\n" << small.text());
}

/// Two cores, and two teams of four: every random task is sequential or moldable.
inline std::string machine_of_teams() {
  return test::machine_file("teams", R"(
name = "teams"
[class.cpu]
kind = "cpu"
count = 2
memory = "ram"
[class.cpu.peak]
fp64 = "1 GFLOP/s"
[class.cpu-x4]
kind = "cpu"
count = 2
cores = 4
memory = "ram"
team_efficiency = 0.8
[memory.ram]
capacity = "1 GB"
)");
}

/// Machines of virtual time: their bodies run for their values.
inline std::vector<Config> simulated_settings(const std::string& policy) {
  std::vector<Config> settings;
  for (const std::string& machine : {std::string("identical-3"), test::machine_of_small_memories(), std::string("alice-recoque-unified-x4"), machine_of_teams()}) {
    Config config;
    config.backend = "sim";
    config.scheduler = policy;
    config.machine = machine;
    config.execute = true;
    config.unknown = Seconds(1e-3);
    settings.push_back(config);
  }
  settings[0].window = 5;
  settings[1].noise = 0.5;
  settings[1].information = "noisy";
  settings[2].information = "mean";
  return settings;
}

/// This machine beside emulated devices: one and many, memories of all sizes down to one task's data, copies that end in any
/// order; and single cores, teams and devices together. `poison`: what was not written there reads as rubbish.
inline std::vector<Config> device_settings(const std::string& policy) {
  std::vector<Config> settings;
  // The largest working set: 12 data of 8 bytes, a scratch buffer of 192.
  for (const char* emu : {"1:mem=288 B,seed=1", "2:mem=1 MB,streams=2,pipeline=5", "3:mem=320 B,seed=2,pipeline=2", "8:mem=290 B,seed=3,peer=0"}) {
    Config config = test::with_workers(2, policy);
    config.emu = std::string(emu) + ",bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
    settings.push_back(config);
  }
  settings[1].window = 5;
  Config teams = test::with_workers(5, policy);
  teams.teams = "2x2";
  teams.emu = "2:mem=320 B,seed=4,bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
  settings.push_back(teams);
  return settings;
}

/// A machine whose NUMA domains are memory nodes, for as long as it lives: Runtimes are made meanwhile.
struct DomainSetting {
  std::string topology;
  Config config;
};

/// Two domains with room for all, and four, of which one has room for a task's data, one for half of them.
inline std::vector<DomainSetting> domain_settings(const std::string& policy) {
  std::vector<DomainSetting> settings{{"pack:2 numa:1 core:2 pu:1", test::with_workers(4, policy)},
                                      {"pack:4 numa:1 core:1 pu:1", test::with_workers(4, policy)}};
  for (DomainSetting& setting : settings) setting.config.numa = "nodes";
  settings[1].config.memory = "numa1=288 B,numa2=48 B";
  settings[1].config.window = 5;
  return settings;
}

/// Any policy beside one to eight emulated devices, of memories from ample to one task's data.
inline Config random_device_setting(test::Random& random) {
  const auto policies = schedulers();
  Config config = test::with_workers(1 + static_cast<unsigned>(random.below(3)), policies[random.below(policies.size())]->name);
  const char* const memories[] = {"288 B", "300 B", "320 B", "1 kB", "1 MB", "0 B"};
  config.emu = detail::message(1 + random.below(8), ":mem=", memories[random.below(std::size(memories))], ",seed=", 1 + random.below(1000),
                               ",streams=", 1 + random.below(2), ",pipeline=", 2 + random.below(4), random.chance(0.3) ? ",peer=0" : "",
                               random.chance(0.2) ? ",latency=100 us" : ",latency=0 s",
                               ",bw=1000 GB/s,speed=0.01,poison=1");
  if (random.chance(0.2)) config.window = 5;
  return config;
}

/// Adds losses of one device or more, and allocations that find no memory. @param failing  Also calls that fail.
inline void add_faults(Config& config, test::Random& random, bool failing = false) {
  const std::size_t devices = static_cast<std::size_t>(config.emu[0] - '0');  // one digit
  const auto add = [&](const char* what, std::size_t calls) {
    config.emu += detail::message(',', what, '=', random.below(devices), '@', 1 + random.below(calls));
  };
  for (std::size_t i = 1 + random.below(random.chance(0.2) ? devices : 1); i > 0; --i) add("lose", random.chance(0.5) ? 30 : 120);
  for (std::size_t i = random.chance(0.3) ? 1 + random.below(3) : 0; i > 0; --i) add("oom", 40);
  for (std::size_t i = failing && random.chance(0.3) ? 1 + random.below(5) : 0; i > 0; --i) add("fail", 60);
}

/// Calls test(rt, seed) for each setting and so many seeds; one Runtime serves all seeds of a setting.
template <class Test>
void in_every_setting(std::uint64_t seeds, Test test) {
  for (const PolicyInfo* policy : schedulers())
    for (const Config& config : simulated_settings(policy->name)) {
      Runtime rt(config);
      for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 19) / 20 : (seeds + 3) / 4)) {
        MITRA_INFO_SEED(seed);
        INFO(policy->name << " in virtual time on " << rt.machine().name);
        test(rt, seed);
      }
    }
  for (const PolicyInfo* policy : schedulers()) {
    Config config = test::with_workers(5, policy->name);
    config.teams = "2x2";
    Runtime rt(config);
    for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 19) / 20 : (seeds + 3) / 4)) {
      MITRA_INFO_SEED(seed);
      INFO(policy->name << ", one core and two teams of two");
      test(rt, seed);
    }
  }
  for (const PolicyInfo* policy : schedulers())
    for (const Config& config : device_settings(policy->name)) {
      Runtime rt(config);
      for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 19) / 20 : (seeds + 3) / 4)) {
        MITRA_INFO_SEED(seed);
        INFO(policy->name << " beside emulated devices " << config.emu << (config.teams.empty() ? "" : ", with teams"));
        test(rt, seed);
      }
    }
  for (const PolicyInfo* policy : schedulers())
    for (const auto& [topology, config] : domain_settings(policy->name)) {
      const test::Variable synthetic("HWLOC_SYNTHETIC", topology.c_str()), off("HWLOC_THISSYSTEM", nullptr);
      Runtime rt(config);
      for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 19) / 20 : (seeds + 3) / 4)) {
        MITRA_INFO_SEED(seed);
        INFO(policy->name << ", NUMA domains as nodes: " << topology << ", " << config.memory);
        test(rt, seed);
      }
    }
  for (const PolicyInfo* policy : schedulers())
    for (const unsigned workers : {1U, 2U, 3U, 8U, 64U})
      for (const std::size_t window : {std::size_t{0}, std::size_t{5}}) {
        Config config = test::with_workers(workers, policy->name);
        config.window = window;
        Runtime rt(config);
        for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 9) / 10 : seeds)) {
          MITRA_INFO_SEED(seed);
          INFO(policy->name << ", " << workers << " workers, window " << window);
          test(rt, seed);
        }
      }
}

}  // namespace mitra::property
