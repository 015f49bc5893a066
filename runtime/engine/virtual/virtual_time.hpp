// Runs the engine's tasks in virtual time: every worker of a machine file, on the thread that waits. Graph, policy and
// memory manager are those of live runs; here are the clock, the workers, and the books.
// Flow: ready -> policy -> [virtual worker] -> memory manager -> sim driver -> completion.
// Thread-safety: serialised, by its own lock, which may be taken again by the thread that holds it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/detail/graph_storage.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/performance_model.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/sim_driver.hpp>
#include <mitra/simulation_report.hpp>
#include <mitra/task_queues.hpp>

#include "engine/answers.hpp"
#include "engine/thread_state.hpp"
#include "engine/virtual/idle_workers.hpp"
#include "engine/virtual/kept_graph.hpp"
#include "engine/virtual/rehearsal.hpp"
#include "engine/virtual/run_books.hpp"
#include "engine/virtual/task_costs.hpp"
#include "memory/memory_manager.hpp"
#include "model/information.hpp"

namespace mitra::engine {

class TaskEngine;

/// What virtual time keeps of each task, beside its record.
struct VirtualTask {
  double path_end = 0.0;       ///< Length of the longest path that ends with it, each task at its shortest.
  std::uint32_t path = 0;      ///< Its entry in RunBooks, from which the path can be followed back.
  std::uint32_t row = 0;       ///< In TaskCosts.
};
static_assert(sizeof(VirtualTask) == 16);

class VirtualTime final : public Answers, private memory::MemoryClient {
 public:
  /// @param description  Kept by the engine.
  VirtualTime(TaskEngine& engine, const MachineDescription& description, const Machine& machine,
              std::unique_ptr<PerformanceModel> model, SimDriver& driver, SchedulingPolicy& policy, const Config& config);
  ~VirtualTime() override;

  std::recursive_mutex& mutex() { return mutex_; }
  bool executes() const { return config_.execute; }

  // --- data ---
  void add_data(Datum& datum);
  void forget_data(Datum& datum);
  // Of partition trees.
  bool has_many_memories() const { return many_nodes_; }
  /// @throws MisuseError if the host's memory, where transitions bring a tree together, is smaller than its root.
  void check_home(const Datum& root) const;
  void add_part(Datum& part, Datum& root);
  void enter_fresh(Datum& whole, std::span<detail::DataHeader* const> parts, bool stays) { memory_.enter_fresh(whole, parts, stays); }
  /// A datum that was just added lies where another run on the same machine has the content of `model`.
  void place_as(Datum& datum, const memory::MemoryManager& other, const Datum& model) {
    if (many_nodes_) memory_.place_as(datum, other, model);
  }

  // --- submission ---
  /// Finds what the task costs, and where it can run. @throws SubmitError if that is nowhere.
  void prepare(TaskHeader& task);
  /// Its predecessors are known. @param path_end, path  Of the one that ends the longest path.
  void submitted(TaskHeader& task, double path_end, std::uint32_t path, const detail::SubmitExtras* extras);
  VirtualTask& of(const TaskHeader& task) const;
  /// The task whose predecessors are being found follows this one.
  void follow(const VirtualTask& predecessor) {
    if (kept_ != nullptr && predecessor.path != 0) kept_->pending.push_back(predecessor.path - 1);
  }
  /// A submitted task is over without having begun: its record is used again.
  void task_left() {
    if (rehearsal_ != nullptr) rehearsal_->begun();
  }
  void keep_graph() { kept_ = std::make_unique<KeptGraph>(); }

  // --- scheduling ---
  void hand_over(ThreadState& self, TaskHeader* task);
  /// Does the policy want finer tasks in place of this one?
  bool splits(ThreadState& self, TaskHeader& task);
  /// It takes no time itself: the books are to hold its children alone.
  void was_split(const TaskHeader& task);
  void wake(WorkerId worker) { woken_.push_back(worker); }
  /// Makes one event happen. @returns False if nothing can happen any more.
  bool step(ThreadState& self);
  /// A body waits for its children: until it goes on, its worker is free for others.
  void begin_nested_wait(WorkerId worker);
  void end_nested_wait(WorkerId worker);
  /// Asks every worker that has room for more. @returns Whether one got a task.
  bool ask_everyone(ThreadState& self);
  /// The submitting thread has spent its time on one more task.
  void pass_submission_time(ThreadState& self);
  std::vector<std::uint64_t> executed_by_worker() const;
  /// Nothing happened any more, though tasks were open: what was found to be so stays so.
  bool stands_still() const { return stands_still_; }
  void stand_still() { stands_still_ = true; }
  /// The application has nothing open: what follows comes after all that was.
  void end_phase() {
    books_.end_phase();
    if (rehearsal_ != nullptr) rehearsal_->end_phase();
  }
  /// The run is given up when it takes longer: @throws TimeIsUp from require_time().
  void end_after(const std::atomic<double>& limit) { limit_ = &limit; }
  void require_time();

