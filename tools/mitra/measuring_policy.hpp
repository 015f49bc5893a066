// A policy that runs tasks first in, first out, and notes how long each of them took.
// Flow: engine -> [measuring policy] -> calibration. Thread-safety: serialised; the notes are read after the run.
#pragma once

#include <array>
#include <map>

#include <mitra/measured_times.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra::tool {

/// Measured times by key. @thread one thread at a time
using Notes = std::map<TimingKey, TimingRecord>;

class MeasuringPolicy final : public SchedulingPolicy {
 public:
  /// @param notes  Lives longer than the Runtime.
  explicit MeasuringPolicy(Notes& notes) : notes_(notes) {}

  void ready(TaskRef task, SchedulerView&) override { tasks_[kind_set(task)].push(task); }
  TaskRef next(WorkerId worker, SchedulerView& view) override;
  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override;
  bool watches_completions() const override { return true; }

 private:
  std::array<TaskFifo, kKindSets> tasks_;
  Notes& notes_;
};

}  // namespace mitra::tool
