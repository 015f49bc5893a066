// Work stealing that steals near first, and runs the most urgent of a worker's tasks first.
// Source: work stealing as in work_stealing.cpp; near first: Quintin, Wagner, "Hierarchical work-stealing", Euro-Par 2010.
// Flow: ready -> [locality_ws] -> worker. Thread-safety: thread-safe.
//
// A worker has a lock-free queue for tasks of priority 0, which most programs use alone, and a heap for all others.
#include <array>
#include <memory>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>
#include <mitra/work_stealing_queue.hpp>

namespace mitra {

namespace {

class LocalityWs final : public SchedulingPolicy {
 public:
  explicit LocalityWs(const PolicyArguments& arguments)
      : capacity_(static_cast<std::size_t>(arguments.integer("capacity", WorkStealingQueue<TaskRef>::kLargestBatch))) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    for (const Worker& worker : machine.workers) {
      const WorkerKind kind = machine.classes[worker.worker_class.index()].kind;
      workers_.push_back(std::make_unique<State>(capacity_, kind));
      for (const Worker& other : machine.workers) {
        if (other.id == worker.id || machine.classes[other.worker_class.index()].kind != kind) continue;
        workers_.back()->rings[static_cast<std::size_t>(machine.distance(worker.id, other.id))].push_back(other.id);
      }
    }
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const WorkerId self = view.self();
    if (!self.valid() || !includes(kind_set(task), workers_[self.index()]->kind)) return inbox_.push(task);
    State& state = *workers_[self.index()];
    if (task.priority() != 0)
      state.heap.push(task);
    else if (!state.queue.push(task))
      inbox_.push(task);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    State& state = *workers_[worker.index()];
    if (const TaskRef task = take_own(state)) return task;
    if (const TaskRef task = inbox_.pop(state.kind)) return task;
    for (const std::vector<WorkerId>& ring : state.rings) {
      if (ring.empty()) continue;
      const std::size_t offset = view.random() % ring.size();
      for (std::size_t i = 0; i < ring.size(); ++i)
        if (const TaskRef task = steal(*workers_[ring[(offset + i) % ring.size()].index()], state)) return task;
    }
    return {};
  }

  bool runs_next(TaskRef successor, WorkerId worker) override {
    const State& state = *workers_[worker.index()];
    if (successor.priority() >= 0) return successor.priority() >= state.heap.top_priority();
    return successor.priority() >= state.heap.top_priority() && state.queue.empty();
  }
  bool concurrent() const override { return true; }

 private:
  static constexpr int kAnyPriority = SharedHeap::kEmpty;
  struct alignas(64) State {
    State(std::size_t capacity, WorkerKind worker_kind) : queue(capacity), kind(worker_kind) {}
    WorkStealingQueue<TaskRef> queue;  // priority 0
    SharedHeap heap;                   // all others
    const WorkerKind kind;
    std::array<std::vector<WorkerId>, 4> rings;  // others of the kind, by distance
  };

  static TaskRef take_own(State& state) {
    if (const TaskRef task = state.heap.pop(1)) return task;
    if (const TaskRef task = state.queue.pop()) return task;
    return state.heap.pop(kAnyPriority);
  }
  static TaskRef steal(State& victim, State& thief) {
    if (const TaskRef task = victim.heap.pop(1)) return task;
    if (const TaskRef task = victim.queue.steal_half(thief.queue)) return task;
    return victim.heap.pop(kAnyPriority);
  }

  const std::size_t capacity_;
  std::vector<std::unique_ptr<State>> workers_;
  SharedFifo inbox_;  // from threads that are no workers, for other kinds, and what does not fit a queue
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(locality_ws, mitra::LocalityWs, "steals near first, most urgent first within a worker; the default",
                {"capacity", "4096", "tasks in a worker's queue before they go to a common one; at least 64"});
