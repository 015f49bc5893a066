// The first that knows: measured history, the machine file's kernels, regression, the roofline.
// Flow: history model, machine model -> [combined model] -> estimates, simulated durations. Thread-safety: thread-safe.
#pragma once

#include <memory>

#include "model/history_model.hpp"
#include "model/machine_model.hpp"

namespace mitra::model {

/// In this order: history of equal tasks, kernel rows of equal tasks, regression over the history, regression over the
/// rows, stated time, roofline. Task overhead and power are the machine's, whoever knows the time.
class CombinedModel final : public PerformanceModel {
 public:
  /// @param history  May be null: nothing has been measured. Its classes are those of the machine.
  CombinedModel(std::shared_ptr<const MachineModel> machine, std::shared_ptr<const HistoryModel> history);
  std::optional<Prediction> predict(const TaskFootprint& task, ClassId worker_class) const override;

 private:
  const std::shared_ptr<const MachineModel> machine_;
  const std::shared_ptr<const HistoryModel> history_;
};

}  // namespace mitra::model
