// The options that choose how tasks are executed; they win over MITRA_SCHEDULER, MITRA_WORKERS and the like.
// Flow: command line -> [runtime options] -> Config. Thread-safety: main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mitra/config.hpp>

#include "call.hpp"

namespace mitra::tool {

struct RuntimeOptions {
  std::optional<std::string> scheduler, backend, teams, numa, hip, emu, memory, spill;
  std::optional<std::uint64_t> workers, seed;

  std::vector<Option> options();
  Option teams_option();
  /// Of what stands beside this machine's cores: GPUs, emulated devices, limits of memories, a directory.
  std::vector<Option> memory_options();
  /// @returns Which of memory_options() were given, as in "--emu, --spill"; empty: none.
  std::string given_memory_options() const;
  Option numa_option();
  /// @throws ConfigError for a MITRA_* variable or an option that cannot be.
  Config config() const;
  /// What was given wins over what `config` has. @throws ConfigError for a number of workers that cannot be.
  void apply(Config& config) const;
};

/// @throws ConfigError for more workers than a process can reasonably have.
unsigned checked_workers(std::uint64_t workers);

}  // namespace mitra::tool
