// What policies ask of a run in virtual time: estimates, expected ends, tasks taken back, rehearsals.
// Flow: policy -> SchedulerView -> [answers] -> task costs, sim driver, rehearsal.
#include "engine/task_engine.hpp"
#include "engine/virtual/virtual_time.hpp"

namespace mitra::engine {

std::optional<Estimate> VirtualTime::expected(const TaskHeader& task, ClassId worker_class) const {
  const ClassCost& cost = costs_.cost(of(task).row, worker_class);
  if (!cost.known) return std::nullopt;
  const bool true_mean = config_.noise <= 0.0 && information_.mode == model::Information::Mode::exact;
  if (true_mean || information_.mode == model::Information::Mode::mean)
    return Estimate{Seconds(cost.seconds), Joules(cost.seconds * cost.watts), cost.uncertainty};
  const Prediction modelled{Seconds(cost.seconds), Watts(cost.watts), cost.uncertainty, ""};
  const auto told = model::told(information_, modelled, config_.seed, TaskId(task.id.load(std::memory_order_relaxed)),
                                worker_class, config_.noise);
  if (!told) return std::nullopt;
  return Estimate{told->seconds, told->power * told->seconds, told->uncertainty};
}

std::vector<Seconds> VirtualTime::rehearse(std::span<const PolicyMaker> policies) {
  if (rehearsal_ == nullptr) return {};
  return rehearsal_->run(policies, [this](const TaskHeader& task, ClassId c) { return expected(task, c); });
}

void VirtualTime::require_time() {
  // Relaxed: an older limit only makes the run longer.
  if (limit_ == nullptr || driver_.now().value <= limit_->load(std::memory_order_relaxed)) return;
  stands_still_ = true;
  throw TimeIsUp("the run took longer than it was worth");
}

Seconds VirtualTime::busy_until(WorkerId worker) {
  const Worker& w = workers_[worker.index()];
  return w.held == 0 ? driver_.now() : std::max(driver_.now(), w.until);
}

TaskHeader* VirtualTime::take_back(WorkerId id) {
  Worker& worker = workers_[id.index()];
  if (config_.execute || worker.newest == kNone || !machine_.classes[worker.worker_class.index()].can_abort) return nullptr;
  const std::uint32_t number = worker.newest;
  const Slot slot = slots_[number];
  if (!driver_.take_back(slot.launch)) return nullptr;
  books_.withdrawn(worker.worker_class, driver_.now() - slot.start, slot.watts);
  if (many_nodes_) memory_.release_unused(*slot.task, worker.node);
  free_slot(number);
  --worker.running;
  --worker.held;
  worker.newest = kNone;
  woken_.push_back(id);
  return slot.task;
}

std::vector<std::uint64_t> VirtualTime::executed_by_worker() const {
  std::vector<std::uint64_t> counts;
  for (const Worker& worker : workers_) counts.push_back(worker.tasks);
  return counts;
}

}  // namespace mitra::engine
