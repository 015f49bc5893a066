// A heap of the ready tasks for each class of workers, each in its own order: how much is gained by running the task there,
// and among equal gains, how critical it is. A worker takes, of the first few in the heap of its class, the one whose data
// are near; one that is not of the task's best class takes it only if the best workers have enough to do without it.
//
// Tayeb, Bramas, Faverge, Guermouche: Dynamic tasks scheduling with multiple priorities on heterogeneous computing systems
// (HCW, IPDPS workshops, 2024). From it: one heap for each kind of workers; the gain, the distance of the task's time here
// from its time on the best other class, in units of the largest such distance seen, between 0 and 1; criticality by the
// normalised out-degree (NOD), the successors of a task, each divided by its number of predecessors; locality within a
// window of the top; the condition under which a worker of another class may take a task.
//
// Here heaps are by class and not by memory node, so that what `ready` costs does not grow with the number of GPUs;
// locality is the number of bytes to fetch; the stated priority decides before the NOD where the application gives one;
// and a task that a class may not have yet stays in its heap instead of being evicted from it, for the best class may come
// to have more to do; so `window` tasks are looked at before a worker gets nothing. Without models all gains are equal and nobody is refused: what is left is
// priority, then criticality.
// Flow: submitted, ready -> [multiprio] -> worker. Thread-safety: serialised.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>
#include <mitra/task_table.hpp>

namespace mitra {

namespace {

class MultiPrio final : public SchedulingPolicy {
 public:
  explicit MultiPrio(const PolicyArguments& arguments)
      : window_(static_cast<std::size_t>(arguments.integer("window", 1, 64))), epsilon_(arguments.number("epsilon", 0.0, 1.0)) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    classes_.resize(machine.classes.size());
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      classes_[c].kind = machine.classes[c].kind;
      classes_[c].workers = static_cast<double>(machine.classes[c].workers.size());
    }
    for (const Worker& worker : machine.workers) workers_.push_back({.worker_class = worker.worker_class.index()});
    several_nodes_ = machine.memory_nodes.size() > 1;
  }

