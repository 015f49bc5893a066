// Every option of a Runtime, in one struct. The environment is read in one place, Config::from_environment.
// Flow: application -> [config] -> Runtime. Thread-safety: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <mitra/types.hpp>

namespace mitra {

struct Config {
  std::string backend = "native";         ///< What executes the tasks: `native`. Env: MITRA_BACKEND.
  std::string scheduler = "locality_ws";  ///< NAME[:key=value,...] of `mitra schedulers`, or FILE.so:NAME. Env: MITRA_SCHEDULER.
  unsigned workers = 0;       ///< Threads in all, the submitting one among them; 0: one a core. Env: MITRA_WORKERS.
  std::size_t window = 0;     ///< Tasks in flight before submission helps to execute; 0: chosen by workers. Env: MITRA_WINDOW.
  std::uint64_t seed = 1;     ///< Source of every random choice. Env: MITRA_SEED.
  bool bind = true;           ///< Bind workers to their last-level cache, unless they outnumber the processors. Env: MITRA_BIND=0|1.
  Seconds watchdog{0.0};      ///< Report a run in which no task finished for so long; 0: never. Env: MITRA_WATCHDOG (s).
  /// Receives the watchdog's reports; by default they go to standard error. @thread called from the watchdog's thread.
  std::function<void(std::string_view)> report;

  /// The defaults, changed by the MITRA_* variables that are set.
  /// @throws ConfigError on an unknown MITRA_* variable or a value that cannot be; it lists the known ones.
  static Config from_environment();
};

}  // namespace mitra
