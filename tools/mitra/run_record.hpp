// Everything that is known of a run, and how it is written as JSON. What is not known stays empty, and becomes null.
// Flow: call -> [run record] -> output. Thread-safety: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mitra/runtime.hpp>
#include <mitra/simulation_report.hpp>
#include <mitra/types.hpp>

#include "json.hpp"

namespace mitra::tool {

struct WorkerClassRecord {
  std::string name;
  std::uint64_t count = 0;
  std::optional<double> busy_fraction;
  std::optional<std::uint64_t> tasks;
};

/// What became of the devices, from the beginning of the Runtime.
struct DevicesRecord {
  std::uint64_t lost = 0;        ///< Devices.
  std::uint64_t recomputed = 0;  ///< Tasks that were run again, for what they had written there.
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
  std::optional<SimulationReport::Memory> memory;  ///< Moved and pushed out: live beside devices, or in virtual time.
  std::optional<DevicesRecord> devices;            ///< Live beside devices.
  std::optional<SimulationReport> simulation;
  std::optional<Bounds> bounds;

  double gflops() const { return flops / makespan.value / 1e9; }
  /// How far the makespan is above what is proven to be needed; 0.1: by 10 %.
  std::optional<double> gap() const {
    if (!bounds || bounds->best <= Seconds(0.0)) return std::nullopt;
    return makespan / bounds->best - 1.0;
  }
  bool knows_energy() const { return simulation && simulation->energy.known && makespan > Seconds(0.0); }
  double tasks_per_second() const { return static_cast<double>(tasks) / makespan.value; }
  Json json() const;
};

/// @returns Nothing, if there are no devices.
std::optional<DevicesRecord> devices_of(const Runtime& rt);

/// @returns The largest memory that this process has had so far.
Bytes peak_rss();

}  // namespace mitra::tool