  void submitted(TaskRef task, SchedulerView& view) override {
    const auto predecessors = view.predecessors();
    out_degree_[task.id()] = 0.0F;
    const float share = predecessors.empty() ? 0.0F : 1.0F / static_cast<float>(predecessors.size());
    for (const TaskId before : predecessors)
      if (float* degree = out_degree_.find(before)) *degree += share;
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const std::uint32_t slot = new_slot();
    Entry& entry = entries_[slot];
    entry = {.task = task};
    if (const float* degree = out_degree_.find(task.id())) {
      entry.criticality = *degree;  // not in units of the largest: the order is the same, and does not change on the way
      out_degree_.erase(task.id());
    }
    find_times(task, view);
    std::size_t best = classes_.size(), second = classes_.size();
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      if (!(times_[c] < kNever)) continue;
      if (best == classes_.size() || times_[c] < times_[best]) {
        second = best;
        best = c;
      } else if (second == classes_.size() || times_[c] < times_[second]) {
        second = c;
      }
    }
    if (best < classes_.size()) {
      entry.best = static_cast<std::uint32_t>(best);
      entry.best_seconds = times_[best];
      classes_[best].work += times_[best];
    }
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      if (!task.runs_on(classes_[c].kind)) continue;
      double gain = 1.0;  // nobody else can have it
      if (entry.best != kNoClass && second < classes_.size()) {
        const double distance = times_[c] < kNever ? times_[c == best ? second : best] - times_[c] : -largest_distance_;
        largest_distance_ = std::max(largest_distance_, std::abs(distance));
        gain = largest_distance_ > 0.0 ? (distance + largest_distance_) / (2.0 * largest_distance_) : 0.5;
      }
      classes_[c].heap.push_back({gain, entry.criticality, task.priority(), task.id(), slot});
      std::push_heap(classes_[c].heap.begin(), classes_[c].heap.end(), later);
      ++entry.heaps;
    }
  }

  TaskRef next(WorkerId id, SchedulerView& view) override {
    const std::size_t c = workers_[id.index()].worker_class;
    const NodeId node = view.machine().workers[id.index()].node;
    std::vector<Place>& heap = classes_[c].heap;
    looked_at_.clear();
    std::size_t best = kNothing, refused_for = kNothing;
    Bytes fewest{};
    double top_gain = 0.0;
    while (!heap.empty() && looked_at_.size() < window_) {
      std::pop_heap(heap.begin(), heap.end(), later);
      const Place place = heap.back();
      heap.pop_back();
      Entry& entry = entries_[place.slot];
      if (!entry.task) {  // another class has taken it
        release(place.slot);
        continue;
      }
      looked_at_.push_back(place);
      if (!may_take(entry, c, view)) {
        refused_for = entry.best;
        continue;
      }
      if (best == kNothing) {
        top_gain = place.gain;
      } else if (place.gain < top_gain - epsilon_) {
        break;
      }
      const Bytes missing = several_nodes_ ? view.bytes_missing(entry.task, node) : Bytes(0);
      if (best == kNothing || missing < fewest) {
        best = looked_at_.size() - 1;
        fewest = missing;
      }
      if (fewest == Bytes(0)) break;
    }
    TaskRef task;
    for (std::size_t i = 0; i < looked_at_.size(); ++i) {
      if (i == best) {
        task = take(looked_at_[i].slot);
      } else {
        heap.push_back(looked_at_[i]);
        std::push_heap(heap.begin(), heap.end(), later);
      }
    }
    set_idle(id, !task);
    if (!task && refused_for != kNothing) wake_idle(refused_for, view);
    return task;
  }

  bool watches_submissions() const override { return true; }
  void cancelled(TaskRef task, SchedulerView&) override { out_degree_.erase(task.id()); }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  static constexpr std::uint32_t kNoClass = ~std::uint32_t{0};
  static constexpr std::size_t kNothing = ~std::size_t{0};

  /// A ready task. It lies in the heap of each class that can run it, and leaves the others when they come across it.
  struct Entry {
    TaskRef task;  // empty: taken
    float criticality = 0.0F;
    std::uint32_t heaps = 0;
    std::uint32_t best = kNoClass;  // the class that is fastest; kNoClass: nobody knows
    double best_seconds = 0.0;
  };
  struct Place {
    double gain;
    float criticality;
    int priority;
    TaskId id;
    std::uint32_t slot;
  };
  struct ClassState {
    WorkerKind kind = WorkerKind::cpu;
    double workers = 0.0;
    double work = 0.0;  // seconds of the ready tasks for which this class is the best
    std::vector<Place> heap;
    std::vector<WorkerId> idle;  // asked in vain; some of them idle no more
  };
  struct WorkerState {
    std::size_t worker_class = 0;
    bool idle = false;
    bool listed = false;  // in ClassState::idle
  };

  static bool later(const Place& a, const Place& b) {
    if (a.gain != b.gain) return a.gain < b.gain;
    if (a.priority != b.priority) return a.priority < b.priority;
    if (a.criticality != b.criticality) return a.criticality < b.criticality;
    return a.id > b.id;
  }

  void find_times(TaskRef task, SchedulerView& view) {
    times_.assign(classes_.size(), kNever);
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      if (!task.runs_on(classes_[c].kind)) continue;
      const std::optional<Estimate> estimate = view.estimate(task, ClassId(static_cast<std::uint32_t>(c)));
      if (estimate) times_[c] = estimate->seconds.value;
    }
  }

  /// Is this the best class for the task, or has that one more to do than the task takes here?
  bool may_take(const Entry& entry, std::size_t c, SchedulerView& view) const {
    if (entry.best == kNoClass || entry.best == c) return true;
    const std::optional<Estimate> here = view.estimate(entry.task, ClassId(static_cast<std::uint32_t>(c)));
    const ClassState& best = classes_[entry.best];
    return here && best.work / best.workers > here->seconds.value;
  }

  void set_idle(WorkerId worker, bool idle) {
    WorkerState& state = workers_[worker.index()];
    state.idle = idle;
    if (!idle || state.listed) return;
    state.listed = true;
    classes_[state.worker_class].idle.push_back(worker);
  }
  /// The task that was refused is there for a worker of this class.
  void wake_idle(std::size_t c, SchedulerView& view) {
    std::vector<WorkerId>& idle = classes_[c].idle;
    while (!idle.empty()) {
      const WorkerId worker = idle.back();
      idle.pop_back();
      WorkerState& state = workers_[worker.index()];
      state.listed = false;
      if (!std::exchange(state.idle, false)) continue;
      return view.wake(worker);
    }
  }

  std::uint32_t new_slot() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(entries_.size()));
      entries_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void release(std::uint32_t slot) {
    if (--entries_[slot].heaps == 0) free_.push_back(slot);
  }
  TaskRef take(std::uint32_t slot) {
    Entry& entry = entries_[slot];
    if (entry.best != kNoClass) {
      double& work = classes_[entry.best].work;
      work = std::max(0.0, work - entry.best_seconds);
    }
    const TaskRef task = entry.task;
    entry.task = TaskRef();
    release(slot);
    return task;
  }

  const std::size_t window_;
  const double epsilon_;
  bool several_nodes_ = false;
  std::vector<ClassState> classes_;
  std::vector<WorkerState> workers_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::vector<Place> looked_at_;
  std::vector<double> times_;
  TaskTable<float> out_degree_;
  double largest_distance_ = 0.0;
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(multiprio, mitra::MultiPrio, "a heap for each class by gain and criticality, local tasks first",
                {"window", "10", "tasks at the top of a heap that are looked at for data that are near; 1: none"},
                {"epsilon", "0.8", "difference of gain within which they count as equal"});
