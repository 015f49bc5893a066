// The threads that drive devices, one each: they ask the policy, launch what has its data, start copies, and end what is over.
// Flow: policy -> [device workers] -> live memory, device driver -> completion.
// Thread-safety: each device by its own thread; wake() by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "engine/devices/live_memory.hpp"
#include "engine/thread_state.hpp"

namespace mitra::engine {

class DeviceWorkers {
 public:
  /// Every device with workers has its ThreadState among the engine's.
  DeviceWorkers(TaskEngine& engine, const DeviceSet& devices, LiveMemory& memory);
  ~DeviceWorkers();
  void start();
  /// @pre No task is open. Copies under way end first.
  void stop() noexcept;

  static bool may_run(const TaskHeader& task) { return (task.kinds >> static_cast<unsigned>(WorkerKind::hip) & 1U) != 0; }
  /// A ready task may be for a device that sleeps.
  void wake_hungry() {
    // A read-modify-write: it comes before a device's announcement, which then sees the task, or after it, and sees the device.
    if (hungry_.fetch_add(0, std::memory_order_seq_cst) != 0) wake_all();
  }
  void wake(WorkerId worker);
  /// A body that runs on a device waits for its children: its stream works for others.
  void begin_nested_wait(Frame& frame);

 private:
  struct Lane;  // what the thread of one device knows of it
  void run(Lane& lane) noexcept;
  bool poll(Lane& lane);
  bool start_copies(Lane& lane);
  bool start_arrived(Lane& lane);
  bool feed(Lane& lane);
  void accept(Lane& lane, TaskHeader* task);
  void arrived(Lane& lane, Frame& frame);
  void launch_ready(Lane& lane);
  void launch(Lane& lane, Frame& frame, unsigned stream);
  void ended(Lane& lane, const DeviceCompletion& completion);
  void release_one(Lane& lane);
  void give_elsewhere(Lane& lane, Frame& frame);
  void complete(Lane& lane, TaskHeader* task, bool failed, bool kept = false);
  void lose(Lane& lane);
  bool redirect(Lane& lane);
  std::vector<TaskHeader*> take_given(Lane& lane);
  void send_on(Lane& lane, TaskHeader* task);
  void wake_all();

  TaskEngine& engine_;
  const DeviceSet& devices_;
  LiveMemory& memory_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> hungry_{0};  // bit: lane that sleeps with room for tasks
  std::atomic<bool> stopping_{false};
};

}  // namespace mitra::engine
