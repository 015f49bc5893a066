// One heap for all: the most urgent ready task goes to whoever asks first; equal ones in the order of submission.
// Flow: ready -> [priority] -> worker. Thread-safety: serialised.
#include <array>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Priority final : public SchedulingPolicy {
 public:
  explicit Priority(const PolicyArguments&) {}

  void ready(TaskRef task, SchedulerView&) override { tasks_[kind_set(task)].push(task); }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const Machine& machine = view.machine();
    const WorkerKind kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
    TaskHeap* best = nullptr;
    for (std::size_t set = 1; set < kKindSets; ++set)
      if (includes(set, kind) && !tasks_[set].empty() && (best == nullptr || ByPriority{}(best->top(), tasks_[set].top())))
        best = &tasks_[set];
    return best == nullptr ? TaskRef() : best->pop();
  }

 private:
  std::array<TaskHeap, kKindSets> tasks_;
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(priority, mitra::Priority, "one heap, the highest priority first");
