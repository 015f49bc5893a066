// Flow: history model, machine model -> [combined model] -> estimates, simulated durations.

#include "model/combined_model.hpp"

namespace mitra::model {

CombinedModel::CombinedModel(std::shared_ptr<const MachineModel> machine, std::shared_ptr<const HistoryModel> history)
    : machine_(std::move(machine)), history_(std::move(history)) {}

std::optional<Prediction> CombinedModel::predict(const TaskFootprint& task, ClassId worker_class) const {
  if (history_)
    if (const auto found = history_->measured(task, worker_class)) return machine_->complete(*found, task, worker_class);
  if (const auto found = machine_->measured(task, worker_class)) return found;
  if (history_)
    if (const auto found = history_->interpolated(task, worker_class))
      return machine_->complete(*found, task, worker_class);
  if (const auto found = machine_->interpolated(task, worker_class)) return found;
  return machine_->from_work(task, worker_class);
}

}  // namespace mitra::model
