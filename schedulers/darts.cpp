// GPUs with little memory: bring the datum that makes most tasks runnable per byte, run all of these, and when room is
// needed, let go of what is used least in the near future.
//
// Gonthier, Marchal, Thibault: Memory-aware scheduling of tasks sharing data on multiple GPUs with dynamic runtime systems
// (IPDPS 2022): DARTS, the choice of the next datum for a GPU by the number of tasks that need nothing else, and LUF, the
// eviction of the datum that is used least by the tasks which are to come.
//
// There, tasks are independent and read; here they also write, become ready while others run, and are counted as follows.
// A task is free on a GPU when all that it reads lies there, and resident when all that it writes does. Data that tasks have
// been given for count as lying there, before they have arrived. The counts are kept by increments, for every datum and GPU.
//
// While there is room for the results of ready tasks, all tasks count; then only resident ones, until few are left: results
// stay in place while operands stream past them, instead of being written back and fetched again for every update. A product
// of n x n data takes 2 n^3 / sqrt(M) loads at least, where M fit (Hong, Kung, STOC 1981). Three things bring it near that:
// - Operands have room for `sides` times sqrt(M) data, whatever M is: the sides of a square of results.
// - What was brought for new results serves for all that it can before results are closed: they are whole rows and columns of
//   the square that grows from the counts, and what is left for later is not ragged.
// - Once they are closed, an operand is finished with before others: what it meets is brought next. So one side of the square
//   lies there, and of the other side one datum at a time, as in kernels of products (Goto, van de Geijn, TOMS 2008).
//
// Cores, for which the paper has no method, take the most urgent task that GPUs cannot run, or would have run later.
// Flow: ready -> [darts] -> worker; victim <- memory manager. Thread-safety: serialised.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include <mitra/lazy_heap.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/task_places.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