  // --- what policies ask ---
  std::optional<Estimate> estimate(TaskHeader& task, ClassId worker_class) override { return expected(task, worker_class); }
  Bytes bytes_missing(const TaskHeader& task, NodeId node) override { return many_nodes_ ? memory_.bytes_missing(task, node) : Bytes(0); }
  Seconds transfer_time(const TaskHeader& task, NodeId node) override {
    return many_nodes_ ? memory_.transfer_time(task, node) : Seconds(0.0);
  }
  Seconds links_busy(NodeId node) override { return driver_.backlog(way_in_[node.index()], node); }
  bool holds(const detail::DataHeader& data, NodeId node) override { return memory_.holds(data, node); }
  std::optional<Bytes> room(NodeId node) override { return memory_.room(node); }
  void prefetch(const TaskHeader& task, NodeId node) override {
    if (many_nodes_) memory_.prefetch(task, node);
  }
  void write_back(const detail::DataHeader& data) override {
    if (!memory_.is_held(data)) memory_.write_back(data);
  }
  Seconds busy_until(WorkerId worker) override;
  TaskHeader* take_back(WorkerId worker) override;
  std::vector<Seconds> rehearse(std::span<const PolicyMaker> policies) override;

  SimulationReport report() const;
  Seconds makespan() const { return books_.makespan(); }
  void restart_report();
  /// For tests: the memory manager's books add up.
  void check() const { memory_.check(); }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::optional<Estimate> expected(const TaskHeader& task, ClassId worker_class) const;

  /// A task in a worker's hands.
  struct Slot {
    TaskHeader* task = nullptr;
    WorkerId worker;
    bool running = false;
    bool failed = false;
    bool poisoned = false;       // a transition behind a failed task: it takes place, and cancels what follows
    bool data_released = false;
    bool body_done = false;  // with `execute`: it has run, its duration is still to pass
    Seconds start, duration;
    double watts = 0.0;
    SimEventId launch{};
    std::uint32_t next = kNone;  // in the worker's queue of tasks whose data are there
  };
  struct Worker {
    NodeId node{0};
    ClassId worker_class{0};
    std::uint16_t pipeline = 1, streams = 1;
    std::uint16_t held = 0, running = 0;
    std::uint32_t first_ready = kNone, last_ready = kNone;  // slots: data there, no stream yet
    std::uint32_t newest = kNone;                           // the slot that was started last
    std::uint64_t tasks = 0;                                // executed
    Seconds until{};               // expected end of what it holds
  };
  void start_copy(const memory::CopyOrder& order) override;
  void data_ready(std::uint32_t ticket) override { arrived_.push_back(ticket); }
  Seconds copy_time(NodeId from, NodeId to, Bytes size) override;
  Seconds wait_time(NodeId from, NodeId to) override { return driver_.backlog(from, to); }
  void add_graph(BoundProblem& bounds) const;
  std::size_t choose_victim(NodeId node, std::span<const AccessRef> candidates) override;

  void settle(ThreadState& self);
  bool feed(ThreadState& self, WorkerId worker);
  bool ask_idle(ThreadState& self, std::size_t kind_set);
  TaskHeader* take_from_policy(ThreadState& self, WorkerId worker);
  void accept(ThreadState& self, WorkerId worker, TaskHeader* task);
  void data_there(ThreadState& self, std::uint32_t slot);
  void start(ThreadState& self, std::uint32_t slot);
  void start_ready(ThreadState& self, Worker& worker);
  void end(ThreadState& self, std::uint32_t slot);
  void run_body(ThreadState& self, Slot& slot, TaskHeader* task, WorkerId worker);
  void update_idle(WorkerId worker);
  WorkerKind kind_of(const Worker& worker) const { return machine_.classes[worker.worker_class.index()].kind; }
  double duration_of(const TaskHeader& task, ClassId worker_class) const;
  std::uint32_t new_slot();
  void free_slot(std::uint32_t slot);
  detail::ExecutionContext context_of(WorkerId worker, TaskHeader* task);

  TaskEngine& engine_;
  const MachineDescription& description_;
  const Machine& machine_;
  const Config& config_;
  const std::unique_ptr<PerformanceModel> model_;
  const model::Information information_;
  SimDriver& driver_;
  SchedulingPolicy& policy_;
  const bool watches_completions_;
  const bool steals_;  // the policy is concurrent: workers have queues of their own
  const bool many_nodes_;
  std::recursive_mutex mutex_;
  TaskCosts costs_;
  const memory::LargestMemories largest_memories_;
  memory::MemoryManager memory_;
  RunBooks books_;
  IdleWorkers idle_;

  std::vector<Worker> workers_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> bodies_;   // slots whose bodies run, one within the wait of the other
  std::vector<WorkerId> woken_;
  std::array<std::uint64_t, std::size_t{1} << kWorkerKinds> unclaimed_{};  // ready tasks for which nobody was woken, by kinds
  std::deque<std::uint32_t> arrived_;   // slots whose data are there
  std::vector<NodeId> way_in_;          // by node: its host, or for a host, one of its devices; itself if there is neither
  std::vector<Seconds> copy_latency_;   // node x node
  std::vector<double> copy_per_byte_;
  ThreadState* acting_ = nullptr;       // whose view the policy gets when the memory manager asks it
  std::unique_ptr<KeptGraph> kept_;  // null: the report does not hold the graph
  std::unique_ptr<Rehearsal> rehearsal_;  // null: the policy does not rehearse
  const std::atomic<double>* limit_ = nullptr;  // s
  std::uint64_t transfers_ = 0;
  Seconds report_from_;            // the report's beginning, and what there was before it
  SimTraffic traffic_before_{};
  Joules link_energy_before_;
  Seconds submission_clock_;
  bool stands_still_ = false;
};

}  // namespace mitra::engine
