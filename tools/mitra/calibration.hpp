// Measures this machine: kernels of workloads, the runtime's own work, memory, and makes a machine description of it all.
// Flow: workloads -> Runtime with a measuring policy -> [calibration] -> model store, machine file. Thread-safety: one owner;
// done() is thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include <mitra/mitra.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/measured_times.hpp>

#include "measuring_policy.hpp"

namespace mitra::tool {

struct CalibrationOptions {
  Config config;                      ///< Workers, seed, binding; the policy is the calibration's own.
  std::vector<std::string> codelets;  ///< Those wanted; none: all.
  bool quick = false;                 ///< Small sizes, a few seconds; otherwise less than a minute.
};

class Calibration {
 public:
  /// @throws ConfigError for a codelet that no workload has; it lists the known ones.
  explicit Calibration(CalibrationOptions options);

  /// Measures everything. @throws std::runtime_error if a workload computes wrong numbers.
  void run();
  /// How much of it is done, 0 to 1.
  double done() const { return done_; }

  std::vector<TimingRecord> records() const;          ///< Of the codelets that are wanted.
  const MachineDescription& machine() const { return machine_; }
  const std::vector<std::string>& remarks() const { return remarks_; }  ///< What was left out, and why.

  Seconds submission_overhead, task_overhead;
  double bandwidth_one = 0.0, bandwidth_all = 0.0;    ///< Bytes/s, of one core and of all together.
  std::optional<double> rate_fp64, rate_fp32;         ///< FLOP/s of one core in its best product of tiles.

  static std::vector<std::string> known_codelets();

 private:
  void measure_kernels(Seconds budget);
  void measure_overheads();
  void measure_bandwidth();
  void describe_machine();

  const CalibrationOptions options_;
  const std::string host_;
  Notes notes_;
  MachineDescription machine_;
  std::vector<std::string> remarks_;
  std::atomic<double> done_{0.0};
};

}  // namespace mitra::tool
