// What tasks cost on this machine's workers: what models say at first, and what is measured as the run goes on.
// Flow: models, completions -> [live costs] -> estimates. Thread-safety: serialised, the lock of live memory.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <mitra/performance_model.hpp>
#include <mitra/scheduling_policy.hpp>

#include "engine/virtual/task_costs.hpp"

namespace mitra::engine {

/// What a live run beside devices keeps of each task, beside its record.
struct LiveTask {
  std::uint32_t row = 0;  ///< In TaskCosts; 0: nobody has asked yet.
};

class LiveCosts {
 public:
  /// @param model  Null: nothing is known before it is measured.
  LiveCosts(const Machine& machine, std::unique_ptr<PerformanceModel> model);

  static LiveTask& of(const detail::TaskHeader& task);
  std::uint32_t shape_number(const detail::Shape& shape) { return costs_.shape_number(shape); }

  std::optional<Estimate> estimate(detail::TaskHeader& task, ClassId worker_class);
  /// A task of this row has run.
  void learn(std::uint32_t row, ClassId worker_class, Seconds duration) { costs_.learn(row, worker_class, duration.value); }

  /// `worker` has been given a task, or has ended one.
  void began(WorkerId worker, detail::TaskHeader& task, Seconds now);
  void ended(WorkerId worker, bool holds_others, Seconds now);
  Seconds busy_until(WorkerId worker, Seconds now) const { return std::max(now, until_[worker.index()]); }

 private:
  const Machine& machine_;
  const std::unique_ptr<PerformanceModel> model_;
  TaskCosts costs_;
  std::vector<Seconds> until_;  // by worker: expected end of what it holds
};

}  // namespace mitra::engine
