// The books of a run in virtual time: who was busy, what it drew, the longest path, the digest of the schedule.
// Flow: virtual time -> [run books] -> simulation report. Thread-safety: serialised, the engine's lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include <mitra/machine_description.hpp>
#include <mitra/types.hpp>

namespace mitra::engine {

class RunBooks {
 public:
  explicit RunBooks(const MachineDescription& description, const Machine& machine);

  // --- the longest path: an entry a task, each naming the one before it ---
  std::uint32_t add_to_path(std::uint32_t before, std::uint32_t row, double path_end) {
    const auto number = static_cast<std::uint32_t>(path_.size());
    path_.push_back({before, row});
    if (path_end > phase_end_) {
      phase_end_ = path_end;
      phase_last_ = number;
    }
    return number;
  }
  void count_task(std::uint32_t row) {
    if (tasks_by_row_.size() <= row) tasks_by_row_.resize(std::max<std::size_t>(2 * tasks_by_row_.size(), row + 1));
    ++tasks_by_row_[row];
  }
  void uncount_task(std::uint32_t row) { --tasks_by_row_[row]; }
  void end_phase();

  // --- execution ---
  void started(ClassId worker_class, double watts) {
    power_ += watts - idle_watts_[worker_class.index()];
    peak_power_ = std::max(peak_power_, power_);
  }
  void withdrawn(ClassId worker_class, Seconds lasted, double watts);
  void ended(std::uint64_t task, WorkerId worker, ClassId worker_class, Seconds start, Seconds end, double watts);
  void decided(std::uint64_t ns) {
    decision_ns_ += ns;
    ++decisions_measured_;
    longest_decision_ns_ = std::max(longest_decision_ns_, ns);
  }
  /// @returns Whether this decision is to be measured.
  bool decides() { return (++decisions_ & 15) == 1; }

  std::uint64_t digest() const { return digest_; }
  Seconds makespan() const { return makespan_; }
  std::uint64_t decisions() const { return decisions_; }
  std::uint64_t unknown = 0;  ///< Tasks that no model knew.

 private:
  friend class VirtualTime;
  struct PathEntry {
    std::uint32_t before, row;
  };
  struct Ended {
    Seconds busy;
    std::uint64_t tasks = 0;
    double joules = 0.0;  // while tasks ran
  };

  std::deque<PathEntry> path_{{0, 0}};  // long, and never copied as a whole
  double phase_end_ = 0.0;
  std::uint32_t phase_last_ = 0;
  double earlier_phases_ = 0.0;                 // lengths of their longest paths
  std::vector<std::uint64_t> earlier_by_row_;   // and how many tasks of each row lie on them
  std::vector<std::uint64_t> tasks_by_row_;
  std::vector<double> idle_watts_;              // by class
  std::vector<Ended> by_class_;
  double power_ = 0.0, peak_power_ = 0.0;       // W, above nothing; idle workers and constants included
  Seconds makespan_;
  std::uint64_t digest_ = 0x9E3779B97F4A7C15ULL;
  std::uint64_t decisions_ = 0, decisions_measured_ = 0, decision_ns_ = 0, longest_decision_ns_ = 0;
};

}  // namespace mitra::engine
