// The engine that executes tasks: it owns every layer and connects them.
// Flow: Runtime -> [task engine] -> dependency tracker, policy, workers, memory. Thread-safety: thread-safe.
//
// Live or in virtual time, as Config::backend says: what differs is in virtual/, behind `virtual_time_`.
// Where to look: submission.cpp (begin, commit), completion.cpp (execute, finish, release), waiting.cpp (worker loop, waits,
// leases), replaying.cpp (recorded graphs), outcomes.hpp (failures, cancellation), watchdog.cpp (stuck runs).
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <mitra/driver.hpp>
#include <mitra/engine.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/performance_model.hpp>
#include <mitra/scheduling_policy.hpp>

#include "engine/domain.hpp"
#include "engine/outcomes.hpp"
#include "engine/parking.hpp"
#include "engine/submission_lock.hpp"
#include "engine/thread_state.hpp"
#include "graph/dependency_tracker.hpp"
#include "graph/record_pool.hpp"
#include "observe/graph_recorder.hpp"

namespace mitra::engine {

/// Defined beside the environment, in config.cpp: the one place that writes to standard error.
void report_to_standard_error(std::string_view text);

class Answers;
class DeviceSet;
class DeviceWorkers;
class LiveMemory;
class VirtualTime;

class TaskEngine final : public Engine {
 public:
  explicit TaskEngine(const Config& config);
  /// In virtual time on a machine that is at hand. @param description  Null: live. @param model  Null: as config says.
  TaskEngine(const Config& config, std::unique_ptr<const MachineDescription> description, std::unique_ptr<PerformanceModel> model);
  ~TaskEngine() override;

  TaskHeader* begin(std::size_t accesses, std::size_t closure_bytes) override;
  Task commit(TaskHeader* task, const detail::SubmitExtras* extras) override;
  void abandon(TaskHeader* task) noexcept override;
  void keep(std::shared_ptr<const void> state) override;
  std::uint64_t serial() const override { return serial_; }

  void wait_all() override;
  void wait(const Task& task) override;
  TaskStatus status(const Task& task) const override;
  void cancel(const Task& task) override;

  std::shared_ptr<detail::DataHeader> add_data(detail::DataSpec spec) override;
  detail::Parts partition(detail::DataHeader* whole, const detail::PartitionSpec& spec) override;
  detail::Lease begin_lease(detail::AccessWord access, SourceLocation where, const char* call) override;
  detail::Lease lend(detail::AccessWord access, SourceLocation where, const char* call);
  void end_lease(const detail::Lease& lease) noexcept override;
  void rebind(detail::DataHeader* data, void* host) override;
  void* address(const detail::ExecutionContext& context, std::size_t access) override;

  void run_moldable(const detail::ExecutionContext& context, void (*body)(const detail::ExecutionContext&)) override;

  void begin_recording() override;
  std::shared_ptr<detail::GraphStorage> end_recording() override;
  void discard_recording() noexcept override;
  Task replay(const std::shared_ptr<detail::GraphStorage>& graph, SourceLocation where) override;

  static void run_fold(TaskHeader& task, const detail::ExecutionContext& context);  ///< The body of folds.

  const Machine& machine() const override { return machine_; }
  const Config& config() const override { return config_; }
  Statistics statistics() const override;
  bool executes() const override { return virtual_time_ == nullptr || config_.execute; }
  std::optional<SimulationReport> simulation() const override;
  void restart_simulation() override;
  void keep_graph() override;
  Seconds now() const { return driver_->now(); }
  void wake_worker(WorkerId worker);
  /// Waits a little if the tasks are too small to share. @see Grain
  void hold_off(ThreadState& self);

 private:
  friend class EdgeSink;
  friend class LiveTrees;
  friend class Rehearsal;
  friend class WorkerView;
  friend class VirtualTime;
  friend class LiveMemory;
  friend class DeviceWorkers;

  // --- threads (threads.cpp) ---
  ThreadState& thread_state() {
    const ThreadCache& cache = thread_cache;
    if (cache.serial == serial_) [[likely]] return *cache.state;
    return find_thread_state();
  }
  ThreadState& find_thread_state();
  void worker_main(ThreadState& self);
  void go_home(ThreadState& self) noexcept;
  void stop_threads() noexcept;
  void write_recorded_graph() noexcept;

