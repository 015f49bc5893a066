// Each ready task is dealt to a worker at random; a worker with nothing of its own takes another's oldest.
// The baseline that a policy with a thought in it has to beat.
// Flow: ready -> [random] -> worker. Thread-safety: serialised.
#include <array>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Random final : public SchedulingPolicy {
 public:
  explicit Random(const PolicyArguments&) {}

  void start(SchedulerView& view) override {
    queues_.resize(view.machine().workers.size());
    able_.resize(kKindSets);
    for (std::size_t set = 1; set < kKindSets; ++set)
      for (const WorkerClass& c : view.machine().classes)
        if (includes(set, c.kind)) able_[set].insert(able_[set].end(), c.workers.begin(), c.workers.end());
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const auto& able = able_[kind_set(task)];
    queues_[able[view.random() % able.size()].index()].tasks[kind_set(task)].push(task);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const Machine& machine = view.machine();
    const WorkerKind kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
    const std::size_t offset = view.random() % queues_.size();
    for (std::size_t i = 0; i <= queues_.size(); ++i) {
      Queue& queue = queues_[i == 0 ? worker.index() : (offset + i) % queues_.size()];
      for (std::size_t set = 1; set < kKindSets; ++set)
        if (includes(set, kind) && !queue.tasks[set].empty()) return queue.tasks[set].pop();
    }
    return {};
  }

 private:
  struct Queue {
    std::array<TaskFifo, kKindSets> tasks;
  };
  std::vector<Queue> queues_;
  std::vector<std::vector<WorkerId>> able_;  // by kind set
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(random, mitra::Random, "deals tasks to workers at random; the baseline");
