// One queue for all: the oldest ready task goes to whoever asks first.
// Flow: ready -> [eager] -> worker. Thread-safety: serialised.
#include <array>
#include <deque>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Eager final : public SchedulingPolicy {
 public:
  explicit Eager(const PolicyArguments&) {}

  void ready(TaskRef task, SchedulerView&) override {
    order_[kind_set(task)].push_back(next_number_++);
    tasks_[kind_set(task)].push(task);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const Machine& machine = view.machine();
    const WorkerKind kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
    std::size_t oldest = kKindSets;
    for (std::size_t set = 1; set < kKindSets; ++set)
      if (includes(set, kind) && !tasks_[set].empty() && (oldest == kKindSets || order_[set].front() < order_[oldest].front()))
        oldest = set;
    if (oldest == kKindSets) return {};
    order_[oldest].pop_front();
    return tasks_[oldest].pop();
  }

 private:
  std::uint64_t next_number_ = 0;
  std::array<TaskFifo, kKindSets> tasks_;
  std::array<std::deque<std::uint64_t>, kKindSets> order_;  // when each became ready
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(eager, mitra::Eager, "one queue, first in first out");
