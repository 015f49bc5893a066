// GPUs with little memory: bring the datum that makes most tasks runnable per byte, run all of these, and when room is
// needed, let go of what is used least in the near future.
//
// Gonthier, Marchal, Thibault: Memory-aware scheduling of tasks sharing data on multiple GPUs with dynamic runtime systems
// (IPDPS 2022): DARTS, the choice of the next datum for a GPU by the number of tasks that need nothing else, and LUF, the
// eviction of the datum that is used least by the tasks which are to come.
//
// There, tasks are independent and read; here they also write, become ready while others run, and are counted as follows.
// A task is free on a GPU when all that it reads lies there, and resident when all that it writes does. Data that tasks
// have been given for count as lying there, before they have arrived. As long as the data that ready tasks write fill less
// than `fill` of the memory, all tasks count; above it, only resident ones, until none is left: results stay in place
// while operands stream past them (Hong, Kung 1981: 2 n^3 / sqrt(M) loads for a matrix product), instead of being written
// back and fetched again for every update. The counts are kept by increments, for every datum and GPU.
//
// Cores, for which the paper has no method, take the most urgent task that GPUs cannot run, or would have run later.
// Flow: ready -> [darts] -> worker; victim <- memory manager. Thread-safety: serialised.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Darts final : public SchedulingPolicy {
 public:
  explicit Darts(const PolicyArguments& arguments) : fill_(arguments.number("fill", 0.0, 1.0)) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    std::vector<std::uint32_t> gpu_of_node(machine.memory_nodes.size(), kNone);
    for (const Worker& worker : machine.workers) {
      const WorkerKind kind = machine.classes[worker.worker_class.index()].kind;
      std::uint32_t gpu = kNone;
      if (kind == WorkerKind::hip) {
        std::uint32_t& known = gpu_of_node[worker.node.index()];
        if (known == kNone) {
          known = static_cast<std::uint32_t>(gpus_.size());
          gpus_.push_back({.node = worker.node, .capacity = machine.memory_nodes[worker.node.index()].capacity.value});
        }
        gpu = known;
        ++gpu_workers_;
      }
      workers_.push_back({kind, worker.worker_class, gpu});
    }
    gpu_of_node_ = std::move(gpu_of_node);
  }

  void ready(TaskRef task, SchedulerView& view) override {
    if (gpus_.empty() || !task.runs_on(WorkerKind::hip)) return cpu_only_.push(task);
    const std::uint32_t slot = new_slot();
    Task& t = tasks_[slot];
    t.task = task;
    t.seconds = fastest(task, WorkerKind::hip, view);
    gpu_work_ += t.seconds;
    find_uses(task, t.data, view);
    for (Use& use : t.data) {
      if (use.writes) change_writers(use.datum, +1);
      use.place = static_cast<std::uint32_t>(data_[use.datum].users.size());
      data_[use.datum].users.push_back(slot);
    }
    for (std::uint32_t g = 0; g < gpus_.size(); ++g) {
      Needs& needs = needs_[std::size_t{slot} * gpus_.size() + g];
      needs = {};
      for (const Use& use : t.data) {
        if (cell(use.datum, g).present) continue;
        needs.reads += use.reads;
        needs.writes += use.writes;
      }
      count(slot, g, +1);
      enqueue(slot, g);
    }
    push(all_, slot);
    if (task.runs_on(WorkerKind::cpu)) push(shared_, slot);
    if (std::none_of(t.data.begin(), t.data.end(), [&](const Use& use) { return use.writes && data_[use.datum].gpus != 0; }))
      push(fresh_, slot);
  }

  TaskRef next(WorkerId id, SchedulerView& view) override {
    const WorkerState& worker = workers_[id.index()];
    if (worker.kind == WorkerKind::cpu) return next_for_core(worker, view);
    std::uint32_t slot = next_on(worker.gpu);
    if (slot == kNone) return {};
    return give(slot, worker.gpu);
  }

  std::size_t victim(NodeId node, std::span<const AccessRef> candidates, SchedulerView&) override {
    const std::uint32_t gpu = gpu_of_node_[node.index()];
    if (gpu == kNone) return 0;
    std::size_t best = 0;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < candidates.size() && least != 0; ++i) {
      const auto found = number_of_.find(candidates[i].datum());
      std::uint64_t uses = 0;
      if (found != number_of_.end()) {
        const Cell& c = cell(found->second, gpu);
        // A task that has just ended counts still: what follows it on the same result is about to become ready.
        uses = (std::uint64_t{c.given} << 40) + (std::uint64_t{c.free_users} << 20) + c.resident_users +
               data_[found->second].writers;
      }
      if (uses >= least) continue;
      least = uses;
      best = i;
    }
    if (const auto found = number_of_.find(candidates[best].datum()); found != number_of_.end())
      set_present(found->second, gpu, false);
    return best;
  }

  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override {
    if (gpus_.empty() || !task.runs_on(WorkerKind::hip)) return;
    const std::uint32_t gpu = workers_[measured.worker.index()].gpu;
    find_uses(task, finished_uses_, view);
    for (const Use& use : finished_uses_) {
      if (use.writes) change_writers(use.datum, -1);
      if (gpu != kNone && cell(use.datum, gpu).given > 0) --cell(use.datum, gpu).given;
    }
  }

  bool chooses_victims() const override { return true; }
  bool watches_completions() const override { return true; }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Use {
    std::uint32_t datum;
    bool reads, writes;
    std::uint32_t place = 0;  // in Datum::users
  };
  /// A ready task that GPUs can run.
  struct Task {
    TaskRef task;  // empty: given out
    double seconds = 0.0;  // on a GPU; 0: unknown
    std::vector<Use> data{};
  };
  /// What a task lacks on a GPU.
  struct Needs {
    std::uint16_t reads = 0, writes = 0;
  };
  /// A datum on a GPU.
  struct Cell {
    std::uint32_t enables_resident = 0, enables_other = 0;  // tasks that lack nothing else
    std::uint32_t free_users = 0, resident_users = 0;       // ready tasks that use it, and are free, are resident
    std::uint32_t given = 0;                                // accesses of tasks that were given out, and have not finished
    std::uint32_t queued_resident = 0, queued_any = 0;      // the counts with which it lies in the GPU's heaps
    bool present = false;
  };
  struct Datum {
    std::uint64_t bytes = 0;
    std::uint32_t gpus = 0;            // on which it is present
    std::uint32_t writers = 0;         // tasks that write it, and are ready or running
    std::vector<std::uint32_t> users;  // slots of ready tasks
  };
  struct Candidate {
    double tasks_per_byte;
    std::uint32_t count, datum;
  };
  struct Place {
    int priority;
    TaskId id;
    std::uint32_t slot;
  };
  using Places = std::vector<Place>;
  using Candidates = std::vector<Candidate>;
  struct Gpu {
    NodeId node{0};
    std::uint64_t capacity = 0;  // bytes; 0: no limit
    std::uint64_t results = 0;   // bytes of present data that tasks write which are ready or running
    bool closed = false;         // no room for further results
    Places free_resident{}, free_other{}, resident{};
    Candidates by_resident{}, by_any{};
  };
  struct WorkerState {
    WorkerKind kind;
    ClassId worker_class;
    std::uint32_t gpu;
  };

  static bool later(const Place& a, const Place& b) { return a.priority != b.priority ? a.priority < b.priority : a.id > b.id; }
  static bool poorer(const Candidate& a, const Candidate& b) {
    return a.tasks_per_byte != b.tasks_per_byte ? a.tasks_per_byte < b.tasks_per_byte : a.datum > b.datum;
  }

  Cell& cell(std::uint32_t datum, std::uint32_t gpu) { return cells_[std::size_t{datum} * gpus_.size() + gpu]; }

  // ---- tasks and data ----

  double fastest(TaskRef task, WorkerKind kind, SchedulerView& view) const {
    const auto& classes = view.machine().classes;
    double best = 0.0;
    for (std::uint32_t c = 0; c < classes.size(); ++c) {
      if (classes[c].kind != kind) continue;
      const std::optional<Estimate> estimate = view.estimate(task, ClassId(c));
      if (estimate && (best == 0.0 || estimate->seconds.value < best)) best = estimate->seconds.value;
    }
    return best;
  }

  std::uint32_t new_slot() {
    if (free_slots_.empty()) {
      free_slots_.push_back(static_cast<std::uint32_t>(tasks_.size()));
      tasks_.emplace_back();
      needs_.resize(tasks_.size() * gpus_.size());
    }
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  /// The data of a task, each once.
  void find_uses(TaskRef task, std::vector<Use>& uses, SchedulerView& view) {
    uses.clear();
    for (std::size_t i = 0; i < task.access_count(); ++i) {
      const AccessRef access = task.access(i);
      const AccessMode mode = access.mode();
      if (access.bytes() == Bytes(0) || mode == AccessMode::scratch || mode == AccessMode::reduce) continue;
      const std::uint32_t datum = number(access, view);
      const bool reads = mode != AccessMode::write, writes = mode != AccessMode::read;
      const auto same = std::find_if(uses.begin(), uses.end(), [&](const Use& use) { return use.datum == datum; });
      if (same == uses.end()) {
        uses.push_back({datum, reads, writes});
      } else {
        same->reads |= reads;
        same->writes |= writes;
      }
    }
  }

  std::uint32_t number(const AccessRef& access, SchedulerView& view) {
    const auto [found, is_new] = number_of_.try_emplace(access.datum(), static_cast<std::uint32_t>(data_.size()));
    if (is_new) {
      data_.emplace_back().bytes = access.bytes().value;
      cells_.resize(data_.size() * gpus_.size());
      for (std::uint32_t g = 0; g < gpus_.size(); ++g)
        if (view.holds(access, gpus_[g].node)) set_present(found->second, g, true);
    }
    return found->second;
  }

  /// Takes a task out of the list of those that use the datum.
  void leave(const Use& use) {
    std::vector<std::uint32_t>& users = data_[use.datum].users;
    const std::uint32_t moved = users[use.place] = users.back();
    users.pop_back();
    for (Use& other : tasks_[moved].data)
      if (other.datum == use.datum) other.place = use.place;
  }

  /// Results are counted by GPU: where a datum lies that somebody is to write.
  void change_writers(std::uint32_t datum, int by) {
    Datum& d = data_[datum];
    const bool before = d.writers != 0;
    if (by < 0 && !before) return;
    d.writers += static_cast<std::uint32_t>(by);
    if (before == (d.writers != 0)) return;
    for (std::uint32_t g = 0; g < gpus_.size(); ++g)
      if (cell(datum, g).present) gpus_[g].results += before ? -d.bytes : d.bytes;
  }

  void set_present(std::uint32_t datum, std::uint32_t gpu, bool present) {
    Cell& c = cell(datum, gpu);
    if (c.present == present) return;
    Datum& d = data_[datum];
    for (const std::uint32_t slot : d.users) count(slot, gpu, -1);
    c.present = present;
    d.gpus += present ? 1U : ~0U;
    if (d.writers != 0) gpus_[gpu].results += present ? d.bytes : -d.bytes;
    for (const std::uint32_t slot : d.users) {
      Needs& needs = needs_[std::size_t{slot} * gpus_.size() + gpu];
      for (const Use& use : tasks_[slot].data) {
        if (use.datum != datum) continue;
        needs.reads = static_cast<std::uint16_t>(needs.reads + (present ? -1 : 1) * use.reads);
        needs.writes = static_cast<std::uint16_t>(needs.writes + (present ? -1 : 1) * use.writes);
      }
      count(slot, gpu, +1);
      if (present) enqueue(slot, gpu);
    }
  }

  /// Adds the task to the counts of its data on a GPU, or takes it out of them.
  void count(std::uint32_t slot, std::uint32_t gpu, int by) {
    const Needs needs = needs_[std::size_t{slot} * gpus_.size() + gpu];
    if (needs.reads > 1 && needs.writes > 0) return;
    const auto step = static_cast<std::uint32_t>(by);
    for (const Use& use : tasks_[slot].data) {
      Cell& c = cell(use.datum, gpu);
      if (needs.reads == 0) c.free_users += step;
      if (needs.writes == 0) c.resident_users += step;
      if (needs.reads != 1 || !use.reads || c.present) continue;
      (needs.writes == 0 ? c.enables_resident : c.enables_other) += step;
      if (by > 0) offer(use.datum, gpu);
    }
  }

  // ---- what a GPU chooses from: heaps, in which an entry may be out of date, and is then put right or dropped ----

  static void push_candidate(Candidates& heap, Candidate candidate) {
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end(), poorer);
  }
  Candidate candidate(std::uint32_t datum, std::uint32_t count) const {
    return {static_cast<double>(count) / static_cast<double>(data_[datum].bytes), count, datum};
  }
  void offer(std::uint32_t datum, std::uint32_t gpu) {
    Cell& c = cell(datum, gpu);
    if (c.enables_resident > c.queued_resident) {
      c.queued_resident = c.enables_resident;
      push_candidate(gpus_[gpu].by_resident, candidate(datum, c.enables_resident));
    }
    if (const std::uint32_t any = c.enables_resident + c.enables_other; any > c.queued_any) {
      c.queued_any = any;
      push_candidate(gpus_[gpu].by_any, candidate(datum, any));
    }
  }
  /// @returns The datum that makes most tasks free per byte; kNone if none makes one.
  std::uint32_t best_datum(std::uint32_t gpu, bool residents_alone) {
    Candidates& heap = residents_alone ? gpus_[gpu].by_resident : gpus_[gpu].by_any;
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), poorer);
      const Candidate top = heap.back();
      heap.pop_back();
      Cell& c = cell(top.datum, gpu);
      std::uint32_t& queued = residents_alone ? c.queued_resident : c.queued_any;
      if (top.count != queued) continue;  // it lies in the heap with another count, too
      const std::uint32_t actual = c.present ? 0 : c.enables_resident + (residents_alone ? 0 : c.enables_other);
      queued = 0;
      if (actual == 0) continue;
      if (actual == top.count) return top.datum;
      queued = actual;
      push_candidate(heap, candidate(top.datum, actual));
    }
    return kNone;
  }

  void push(Places& heap, std::uint32_t slot) {
    const TaskRef task = tasks_[slot].task;
    heap.push_back({task.priority(), task.id(), slot});
    std::push_heap(heap.begin(), heap.end(), later);
  }
  /// @returns The most urgent task of the heap that `suits`; it stays in it. kNone if there is none.
  template <class F>
  std::uint32_t top(Places& heap, F&& suits) {
    while (!heap.empty()) {
      const Place& place = heap.front();
      const Task& t = tasks_[place.slot];
      if (t.task && t.task.id() == place.id && suits(place.slot)) return place.slot;
      std::pop_heap(heap.begin(), heap.end(), later);
      heap.pop_back();
    }
    return kNone;
  }
  void enqueue(std::uint32_t slot, std::uint32_t gpu) {
    const Needs needs = needs_[std::size_t{slot} * gpus_.size() + gpu];
    if (needs.reads == 0) push(needs.writes == 0 ? gpus_[gpu].free_resident : gpus_[gpu].free_other, slot);
    if (needs.writes == 0) push(gpus_[gpu].resident, slot);
  }

  std::uint32_t next_on(std::uint32_t gpu) {
    Gpu& g = gpus_[gpu];
    const auto needs = [&](std::uint32_t slot) { return needs_[std::size_t{slot} * gpus_.size() + gpu]; };
    const auto is_free = [&](std::uint32_t slot) { return needs(slot).reads == 0; };
    const auto is_resident = [&](std::uint32_t slot) { return needs(slot).writes == 0; };
    const auto any = [](std::uint32_t) { return true; };
    for (;;) {
      // Begun results are finished before many others are begun: until a quarter of that is left, only these go on.
      const double full = fill_ * static_cast<double>(g.capacity), results = static_cast<double>(g.results);
      if (results >= full || results < 0.25 * full) g.closed = results >= full && g.capacity != 0;
      const bool room = !g.closed;
      if (const auto slot = top(g.free_resident, [&](std::uint32_t s) { return is_free(s) && is_resident(s); }); slot != kNone)
        return slot;
      if (const auto slot = room ? top(g.free_other, is_free) : kNone; slot != kNone) return slot;
      if (const auto datum = best_datum(gpu, !room); datum != kNone) {
        set_present(datum, gpu, true);
        continue;
      }
      if (const auto slot = top(g.resident, is_resident); slot != kNone) return slot;
      if (!room) {  // nothing more to do on what lies here
        if (const auto slot = top(g.free_other, is_free); slot != kNone) return slot;
        if (const auto datum = best_datum(gpu, false); datum != kNone) {
          set_present(datum, gpu, true);
          continue;
        }
      }
      if (const auto slot = top(fresh_, any); slot != kNone) return slot;
      return top(all_, any);
    }
  }

  TaskRef next_for_core(const WorkerState& worker, SchedulerView& view) {
    if (const TaskRef task = cpu_only_.pop()) return task;
    const std::uint32_t slot = top(shared_, [](std::uint32_t) { return true; });
    if (slot == kNone) return {};
    const Task& t = tasks_[slot];
    const std::optional<Estimate> here = view.estimate(t.task, worker.worker_class);
    const double wait = gpu_work_ / static_cast<double>(gpu_workers_);
    if (here && t.seconds > 0.0 && here->seconds.value > wait) return {};
    return give(slot, kNone);
  }

  /// @param gpu  kNone: to a core.
  TaskRef give(std::uint32_t slot, std::uint32_t gpu) {
    Task& t = tasks_[slot];
    for (std::uint32_t g = 0; g < gpus_.size(); ++g) count(slot, g, -1);
    for (const Use& use : t.data) leave(use);
    for (const Use& use : t.data) {
      if (use.writes) {
        for (std::uint32_t g = 0; g < gpus_.size(); ++g)
          if (g != gpu) set_present(use.datum, g, false);
      }
      if (gpu != kNone) set_present(use.datum, gpu, true);
    }
    if (gpu != kNone)
      for (const Use& use : t.data) ++cell(use.datum, gpu).given;
    gpu_work_ = std::max(0.0, gpu_work_ - t.seconds);
    const TaskRef task = t.task;
    t.task = TaskRef();
    free_slots_.push_back(slot);
    return task;
  }

  const double fill_;
  std::size_t gpu_workers_ = 0;
  double gpu_work_ = 0.0;  // seconds on a GPU of all ready tasks for GPUs
  std::vector<WorkerState> workers_;
  std::vector<std::uint32_t> gpu_of_node_;
  std::vector<Gpu> gpus_;  // memories of GPUs
  TaskHeap cpu_only_;
  Places all_, shared_;    // tasks for GPUs, those of them that cores can run
  Places fresh_;           // and those of which nothing that they write lay on a GPU when they became ready
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Needs> needs_;  // slot x GPU
  std::vector<Use> finished_uses_;
  std::unordered_map<const void*, std::uint32_t> number_of_;  // looked up, never walked: no order by address
  std::vector<Datum> data_;
  std::vector<Cell> cells_;   // datum x GPU
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(darts, mitra::Darts, "data-aware for GPUs with little memory: the datum that enables most tasks, least used out",
                {"fill", "0.65", "share of a GPU's memory for data that ready tasks write, before others are begun"});
