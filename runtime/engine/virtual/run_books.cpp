#include "engine/virtual/run_books.hpp"

#include <bit>

namespace mitra::engine {

RunBooks::RunBooks(const MachineDescription& description, const Machine& machine) : by_class_(machine.classes.size()) {
  for (std::size_t c = 0; c < machine.classes.size(); ++c) {
    idle_watts_.push_back(description.classes[c].power.idle.value);
    power_ += idle_watts_.back() * static_cast<double>(machine.classes[c].workers.size());
  }
  for (const PowerComponent& component : description.components) power_ += component.power.value * description.compute_nodes;
  for (const MemoryDescription& memory : description.memories) power_ += memory.idle.value;
  peak_power_ = power_;
}

void RunBooks::end_phase() {
  if (phase_last_ == 0) return;
  earlier_phases_ += phase_end_;
  for (std::uint32_t at = phase_last_; at != 0; at = path_[at].before) {
    const std::uint32_t row = path_[at].row;
    if (earlier_by_row_.size() <= row) earlier_by_row_.resize(row + 1);
    ++earlier_by_row_[row];
  }
  phase_end_ = 0.0;
  phase_last_ = 0;
  path_.resize(1);
}

void RunBooks::withdrawn(ClassId worker_class, Seconds lasted, double watts) {
  power_ -= watts - idle_watts_[worker_class.index()];
  by_class_[worker_class.index()].busy += lasted;
  by_class_[worker_class.index()].joules += watts * lasted.value;
}

void RunBooks::ended(std::uint64_t task, WorkerId worker, ClassId worker_class, Seconds start, Seconds end, double watts) {
  power_ -= watts - idle_watts_[worker_class.index()];
  Ended& sum = by_class_[worker_class.index()];
  sum.busy += end - start;
  sum.joules += watts * (end - start).value;
  ++sum.tasks;
  if (end > makespan_) makespan_ = end;
  for (const std::uint64_t value : {task, std::uint64_t{worker.value}, std::bit_cast<std::uint64_t>(start.value),
                                    std::bit_cast<std::uint64_t>(end.value)}) {
    digest_ = (digest_ ^ value) * 0xff51afd7ed558ccdULL;
    digest_ ^= digest_ >> 32;
  }
}

}  // namespace mitra::engine