  // --- submission (submission.cpp) ---
  void make_room(ThreadState& self);
  void validate(TaskHeader& task, const detail::SubmitExtras* extras);
  void check_parent_declares(const TaskHeader& parent, detail::AccessWord access) const;
  DependencyState& state_for(Datum& datum, TaskHeader* parent) MITRA_REQUIRES(submission_lock_);
  /// Inserts an empty task, or a fold, after `members`. @returns It, as a predecessor for what follows.
  void close_reductions(ThreadState& self, TaskHeader* parent);
  Member insert_internal(ThreadState& self, TaskHeader* parent, const detail::TaskType& type, Datum* datum,
                         DependencyState& members, bool for_a_task) MITRA_REQUIRES(submission_lock_);
  TaskRecord* new_record(ThreadState& self, std::size_t accesses, std::size_t closure_bytes);
  void free_record(ThreadState& self, TaskRecord* record) noexcept;
  std::size_t prepare(TaskHeader& task, const detail::SubmitExtras* extras);
  Task publish(ThreadState& self, TaskRecord& task, const detail::SubmitExtras* extras);
  std::unique_lock<std::recursive_mutex> lock_virtual_time();

  // --- partition trees (trees.cpp) ---
  void check_trees(const TaskHeader& task) const;
  void prepare_trees(ThreadState& self, const TaskHeader& task, const detail::SubmitExtras* extras) MITRA_REQUIRES(submission_lock_);
  void follow_trees(ThreadState& self, const TaskHeader& replay, const void* recorded) MITRA_REQUIRES(submission_lock_);
  void close_trees(ThreadState& self, TaskHeader* parent);
  void insert_transition(ThreadState& self, TaskHeader* parent, int priority, const char* name,
                         std::span<const detail::AccessWord> words, const TaskHeader* for_task) MITRA_REQUIRES(submission_lock_);
  bool has_many_memories() const;

  // --- readiness and completion (completion.cpp) ---
  void make_ready(ThreadState& self, TaskHeader* task);
  /// Tells a policy that looks ahead of a task. @pre self.predecessors are its own
  void tell_policy(ThreadState& self, TaskHeader& task);
  void tell_cancelled(ThreadState& self, TaskHeader& task);
  bool runs_next(ThreadState& self, TaskHeader* successor);
  void hand_to_policy(ThreadState& self, TaskHeader* task);
  TaskHeader* take_from_policy(ThreadState& self);
  TaskHeader* execute(ThreadState& self, TaskHeader* task);
  /// The same beside devices: the task's data may lie elsewhere. @returns Null also if they are on their way: then whoever
  /// finds them arrived goes on with it.
  TaskHeader* execute_beside_devices(ThreadState& self, TaskHeader* task);
  bool lend_private_copies(ThreadState& self, Frame& frame);
  /// @returns Whether the body failed.
  bool run_body(ThreadState& self, TaskHeader* task);
  static void run_device_body(void* argument, void* stream) noexcept;
  void become_device_thread(ThreadState& self) noexcept;
  /// For bodies on cores, where emulated devices are to be faster. @param before  processor_time() of the thread before.
  void slow_down(Seconds before) const;
  static Seconds processor_time();  // that the calling thread has had
  /// For the graph recorder. @param inner  What self.inner was before the body.
  void note_duration(ThreadState& self, const TaskHeader& task, Seconds start, Seconds inner);
  /// Runs a body for its values, in virtual time. @returns Whether it failed.
  bool run_virtual_body(ThreadState& self, const detail::ExecutionContext& context);
  void return_loans(ThreadState& self, const TaskHeader* task);
  /// The body is over. @returns A successor to run next on this worker, or null.
  TaskHeader* finish(ThreadState& self, TaskHeader* task, bool poisoned);
  TaskHeader* complete(ThreadState& self, TaskHeader* task, bool poisoned);
  TaskHeader* release_successor(ThreadState& self, TaskHeader* successor, const TaskHeader* by, bool poisoned, TaskHeader* next);
  bool release_held(ThreadState& self, TaskHeader* task, bool& poisoned);
  void child_finished(ThreadState& self, TaskHeader* parent);
  void complete_deferred(ThreadState& self);
  void fail(TaskHeader* task, std::exception_ptr thrown);
  void note_failure(TaskHeader* task, const std::exception_ptr& error);
  bool take_commute_locks(TaskHeader* task);
  void release_commute_locks(ThreadState& self, TaskHeader* task);
  void fold_reduction(TaskHeader& task);
  void drop_contributions(TaskHeader& task);

  // --- tasks that become finer ones (splitting.cpp) ---
  bool splits(ThreadState& self, TaskHeader* task);
  TaskHeader* take_split();
  TaskHeader* run_split(ThreadState& self, TaskHeader* task);

