// Tasks in one list by acceleration factor, the time on a core over the time on a GPU: GPUs take from the most accelerated
// end, cores from the least, the most urgent first among equal factors.
//
// Agullo, Bramas, Coulaud, Darve, Messner, Takahashi: Task-based FMM for heterogeneous architectures, CCPE 28 (2016): buckets
// of equal factor, from which each kind takes in its own order. Bramas: Impact study of data locality (PeerJ CS 5:e190,
// 2019): among equals, the one whose data are near. Beaumont, Eyraud-Dubois, Kumar: Approximation proofs of a fast and
// efficient list scheduling algorithm (IPDPS 2017): the factor as the order, priorities inside of it, and spoliation: an idle
// worker takes over a running task, the most urgent one, that it would finish before the worker that runs it.
//
// Here factors count as equal within half an octave (a ratio of 1.4), so that priorities have a say and a decision does not
// grow with the number of tasks. Where nobody can give up a running task, a slow worker leaves a task to the fast ones if
// they will have finished it sooner (`wait`). A GPU that runs one task and asks for another, to fetch its data meanwhile,
// leaves it to an idle GPU. Tasks of which no model knows the times count as equally fast everywhere: without models this
// is the policy `priority`.
// Flow: ready -> [heteroprio] -> worker. Thread-safety: serialised.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

constexpr std::size_t kCpu = static_cast<std::size_t>(WorkerKind::cpu), kHip = static_cast<std::size_t>(WorkerKind::hip);
static_assert(kWorkerKinds == 2, "two ends of one list serve two kinds");

/// The list of tasks that both kinds can run: a heap for each factor, and a bit for each heap that is not empty.
class Buckets {
 public:
  static constexpr std::size_t kPerOctave = 2;
  static constexpr std::size_t kCount = 64 * kPerOctave;  // factors of 2^-32 to 2^32

  /// @param factor  Time on a core over time on a GPU.
  static std::size_t of_factor(double factor) {
    const double place = std::floor(std::log2(factor) * kPerOctave) + kCount / 2.0;
    return static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(kCount - 1)));
  }
  void push(std::size_t bucket, TaskRef task) {
    heaps_[bucket].push(task);
    used_[bucket / 64] |= std::uint64_t{1} << bucket % 64;
  }
  /// @returns The heap that a kind takes from; null if all are empty.
  TaskHeap* end_of(WorkerKind kind) { return kind == WorkerKind::hip ? most() : least(); }
  void taken(TaskHeap& from) {
    if (!from.empty()) return;
    const auto bucket = static_cast<std::size_t>(&from - heaps_.data());
    used_[bucket / 64] &= ~(std::uint64_t{1} << bucket % 64);
  }

 private:
  TaskHeap* most() {
    for (std::size_t w = used_.size(); w-- > 0;)
      if (used_[w] != 0) return &heaps_[w * 64 + 63 - static_cast<std::size_t>(std::countl_zero(used_[w]))];
    return nullptr;
  }
  TaskHeap* least() {
    for (std::size_t w = 0; w < used_.size(); ++w)
      if (used_[w] != 0) return &heaps_[w * 64 + static_cast<std::size_t>(std::countr_zero(used_[w]))];
    return nullptr;
  }
  std::array<TaskHeap, kCount> heaps_;
  std::array<std::uint64_t, kCount / 64> used_{};
};

