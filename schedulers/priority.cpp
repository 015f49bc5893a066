// One heap for all: the most urgent ready task goes to whoever asks first; equal ones in the order of submission.
// Flow: ready -> [priority] -> worker. Thread-safety: serialised.

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Priority final : public SchedulingPolicy {
 public:
  explicit Priority(const PolicyArguments&) {}

  void ready(TaskRef task, SchedulerView&) override { tasks_.push(task); }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const Machine& machine = view.machine();
    const WorkerKind kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
    return tasks_.pop(kind);
  }

 private:
  TasksByKinds tasks_;
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(priority, mitra::Priority, "one heap, the highest priority first");
