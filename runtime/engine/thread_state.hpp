// What each thread that touches an engine has of its own: worker threads, and threads of the application.
// Flow: engine. Thread-safety: its own thread, but for the members that say otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/scheduling_policy.hpp>

#include "engine/parking.hpp"
#include "graph/datum.hpp"
#include "graph/record_pool.hpp"

namespace mitra::detail {
struct GraphStorage;
}

namespace mitra::engine {

using detail::TaskHeader;
using graph::Datum;
using graph::DependencyState;
using graph::Member;
using graph::RecordPool;
using graph::TaskRecord;

class TaskEngine;
class Recorder;
struct Frame;
struct ThreadState;

/// The view of the scheduler that belongs to one thread.
class WorkerView final : public SchedulerView {
 public:
  WorkerView(TaskEngine& engine, ThreadState& self, std::uint64_t seed) : engine_(engine), self_(self), random_(seed) {}
  const Machine& machine() const override;
  WorkerId self() const override;
  Seconds now() const override;
  std::uint64_t random() override {  // xorshift64*, Marsaglia 2003 and Vigna 2016
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return random_ * 0x2545F4914F6CDD1DULL;
  }
  std::optional<Estimate> estimate(TaskRef task, ClassId worker_class) override;
  Bytes bytes_missing(TaskRef task, NodeId node) override;
  std::optional<Seconds> transfer_time(TaskRef task, NodeId node) override;
  Seconds links_busy(NodeId node) override;
  bool holds(const AccessRef& access, NodeId node) override;
  std::optional<Bytes> room(NodeId node) override;
  void prefetch(TaskRef task, NodeId node) override;
  void write_back(const AccessRef& access) override;
  Seconds busy_until(WorkerId worker) override;
  TaskRef take_back(WorkerId worker) override;
  std::vector<Seconds> rehearse(std::span<const PolicyMaker> policies) override;
  std::span<const TaskId> predecessors() const override;
  void wake(WorkerId worker) override;

 private:
  TaskEngine& engine_;
  ThreadState& self_;
  std::uint64_t random_;
};

/// A private buffer in the hands of a running task.
struct PrivateLoan {
  TaskHeader* task;
  std::size_t access;
  Datum* datum;
  void* buffer;
};

/// A datum that a thread has acquired.
struct HeldDatum {
  Datum* datum;
  AccessMode mode;
};

/// A thread that waits for one event: the task that stands for it has become ready.
struct Waiter {
  std::atomic<int> state{0};  ///< 0: not yet; 1: ready; 2: ready, but what it follows failed.
};

/// Nanoseconds of a monotonic clock.
inline std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Whether tasks are worth their way to a second core. Moving one costs both cores some cache lines, of 30 to 170 ns each as
/// the cores are near or far. Where bodies are shorter than that, and the thread that submits them can execute them itself,
/// another worker only gets in its way: it holds off for some microseconds after every few tasks.
/// @thread its worker
struct Grain {
  static constexpr std::uint64_t kWorthMoving = 100;     // ns of a body, with the reading of the clock (some 25 ns)
  static constexpr std::uint32_t kSampled = 16;          // one body in so many is timed
  static constexpr unsigned kTasksBetween = 32;          // holds
  static constexpr std::uint64_t kShortestHold = 2'000;  // ns
  static constexpr std::uint64_t kLongestSpin = 8'000;   // longer holds are slept: the kernel adds some 50'000
  static constexpr std::uint64_t kLongestHold = 64'000;

  std::uint32_t count = 0;
  std::uint64_t smoothed = kWorthMoving;  // ns
  std::uint64_t hold = kShortestHold;     // of the hold under way, or the next
  std::uint64_t submissions_seen = 0;

  void add(std::uint64_t ns) {
    // One body that was interrupted must not outweigh many.
    smoothed = (3 * smoothed + (ns < 4 * kWorthMoving ? ns : 4 * kWorthMoving)) / 4;
  }
  bool tiny() const { return smoothed < kWorthMoving; }
};

struct alignas(128) ThreadState {
  ThreadState(TaskEngine& owner, WorkerId id, bool is_worker_thread, std::uint64_t seed);

  detail::ExecutionContext context;  ///< `worker` is not valid() while an application thread is not worker 0.
  Frame* frame = nullptr;     ///< Beside devices: what the task under way holds of the memory; null: nothing is to be told.
  Frame* arrived = nullptr;   ///< Of the task that is to be executed next: its data have been asked for before.
  TaskHeader* to_split = nullptr;  ///< The task that is to be executed next, which becomes finer ones.
  bool keeps_record = false;         ///< Of the task that it completes next: it may be run again.
  bool on_device = false;            ///< It runs a device's body: it executes nothing else.
  bool device_thread = false;        ///< It has, and has not been worker 0 since.
  std::uint8_t kinds = 1;            ///< Bit WorkerKind: what it executes.
  std::atomic<int> awaited{0};       ///< Tasks that it was given by the policy, and whose data are on their way.
  const bool worker_thread;          ///< Started by the engine; otherwise a thread of the application.
  int destroying = 0;                ///< It is in the destructor of a task's closure.
  int splitting = 0;                 ///< It runs the split function of a task, which takes no virtual time.
  TaskHeader* deferred = nullptr;    ///< Ready tasks without a body to run, linked: cancelled ones, empty replays.
  detail::GraphStorage* replay = nullptr;  ///< Where it has finished nodes that `done` does not count yet,
  std::uint64_t replay_done = 0;           ///< and how many.
  std::unique_ptr<Recorder> recorder;
  Seconds inner;  ///< Of the body under way: what bodies took that ran inside of it. Kept for the graph recorder alone.
  Grain grain;
  Seconds went_home{-1.0};           ///< When it was last moved to its own processor.
  graph::RecordCache cache;
  std::vector<PrivateLoan> loans;
  std::vector<TaskId> predecessors;  ///< Of the task that is being submitted, for a policy that looks ahead.
  WorkerView view;

  // Read by others.
  alignas(64) std::atomic<std::uint64_t> finished{0};  ///< Tasks completed, written by this thread alone.
  std::atomic<std::uint64_t> submitted{0};             ///< Of the application's tasks.
  std::atomic<std::uint64_t> executed{0};              ///< Bodies run.
  std::atomic<TaskHeader*> running{nullptr};           ///< For the watchdog; kept only when there is one.
  bool sleeps_apart = false;  ///< It waits, and is no worker: Parking does not know it. Under waiters_mutex_.
  Parker parker;              ///< Where it sleeps as a worker. Only Parking gives it tokens.
  Parker parker_apart;        ///< Where it sleeps apart.
  std::atomic<int> leases{0};  ///< Acquired data that it holds outside of tasks. Another thread may release a guard.
  detail::SpinLock held_lock;
  std::vector<HeldDatum> held MITRA_GUARDED_BY(held_lock);  ///< All that it has acquired, also in tasks.
  ThreadState* next_external = nullptr;
};

/// The thread's state in the engine that it used last.
struct ThreadCache {
  std::uint64_t serial = 0;
  ThreadState* state = nullptr;
};
extern thread_local constinit ThreadCache thread_cache;

}  // namespace mitra::engine