class HeteroPrio final : public SchedulingPolicy {
 public:
  explicit HeteroPrio(const PolicyArguments& arguments)
      : look_(static_cast<std::size_t>(arguments.integer("look", 1, 64))),
        spoliates_(arguments.integer("spoliation", 0, 1) != 0),
        waits_(arguments.integer("wait", 0, 1) != 0) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    bool aborts = false;
    for (const WorkerClass& c : machine.classes) aborts |= c.can_abort;
    spoliates_ = spoliates_ && aborts;
    waits_ = waits_ && !spoliates_;
    for (const Worker& worker : machine.workers) {
      const WorkerClass& c = machine.classes[worker.worker_class.index()];
      workers_.push_back({.kind = static_cast<std::size_t>(c.kind), .can_abort = c.can_abort});
      ++count_[static_cast<std::size_t>(c.kind)];
    }
    several_nodes_ = machine.memory_nodes.size() > 1;
    for (std::size_t w = workers_.size(); w-- > 0;) add_idle(machine.workers[w].id);
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const std::size_t set = kind_set(task);
    if (std::has_single_bit(set)) return own_[static_cast<std::size_t>(std::countr_zero(set))].push(task);
    const Times times = times_of(task, view);
    const bool known = times[kCpu] > 0.0 && times[kHip] > 0.0;
    models_ |= known;
    both_.push(Buckets::of_factor(known ? times[kCpu] / times[kHip] : 1.0), task);
    if (waits_ && known) waiting_work_[times[kCpu] < times[kHip] ? kCpu : kHip] += std::min(times[kCpu], times[kHip]);
  }

  TaskRef next(WorkerId id, SchedulerView& view) override {
    WorkerState& worker = workers_[id.index()];
    // Asked without models, time has no use; with them, a worker that holds something looks for a second task.
    const bool holds = models_ && view.busy_until(id) > view.now();
    if (holds && leave_to_idle(id, view)) return {};
    TaskRef task = take_ready(id, view);
    if (!task && !holds && spoliates_) task = spoliate(id, view);
    if (task) {
      set_idle(worker, false);
      if (spoliates_) remember(id, task, view);
    } else if (!holds) {
      add_idle(id);
    }
    return task;
  }

 private:
  using Times = std::array<double, kWorkerKinds>;  // seconds on the fastest class of each kind; 0: unknown

  /// A task that a worker was given.
  struct Held {
    double end;  // expected
    Times times;
    int priority;
  };
  struct WorkerState {
    std::size_t kind = kCpu;
    bool can_abort = false;
    bool idle = false;          // it holds nothing, and asked in vain or never
    bool listed = false;        // in idle_ids_
    std::vector<Held> held{};   // for spoliation, the oldest first
  };

  Times times_of(TaskRef task, SchedulerView& view) const {
    Times times{};
    const auto& classes = view.machine().classes;
    for (std::uint32_t c = 0; c < classes.size(); ++c) {
      const auto kind = static_cast<std::size_t>(classes[c].kind);
      if (!task.runs_on(classes[c].kind)) continue;
      const std::optional<Estimate> estimate = view.estimate(task, ClassId(c));
      if (!estimate || !(estimate->seconds.value > 0.0)) continue;
      if (times[kind] == 0.0 || estimate->seconds.value < times[kind]) times[kind] = estimate->seconds.value;
    }
    return times;
  }

  // ---- the list ----

  TaskRef take_ready(WorkerId id, SchedulerView& view) {
    const std::size_t kind = workers_[id.index()].kind;
    if (!own_[kind].empty()) return take_near(own_[kind], id, view);
    TaskHeap* const heap = both_.end_of(static_cast<WorkerKind>(kind));
    if (heap == nullptr) return {};
    if (waits_ && others_are_sooner(heap->top(), kind, view)) {
      if (const WorkerId other = idle_worker(kind == kCpu ? kHip : kCpu); other.valid()) view.wake(other);
      return {};
    }
    const TaskRef task = take_near(*heap, id, view);
    both_.taken(*heap);
    if (waits_) {
      const Times times = times_of(task, view);
      if (times[kCpu] > 0.0 && times[kHip] > 0.0) {
        double& work = waiting_work_[times[kCpu] < times[kHip] ? kCpu : kHip];
        work = std::max(0.0, work - std::min(times[kCpu], times[kHip]));
      }
    }
    return task;
  }

  /// The most urgent task; of the first few, the one that has the fewest bytes to fetch.
  TaskRef take_near(TaskHeap& heap, WorkerId id, SchedulerView& view) {
    TaskRef best = heap.pop();
    if (!several_nodes_ || look_ == 1 || heap.empty()) return best;
    const NodeId node = view.machine().workers[id.index()].node;
    Bytes fewest = view.bytes_missing(best, node);
    passed_.clear();
    while (fewest > Bytes(0) && passed_.size() + 1 < look_ && !heap.empty()) {
      TaskRef other = heap.pop();
      const Bytes missing = view.bytes_missing(other, node);
      if (missing < fewest) {
        fewest = missing;
        std::swap(best, other);
      }
      passed_.push_back(other);
    }
    for (const TaskRef task : passed_) heap.push(task);
    return best;
  }

  /// Would the kind that is faster with this task have finished all that waits for it before this one has run here?
  bool others_are_sooner(TaskRef task, std::size_t kind, SchedulerView& view) const {
    const Times times = times_of(task, view);
    const std::size_t other = kind == kCpu ? kHip : kCpu;
    if (times[kind] == 0.0 || times[other] == 0.0 || times[kind] <= times[other]) return false;
    return times[kind] > waiting_work_[other] / static_cast<double>(count_[other]) + times[other];
  }

  // ---- idle workers ----

  void set_idle(WorkerState& worker, bool idle) {
    if (worker.idle == idle) return;
    worker.idle = idle;
    idle_count_[worker.kind] += idle ? 1 : std::size_t(-1);
  }
  void add_idle(WorkerId id) {
    WorkerState& worker = workers_[id.index()];
    set_idle(worker, true);
    if (!std::exchange(worker.listed, true)) idle_ids_[worker.kind].push_back(id);
  }
  /// @returns A worker that has nothing, which counts as idle no more; not valid() if there is none.
  WorkerId idle_worker(std::size_t kind) {
    while (!idle_ids_[kind].empty()) {
      const WorkerId worker = idle_ids_[kind].back();
      idle_ids_[kind].pop_back();
      workers_[worker.index()].listed = false;
      if (!workers_[worker.index()].idle) continue;
      set_idle(workers_[worker.index()], false);
      return worker;
    }
    return {};
  }
  /// A worker of the same kind that has nothing is to come first. @returns Whether there is one.
  bool leave_to_idle(WorkerId id, SchedulerView& view) {
    const std::size_t kind = workers_[id.index()].kind;
    if (idle_count_[kind] == 0) return false;
    if (own_[kind].empty()) {
      TaskHeap* const heap = both_.end_of(static_cast<WorkerKind>(kind));
      // What this worker would leave to the other kind, its like would leave as well: the two would wake each other for ever.
      if (heap == nullptr || (waits_ && others_are_sooner(heap->top(), kind, view))) return false;
    }
    const WorkerId other = idle_worker(kind);
    if (!other.valid() || other == id) return false;
    view.wake(other);
    view.wake(id);  // there may be enough for both
    return true;
  }

  // ---- spoliation ----

  void remember(WorkerId id, TaskRef task, SchedulerView& view) {
    WorkerState& worker = workers_[id.index()];
    if (!worker.can_abort || std::has_single_bit(kind_set(task))) return;
    const Times times = times_of(task, view);
    if (times[worker.kind] == 0.0) return;
    const double now = view.now().value;
    forget_ended(id, now);
    if (!worker.held.empty()) by_end_[worker.kind].erase({worker.held.back().end, id.value});
    const double start = worker.held.empty() ? now : worker.held.back().end;
    worker.held.push_back({start + times[worker.kind], times, task.priority()});
    by_end_[worker.kind].insert({worker.held.back().end, id.value});
  }
  void forget_ended(WorkerId id, double now) {
    WorkerState& worker = workers_[id.index()];
    if (worker.held.empty()) return;
    if (worker.held.back().end <= now) by_end_[worker.kind].erase({worker.held.back().end, id.value});
    std::erase_if(worker.held, [&](const Held& h) { return h.end <= now; });
  }

  /// Takes over a running task that this worker would finish earlier: the most urgent, then the one that ends last.
  TaskRef spoliate(WorkerId id, SchedulerView& view) {
    constexpr int kAttempts = 16;  // of workers, the ones that end last: a bound on what a decision costs
    const std::size_t mine = workers_[id.index()].kind, theirs = mine == kCpu ? kHip : kCpu;
    const double now = view.now().value;
    WorkerId victim;
    const Held* best = nullptr;
    int attempts = 0;
    for (auto it = by_end_[theirs].rbegin(); it != by_end_[theirs].rend() && it->first > now && attempts < kAttempts; ++it, ++attempts) {
      const auto& held = workers_[it->second].held;
      const auto running = std::find_if(held.begin(), held.end(), [&](const Held& h) { return h.end > now; });
      if (running->times[mine] == 0.0 || now + running->times[mine] >= running->end) continue;
      if (best != nullptr && running->priority <= best->priority) continue;
      best = &*running;
      victim = WorkerId(it->second);
    }
    if (best == nullptr) return {};
    const TaskRef task = view.take_back(victim);
    if (!task) return {};
    WorkerState& worker = workers_[victim.index()];
    by_end_[theirs].erase({worker.held.back().end, victim.value});
    const double freed = best->end - now;
    worker.held.erase(worker.held.begin(), worker.held.begin() + (best - worker.held.data()) + 1);
    for (Held& h : worker.held) h.end -= freed;
    if (!worker.held.empty()) by_end_[theirs].insert({worker.held.back().end, victim.value});
    if (task.runs_on(static_cast<WorkerKind>(mine))) return task;
    ready(task, view);  // it ran in another order than was expected: back into the list
    view.wake(victim);
    return {};
  }

  const std::size_t look_;
  bool spoliates_;
  bool waits_;
  bool several_nodes_ = false;
  bool models_ = false;  // an estimate was known
  std::array<TaskHeap, kWorkerKinds> own_;  // tasks that one kind alone can run
  Buckets both_;
  std::vector<TaskRef> passed_;
  std::vector<WorkerState> workers_;
  std::array<std::size_t, kWorkerKinds> count_{}, idle_count_{};
  std::array<std::vector<WorkerId>, kWorkerKinds> idle_ids_;  // some of them idle no more
  std::array<double, kWorkerKinds> waiting_work_{};           // seconds on the kind that is faster, of tasks for both
  std::array<std::set<std::pair<double, std::uint32_t>>, kWorkerKinds> by_end_;  // workers that can abort, by expected end
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(heteroprio, mitra::HeteroPrio, "GPUs from the most accelerated end, cores from the least, with spoliation",
                {"look", "8", "tasks of equal acceleration looked at for data that are near; 1: none"},
                {"spoliation", "1", "1: idle workers take over tasks that they finish earlier, where these can be given up"},
                {"wait", "1", "1: without spoliation, a worker leaves a task to the faster kind if that finishes it sooner"});
