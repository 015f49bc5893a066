// Flow: history model, machine model -> [combined model] -> estimates, simulated durations.

#include "model/combined_model.hpp"

namespace mitra::model {

CombinedModel::CombinedModel(std::shared_ptr<const MachineModel> machine, std::shared_ptr<const HistoryModel> history)
    : machine_(std::move(machine)), history_(std::move(history)) {}

std::optional<Prediction> CombinedModel::predict(const TaskFootprint& task, ClassId worker_class) const {
  return machine_->predict_by(task, worker_class, [&](ClassId c) -> std::optional<Prediction> {
    if (history_)
      if (const auto found = history_->measured(task, c)) return machine_->complete(*found, task, c);
    if (const auto found = machine_->measured(task, c)) return found;
    if (history_)
      if (const auto found = history_->interpolated(task, c)) return machine_->complete(*found, task, c);
    return machine_->interpolated(task, c);
  });
}

}  // namespace mitra::model
