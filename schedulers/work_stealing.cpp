// Each worker has a queue: what it makes ready it runs itself, and who has nothing takes half of a random other's.
// Source: Blumofe, Leiserson, "Scheduling multithreaded computations by work stealing", JACM 1999; taking half:
// Hendler, Shavit, PODC 2002. Priorities are not regarded: locality_ws does.
// Flow: ready -> [work_stealing] -> worker. Thread-safety: thread-safe.
#include <memory>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>
#include <mitra/work_stealing_queue.hpp>

namespace mitra {

namespace {

class WorkStealing final : public SchedulingPolicy {
 public:
  explicit WorkStealing(const PolicyArguments& arguments)
      : capacity_(static_cast<std::size_t>(arguments.integer("capacity", WorkStealingQueue<TaskRef>::kLargestBatch))) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    for (const Worker& worker : machine.workers) {
      const WorkerClass& c = machine.classes[worker.worker_class.index()];
      workers_.push_back(std::make_unique<State>(capacity_, c.kind));
      for (const WorkerClass& other : machine.classes)
        if (other.kind == c.kind)
          for (WorkerId id : other.workers)
            if (id != worker.id) workers_.back()->victims.push_back(id);
    }
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const WorkerId self = view.self();
    if (self.valid() && includes(kind_set(task), workers_[self.index()]->kind) && workers_[self.index()]->queue.push(task)) return;
    inbox_.push(task);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    State& state = *workers_[worker.index()];
    if (const TaskRef task = state.queue.pop()) return task;
    if (const TaskRef task = inbox_.pop(state.kind)) return task;
    const std::size_t count = state.victims.size();
    if (count == 0) return {};
    const std::size_t offset = view.random() % count;
    for (std::size_t i = 0; i < count; ++i) {
      const WorkerId victim = state.victims[(offset + i) % count];
      if (const TaskRef task = workers_[victim.index()]->queue.steal_half(state.queue)) return task;
    }
    return {};
  }

  bool runs_next(TaskRef, WorkerId) override { return true; }
  bool concurrent() const override { return true; }

 private:
  struct alignas(64) State {
    State(std::size_t capacity, WorkerKind worker_kind) : queue(capacity), kind(worker_kind) {}
    WorkStealingQueue<TaskRef> queue;
    const WorkerKind kind;
    std::vector<WorkerId> victims;  // workers of the same kind
  };

  const std::size_t capacity_;
  std::vector<std::unique_ptr<State>> workers_;
  SharedFifo inbox_;  // from threads that are no workers, for other kinds, and what does not fit a queue
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(work_stealing, mitra::WorkStealing, "a queue for each worker, steals half from a random one",
                {"capacity", "4096", "tasks in a worker's queue before they go to a common one; at least 64"});
