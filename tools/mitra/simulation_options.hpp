// The options of runs in virtual time; they win over MITRA_MACHINE and the like.
// Flow: command line -> [simulation options] -> Config. Thread-safety: main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mitra/config.hpp>

#include "call.hpp"

namespace mitra::tool {

struct SimulationOptions {
  std::optional<std::string> machine, noise, information, unknown;
  std::optional<std::uint64_t> workers, seed, window;
  bool execute = false;

  std::vector<Option> options();
  /// @throws ConfigError for a MITRA_* variable or an option that cannot be.
  Config config() const;
};

/// @returns The number that the text of an option says.
/// @throws ConfigError if it is none of `least` to `most`.
double checked_number(const char* option, const std::string& text, double least, double most);

}  // namespace mitra::tool