  /// A policy that is told what tasks cost keeps ready tasks, and nobody knows until when.
  bool policy_waits() const { return memory_ != nullptr && policy_holds_.load(std::memory_order_relaxed) > 0; }
  /// Serialises calls of a policy that is not concurrent; beside devices, with the memory, since each asks the other.
  class PolicyGuard {
   public:
    explicit PolicyGuard(TaskEngine& engine);
    ~PolicyGuard();
    PolicyGuard(const PolicyGuard&) = delete;
    PolicyGuard& operator=(const PolicyGuard&) = delete;

   private:
    TaskEngine& engine_;
  };

  // --- waiting (waiting.cpp) ---
  TaskHeader* find_work(ThreadState& self);
  /// Executes tasks until `done` holds, which is looked at after `patience` tasks, and whenever there is nothing to run:
  /// its answer lies in cache lines that other workers write.
  template <class Predicate>
  void help_until(ThreadState& self, unsigned patience, Predicate&& done);
  template <class Predicate>
  void help_surely_until(ThreadState& self, unsigned patience, Predicate&& done);
  void policy_threw(ThreadState& self, std::exception_ptr error);
  static constexpr unsigned kUntilDry = ~0U;  // while there is something to run, the answer is no
  /// The same in virtual time: makes it pass.
  template <class Predicate>
  void pass_time_until(ThreadState& self, Predicate&& done);
  [[noreturn]] void throw_standstill();
  /// Spins, then sleeps. @returns Work; null once `done` holds.
  template <class Predicate>
  TaskHeader* search(ThreadState& self, bool waits, Predicate&& done);
  template <class Predicate>
  TaskHeader* search_silently_then_sleep(ThreadState& self, bool waits, Predicate&& done);
  struct EventWait;
  void run_chain(ThreadState& self, TaskHeader* task);
  struct WorkerRole;
  std::uint64_t finished_tasks() const;
  bool drained() const;
  /// Lets those who sleep until something has finished look again. Costs one instruction if nobody does.
  void notify_waiters();
  void wait_children(ThreadState& self);
  void help_out();  // until all tasks are over, whatever became of them
  TaskRecord* signal_task(ThreadState& self, Waiter& waiter, std::size_t accesses, SourceLocation where, const char* name);
  void give_signal(TaskHeader* task, bool poisoned);
  void complete_signal(ThreadState& self, TaskHeader* task, bool poisoned);
  /// Sleeps without being a worker.
  template <class Predicate>
  void sleep_apart(ThreadState& self, Predicate&& done);
  /// Until what the frame asked for is there, or refused.
  void wait_for_data(ThreadState& self, Frame& frame);
  /// The task under way has waited for its children, which may have taken its data elsewhere.
  void take_data_back(ThreadState& self);
  /// Brings lent data home, for the application to look at.
  std::string bring_home(ThreadState& self);
  /// @returns Why it is not there; empty: it is.
  std::string fetch_home(ThreadState& self, Datum& datum, AccessMode mode = AccessMode::readwrite);
  /// Content that lies on devices alone is copied to the host's memory: what tasks referred to may go now, and they are not
  /// run again.
  void make_safe(ThreadState& self);
  void destroy_dead(ThreadState& self);
  bool away_from_home(Datum& datum) const;
  /// The last handle is gone: waits for the datum's tasks where that can end, keeps it until they are done otherwise.
  void forget_data(Datum* datum) noexcept;
  bool in_use(Datum& datum);
  void free_retired_data();
  void delete_data(Datum* root) noexcept;
  friend struct DatumDeleter;

  // --- recorded graphs (replaying.cpp) ---
  Task record_commit(ThreadState& self, TaskHeader* task, const detail::SubmitExtras* extras);
  static bool moves_trees(const TaskHeader& replay);
  void start_replay(ThreadState& self, TaskHeader* task);
  void prepare_nodes(detail::GraphStorage& graph);
  void follow_nodes(ThreadState& self, detail::GraphStorage& graph, const TaskHeader& replay);
  TaskHeader* execute_nodes(ThreadState& self, TaskHeader* node);
  TaskHeader* finish_node(ThreadState& self, TaskHeader* node, bool poisoned);
  bool claim_roots(ThreadState& self);
  void flush_replay(ThreadState& self);
  void node_done(ThreadState& self, detail::GraphStorage& graph, std::uint64_t count);

