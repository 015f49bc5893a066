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
  Option numa_option();
  /// @throws ConfigError for a MITRA_* variable or an option that cannot be.
  Config config() const;
};

/// @throws ConfigError for more workers than a process can reasonably have.
unsigned checked_workers(std::uint64_t workers);

}  // namespace mitra::tool
