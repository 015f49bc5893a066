#include "engine/devices/live_costs.hpp"

#include <algorithm>

#include <mitra/detail/graph_storage.hpp>

#include "graph/task_record.hpp"

namespace mitra::engine {

namespace {

/// Of a machine of which nothing is known yet.
class NoModel final : public PerformanceModel {
 public:
  std::optional<Prediction> predict(const TaskFootprint&, ClassId) const override { return std::nullopt; }
};

}  // namespace

LiveCosts::LiveCosts(const Machine& machine, std::unique_ptr<PerformanceModel> model)
    : machine_(machine), model_(model != nullptr ? std::move(model) : std::make_unique<NoModel>()), costs_(machine, *model_),
      until_(machine.workers.size()) {}

LiveTask& LiveCosts::of(const detail::TaskHeader& task) {
  if ((task.traits & detail::kRecorded) == 0) return graph::beside<LiveTask>(task);
  const auto& graph = *reinterpret_cast<const detail::GraphStorage*>(task.parent->block);
  return reinterpret_cast<LiveTask*>(graph.beside.get())[&task - graph.nodes.get()];
}

std::optional<Estimate> LiveCosts::estimate(detail::TaskHeader& task, ClassId worker_class) {
  LiveTask& mine = of(task);
  if (mine.row == 0) mine.row = costs_.row_of(task);
  const ClassCost& cost = costs_.cost(mine.row, worker_class);
  if (!cost.known) return std::nullopt;
  return Estimate{Seconds(cost.seconds), Joules(cost.seconds * cost.watts), cost.uncertainty};
}

void LiveCosts::began(WorkerId worker, detail::TaskHeader& task, Seconds now) {
  const LiveTask& mine = of(task);
  if (mine.row == 0) return;  // the policy does not ask
  const ClassCost& cost = costs_.cost(mine.row, machine_.workers[worker.index()].worker_class);
  until_[worker.index()] = std::max(until_[worker.index()], now) + Seconds(cost.known ? cost.seconds : 0.0);
}

void LiveCosts::ended(WorkerId worker, bool holds_others, Seconds now) {
  if (!holds_others) until_[worker.index()] = now;
}

}  // namespace mitra::engine