  // --- watchdog (watchdog.cpp) ---
  void watchdog_main();
  std::string describe_stall();

  Config config_;  // from the beginning on as it is; its scheduler is named when the machine is known
  const std::uint64_t serial_;
  const std::unique_ptr<const MachineDescription> description_;  // of a machine in virtual time; null: this machine
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<DeviceSet> devices_;  // null: in virtual time
  std::size_t cores_ = 0;               // workers that are no devices
  Machine machine_;
  std::vector<bool> homes_;  // by processor: some worker's own; empty: workers have none
  std::unique_ptr<observe::GraphRecorder> graph_recorder_;  // null: nobody wants the graph
  std::unique_ptr<SchedulingPolicy> policy_;
  std::unique_ptr<VirtualTime> virtual_time_;  // null: tasks run live
  std::unique_ptr<LiveMemory> memory_;         // null: the host's memory is the only one
  std::unique_ptr<DeviceWorkers> device_workers_;
  Answers* answers_ = nullptr;                 // one of the two above; null: nobody knows more than the machine
  double core_slowdown_ = 1.0;
  bool keeps_more_ = false;                    // of each task than its record holds
  bool follows_edges_ = false;                 // somebody wants to know the predecessors of each task
  bool policy_concurrent_ = false, policy_watches_submissions_ = false, policy_watches_completions_ = false;
  bool policy_splits_ = false;
  std::size_t window_ = 0;
  unsigned spins_ = 0;

  alignas(64) RecordPool pool_;  // written often: not on a line with what every task reads
  alignas(64) Outcomes outcomes_;
  Parking parking_;

  // Submission: one at a time, so that two tasks meet in the same order on every datum.
  alignas(64) SubmissionLock submission_lock_;
  std::atomic<std::uint64_t> next_id_{0};        // written under the lock
  std::atomic<bool> any_trees_{false};            // some datum has parts; written under the lock
  std::atomic<std::uint64_t> replayed_tasks_{0};  // nodes of replays
  std::atomic<std::uint64_t> transitions_{0};     // written under the lock
  std::vector<Datum*> open_reductions_ MITRA_GUARDED_BY(submission_lock_);  // not folded yet, among root tasks
  std::atomic<std::uint64_t> finished_seen_{0};  // finished_tasks() when somebody last asked
  ThreadState* role_holder_ MITRA_GUARDED_BY(submission_lock_) = nullptr;  // the thread that is worker 0
  std::atomic<bool> role_busy_{false};  // it executes, the role cannot go to another; written under the lock

  alignas(64) detail::SpinLock policy_lock_;    // for policies that are not concurrent()
  std::atomic<std::int64_t> policy_holds_{0};  // tasks in such a policy

  std::atomic<int> splits_waiting_{0};  // tasks in `to_split_`
  detail::SpinLock split_lock_;
  std::deque<TaskHeader*> to_split_ MITRA_GUARDED_BY(split_lock_);
  std::atomic<std::uint64_t> split_tasks_{0};

  std::atomic<bool> role_starves_{false};  // worker 0 looks for work and finds none
  alignas(64) std::atomic<int> event_waiters_{0};  // threads that sleep in a wait, or are about to
  std::atomic<bool> stopping_{false};
  std::atomic<int> replays_running_{0};

  std::mutex commute_mutex_;
  std::mutex waiters_mutex_;
  std::vector<ThreadState*> waiters_;  // the same threads; under waiters_mutex_
  std::atomic<std::uint64_t> recordings_{0};
  std::mutex replay_order_mutex_;
  std::mutex replays_mutex_;
  std::vector<detail::GraphStorage*> replays_;  // with roots left to hand out; under replays_mutex_

  mutable std::mutex threads_mutex_;
  std::vector<std::unique_ptr<ThreadState>> workers_;  // of the engine's own threads: workers 1, 2, ...
  std::unordered_map<std::thread::id, std::unique_ptr<ThreadState>> external_;  // under threads_mutex_
  std::atomic<ThreadState*> external_list_{nullptr};                            // the same, for readers
  std::vector<std::thread> threads_;

  std::mutex keep_mutex_;
  std::vector<std::shared_ptr<const void>> kept_;
  std::unordered_set<Datum*> data_;  // all that have handles or wait in retired_; under keep_mutex_
  std::vector<Datum*> retired_;      // without handles, perhaps in use; under keep_mutex_

  std::thread watchdog_;
  std::mutex watchdog_mutex_;
  std::condition_variable watchdog_wake_;
};

}  // namespace mitra::engine
