// Flow: engine -> [measuring policy] -> calibration. Thread-safety: serialised.

#include "measuring_policy.hpp"

namespace mitra::tool {
namespace {

const WorkerClass& class_of(WorkerId worker, const Machine& machine) {
  return machine.classes[machine.workers[worker.index()].worker_class.index()];
}

TaskFootprint footprint_of(TaskRef task) {
  TaskFootprint footprint{task.name(), {}, task.work(), task.moldable()};
  for (std::size_t i = 0; i < task.access_count(); ++i) {
    const AccessRef access = task.access(i);
    const detail::Shape& shape = access.header()->shape;
    footprint.accesses.push_back({shape.rows, shape.cols, shape.element_size, access.mode()});
  }
  return footprint;
}

}  // namespace

TaskRef MeasuringPolicy::next(WorkerId worker, SchedulerView& view) {
  const WorkerKind kind = class_of(worker, view.machine()).kind;
  for (std::size_t set = 1; set < kKindSets; ++set)
    if (includes(set, kind) && !tasks_[set].empty()) return tasks_[set].pop();
  return {};
}

void MeasuringPolicy::finished(TaskRef task, const Measured& measured, SchedulerView& view) {
  const TimingKey key = timing_key(footprint_of(task), class_of(measured.worker, view.machine()).name);
  TimingRecord& record = notes_[key];
  if (record.count == 0) record.key = key;
  add_sample(record, measured.duration);
}

}  // namespace mitra::tool
