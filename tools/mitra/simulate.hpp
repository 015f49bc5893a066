// One workload under one scheduler, in virtual time or live: what `simulate`, `compare` and the benchmarks share.
// Flow: call -> [simulate] -> Runtime -> run record. Thread-safety: several runs at once, each with its own Runtime.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/lower_bounds.hpp>

#include "run_record.hpp"
#include "workload_choice.hpp"

namespace mitra::tool {

/// @param bounds   Of the same workload on the same machine, if they are known; otherwise those of the run's own books.
/// @throws TaskError, Error, ConfigError as Runtime does.
RunRecord run_once(const WorkloadChoice& workload, const Config& config, const std::optional<Bounds>& bounds = std::nullopt);

/// A Cholesky factorisation in double precision of so many rows of tiles, in virtual time: what the benchmarks simulate.
struct SimulatedCholesky {
  std::uint64_t tiles = 0;

  /// Of one order up to 100 rows; from there on, the matrix stays as large as it is: memories hold it.
  std::uint64_t tile() const { return tiles <= 100 ? 2048 : 204'800 / tiles; }
  std::uint64_t tasks() const { return tiles * (tiles + 1) * (tiles + 2) / 6; }
  /// @throws ConfigError unless the numbers of rows are 1 to 500. @param option  For the message.
  static void check(const char* option, const std::vector<std::uint64_t>& tiles);
  /// Generates, submits, and waits. @throws Error if it did not execute each task once.
  workloads::WorkloadResult run(Runtime& rt) const;
};

/// @returns The policies of the list, parts of a list that was split at commas; all of this library if it is empty or `all`.
/// @throws ConfigError for a name, or a parameter, that is not known: before the work.
std::vector<std::string> chosen_schedulers(const std::vector<std::string>& list);

}  // namespace mitra::tool