namespace {

class Darts final : public SchedulingPolicy {
 public:
  explicit Darts(const PolicyArguments& arguments) : sides_(arguments.number("sides", 0.0, 100.0)) {}

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
      Needs& needs = needs_of(slot, g);
      needs = {};
      for (const Use& use : t.data) {
        if (cell(use.datum, g).present) continue;
        needs.reads += use.reads;
        needs.writes += use.writes;
      }
      count(slot, g, +1);
      enqueue(slot, g);
    }
    all_.push(task, slot);
    if (task.runs_on(WorkerKind::cpu)) shared_.push(task, slot);
    if (std::none_of(t.data.begin(), t.data.end(), [&](const Use& use) { return use.writes && data_[use.datum].gpus != 0; }))
      fresh_.push(task, slot);
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
    bool present = false;
  };
  struct Datum {
    std::uint64_t bytes = 0;
    std::uint32_t gpus = 0;            // on which it is present
    std::uint32_t writers = 0;         // tasks that write it, and are ready or running
    std::vector<std::uint32_t> users;  // slots of ready tasks
  };
  struct Gpu {
    NodeId node{0};
    std::uint64_t capacity = 0;  // bytes; 0: no limit
    std::uint64_t results = 0;   // bytes of present data that tasks write which are ready or running
    bool closed = false;         // no room for further results
    std::uint32_t unfinished = kNone;  // the operand that is to meet all that it can before others are brought
    TaskPlaces free_resident{}, free_other{}, resident{};
    LazyHeap by_resident{}, by_any{};  // data by tasks per byte
  };
  struct WorkerState {
    WorkerKind kind;
    ClassId worker_class;
    std::uint32_t gpu;
  };

  Needs& needs_of(std::uint32_t slot, std::uint32_t gpu) { return needs_[std::size_t{slot} * gpus_.size() + gpu]; }
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
      bytes_ += static_cast<double>(access.bytes().value);
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
      Needs& needs = needs_of(slot, gpu);
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
    const Needs needs = needs_of(slot, gpu);
    if (needs.reads > 1 && needs.writes > 0) return;
    const auto step = static_cast<std::uint32_t>(by);
    for (const Use& use : tasks_[slot].data) {
      Cell& c = cell(use.datum, gpu);
      if (needs.reads == 0) c.free_users += step;
      if (needs.writes == 0) c.resident_users += step;
      if (needs.reads != 1 || !use.reads || c.present) continue;
      (needs.writes == 0 ? c.enables_resident : c.enables_other) += step;
      if (by < 0) continue;
      gpus_[gpu].by_resident.offer(use.datum, worth(use.datum, gpu, true));
      gpus_[gpu].by_any.offer(use.datum, worth(use.datum, gpu, false));
    }
  }

  // ---- what a GPU chooses from ----

  /// Tasks that the datum makes free, for each of its bytes.
  double worth(std::uint32_t datum, std::uint32_t gpu, bool residents_alone) {
    const Cell& c = cell(datum, gpu);
    const std::uint32_t tasks = c.present ? 0 : c.enables_resident + (residents_alone ? 0 : c.enables_other);
    return static_cast<double>(tasks) / static_cast<double>(data_[datum].bytes);
  }
  /// @returns The datum that makes most tasks free per byte; kNone if none makes one.
  std::uint32_t best_datum(std::uint32_t gpu, bool residents_alone) {
    LazyHeap& heap = residents_alone ? gpus_[gpu].by_resident : gpus_[gpu].by_any;
    return heap.take([&](std::uint32_t datum) { return worth(datum, gpu, residents_alone); });
  }
  /// @returns The best of the data that resident tasks on the unfinished operand lack; kNone if it is finished.
  std::uint32_t best_for_unfinished(std::uint32_t gpu) {
    std::uint32_t& operand = gpus_[gpu].unfinished;
    if (operand == kNone) return kNone;
    std::uint32_t best = kNone;
    double most = 0.0;
    for (const std::uint32_t slot : data_[operand].users) {
      const Needs needs = needs_of(slot, gpu);
      for (const Use& use : tasks_[slot].data) {
        const double value = needs.writes == 0 && needs.reads == 1 ? worth(use.datum, gpu, true) : 0.0;
        if (value < most || value == 0.0 || (value == most && use.datum > best)) continue;
        best = use.datum;
        most = value;
      }
    }
    return best == kNone ? operand = kNone : best;
  }
  /// Unfinished is the operand that the fewest resident tasks use: what it meets is the shorter side, and stays. @returns slot
  std::uint32_t begin_operand(std::uint32_t slot, std::uint32_t gpu) {
    std::uint32_t& best = gpus_[gpu].unfinished = kNone;
    for (const Use& use : tasks_[slot].data)
      if (!use.writes && (best == kNone || cell(use.datum, gpu).resident_users < cell(best, gpu).resident_users)) best = use.datum;
    return slot;
  }

  /// @returns The most urgent task of the heap that `suits`; kNone if there is none. Others are dropped before it.
  template <class F>
  std::uint32_t top(TaskPlaces& heap, F&& suits) {
    return heap.top([&](std::uint32_t slot, TaskId id) { return tasks_[slot].task && tasks_[slot].task.id() == id && suits(slot); });
  }
  void enqueue(std::uint32_t slot, std::uint32_t gpu) {
    const Needs needs = needs_of(slot, gpu);
    const TaskRef task = tasks_[slot].task;
    if (needs.reads == 0) (needs.writes == 0 ? gpus_[gpu].free_resident : gpus_[gpu].free_other).push(task, slot);
    if (needs.writes == 0) gpus_[gpu].resident.push(task, slot);
  }

  /// Bytes of results: below `few`, others are begun; from `full` on, nothing is brought for others; from `most` on, none begins.
  struct Limits {
    double few, full, most;
  };
  Limits limits_of(const Gpu& gpu) const {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    if (gpu.capacity == 0 || data_.empty()) return {kNever, kNever, kNever};
    const double capacity = static_cast<double>(gpu.capacity), datum = bytes_ / static_cast<double>(data_.size());
    const double full = std::max(0.5 * capacity, capacity - sides_ * std::sqrt(capacity * datum));
    return {0.25 * full, full, 0.5 * (full + capacity)};
  }

  std::uint32_t next_on(std::uint32_t gpu) {
    Gpu& g = gpus_[gpu];
    const auto is_free = [&](std::uint32_t slot) { return needs_of(slot, gpu).reads == 0; };
    const auto is_resident = [&](std::uint32_t slot) { return needs_of(slot, gpu).writes == 0; };
    const auto any = [](std::uint32_t) { return true; };
    const Limits limits = limits_of(g);
    for (;;) {
      const double results = static_cast<double>(g.results);
      if (results >= limits.most) g.closed = true;
      if (results < limits.few) g.closed = false;
      if (const auto slot = top(g.free_resident, [&](std::uint32_t s) { return is_free(s) && is_resident(s); }); slot != kNone)
        return slot;
      if (const auto slot = g.closed ? kNone : top(g.free_other, is_free); slot != kNone) return slot;
      if (results >= limits.full) g.closed = true;
      std::uint32_t datum = g.closed ? best_for_unfinished(gpu) : kNone;
      if (datum == kNone) datum = g.unfinished = best_datum(gpu, g.closed);
      if (datum != kNone) {
        set_present(datum, gpu, true);
        continue;
      }
      if (const auto slot = top(g.resident, is_resident); slot != kNone) return begin_operand(slot, gpu);
      if (g.closed) {  // nothing more to do on what lies here
        if (const auto slot = top(g.free_other, is_free); slot != kNone) return slot;
        datum = best_datum(gpu, false);
        if (datum != kNone) set_present(datum, gpu, true);
        if (datum != kNone) continue;
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

  const double sides_;
  std::size_t gpu_workers_ = 0;
  double gpu_work_ = 0.0;  // seconds on a GPU of all ready tasks for GPUs
  std::vector<WorkerState> workers_;
  std::vector<std::uint32_t> gpu_of_node_;
  std::vector<Gpu> gpus_;  // memories of GPUs
  TaskHeap cpu_only_;
  TaskPlaces all_, shared_;  // tasks for GPUs, those of them that cores can run
  TaskPlaces fresh_;         // and those of which nothing that they write lay on a GPU when they became ready
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Needs> needs_;  // slot x GPU
  std::vector<Use> finished_uses_;
  std::unordered_map<const void*, std::uint32_t> number_of_;  // looked up, never walked: no order by address
  std::vector<Datum> data_;
  double bytes_ = 0.0;        // of all of them
  std::vector<Cell> cells_;   // datum x GPU
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(darts, mitra::Darts, "data-aware for GPUs with little memory: the datum that enables most tasks, least used out",
                {"sides", "2", "room on a GPU that results leave to operands: so many times the square root of the number of data that fit"});
