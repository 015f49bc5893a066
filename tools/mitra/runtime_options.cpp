// Flow: command line -> [runtime options] -> Config. Thread-safety: main thread.

#include "runtime_options.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <mitra/error.hpp>

namespace mitra::tool {

std::vector<Option> RuntimeOptions::options() {
  std::vector<Option> list{
      {"--scheduler", &scheduler, "NAME",
       "A policy of `mitra schedulers`: NAME[:key=value,...], or ./FILE.so:NAME [MITRA_SCHEDULER]"},
      {"--backend", &backend, "NAME", "What executes the tasks: native [MITRA_BACKEND]"},
      {"--workers", &workers, "N", "Threads in all; 0: one for each processor [MITRA_WORKERS]"},
      teams_option(),
  };
  std::ranges::move(memory_options(), std::back_inserter(list));
  list.push_back({"--seed", &seed, "N", "Source of every random choice, the workload's and the scheduler's [MITRA_SEED]"});
  return list;
}

std::vector<Option> RuntimeOptions::memory_options() {
  return {
      numa_option(),
      {"--hip", &hip, "MODE", "GPUs: auto (those that are found), on, off; auto:blas=off: without rocBLAS [MITRA_HIP]"},
      {"--emu", &emu, "N[:...]", "Emulated devices, N[:mem=256MB,bw=8GB/s,speed=10,...] [MITRA_EMU]"},
      {"--memory", &memory, "LIMITS", "Limits of memories, NAME=BYTES,...: emu=64MB [MITRA_MEMORY]"},
      {"--spill", &spill, "DIR", "Where data go that the memories have no room for [MITRA_SPILL]"},
  };
}

std::string RuntimeOptions::given_memory_options() const {
  std::string given;
  for (const auto& [flag, option] : {std::pair("--numa", &numa), {"--hip", &hip}, {"--emu", &emu}, {"--memory", &memory}, {"--spill", &spill}})
    if (*option) given += (given.empty() ? "" : ", ") + std::string(flag);
  return given;
}

Option RuntimeOptions::teams_option() {
  return {"--teams", &teams, "TEAMS", "Workers of several cores: l3 (each cache is one), N (of N cores), KxN (K of them) [MITRA_TEAMS]"};
}

Option RuntimeOptions::numa_option() {
  return {"--numa", &numa, "MODE", "Host memory: first_touch, interleave, or nodes (a memory of its own for each NUMA domain) [MITRA_NUMA]"};
}

unsigned checked_workers(std::uint64_t workers) {
  constexpr std::uint64_t most = 4096;
  if (workers > most)
    throw ConfigError(
        detail::message("--workers is a number from 0 (one for each processor) to ", most, ", not ", workers));
  return static_cast<unsigned>(workers);
}

Config RuntimeOptions::config() const {
  Config config = Config::from_environment();
  apply(config);
  return config;
}

void RuntimeOptions::apply(Config& config) const {
  if (scheduler) config.scheduler = *scheduler;
  if (backend) config.backend = *backend;
  if (workers) config.workers = checked_workers(*workers);
  if (teams) config.teams = *teams;
  if (numa) config.numa = *numa;
  if (hip) config.hip = *hip;
  if (emu) config.emu = *emu;
  if (spill) config.spill = *spill;
  if (memory) config.memory = *memory;
  if (seed) config.seed = *seed;
}

}  // namespace mitra::tool
