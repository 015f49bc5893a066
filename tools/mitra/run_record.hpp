// Everything that is known of a run, and how it is written as JSON. What is not known stays empty, and becomes null.
// Flow: call -> [run record] -> output. Thread-safety: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mitra/types.hpp>

#include "json.hpp"

namespace mitra::tool {

struct WorkerClassRecord {
  std::string name;
  std::uint64_t count = 0;
  std::optional<double> busy_fraction;
  std::optional<std::uint64_t> tasks;
};

struct RunRecord {
  std::string workload, backend, scheduler, machine;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::uint64_t seed = 0, tasks = 0, workers = 0;
  Seconds makespan, wall;
  std::optional<Seconds> submit;
  double flops = 0.0;
  std::optional<double> residual;
  std::optional<bool> verified;
  std::optional<double> reference_gflops;  ///< One core's rate of the kernel that dominates, measured in this run.
  std::optional<Bytes> peak_rss;
  std::vector<WorkerClassRecord> worker_classes;
  std::vector<Seconds> repetitions;  ///< Makespan of each.

  double gflops() const { return flops / makespan.value / 1e9; }
  double tasks_per_second() const { return static_cast<double>(tasks) / makespan.value; }
  Json json() const;
};

/// @returns The largest memory that this process has had so far.
Bytes peak_rss();

}  // namespace mitra::tool
