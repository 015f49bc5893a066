// One emulated device: its memory, its copy engines, its streams; each runs on threads of its own.
// Flow: emu driver -> [emu device] -> completions. Thread-safety: thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/emu_driver.hpp>

namespace mitra::emu {

using Clock = std::chrono::steady_clock;

class Device {
 public:
  /// @param other  A device, by its number.
  Device(const EmuOptions& options, unsigned number, double dilation, std::function<Device&(int)> other);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DeviceResult allocate(Bytes size, std::byte*& memory);
  void release(std::byte* memory, Bytes size);
  DeviceResult copy(const DeviceCopy& copy);
  DeviceResult launch(unsigned stream, const DeviceLaunch& launch);
  void leave_stream(unsigned stream);
  void poll(std::vector<DeviceCompletion>& completions);
  void wait(Seconds limit);
  void wake();
  bool lost() const;

 private:
  /// Takes copies one after the other, urgent ones first.
  struct CopyEngine {
    std::deque<DeviceCopy> urgent, others;
    std::condition_variable wake;
    Clock::time_point free_at{};
    std::thread thread;
  };
  struct Stream {
    std::deque<DeviceLaunch> waiting;
    bool busy = false;
  };

  DeviceResult call(bool allocates = false);  // counts it, and makes it fail if it is to
  void run_copies(CopyEngine& engine);
  DeviceCopy take_copy(CopyEngine& engine);
  void run_launches();
  void start_next(unsigned stream);
  void complete(DeviceCompletion completion);
  void move(const DeviceCopy& copy);
  void poison_what_was_lost();
  DeviceResult status() const;

  EmuOptions options_;  // faults go when they have been
  const unsigned number_;
  const double dilation_;
  const std::function<Device&(int)> other_;
  mutable std::mutex mutex_;
  std::shared_mutex in_use_;  // shared: who reads or writes its memory; alone: who poisons it. Taken after mutex_ by trying only.
  std::condition_variable owner_, executors_wake_;
  std::map<std::byte*, std::size_t> blocks_;  // for the poison of a lost device
  std::uint64_t used_ = 0, calls_ = 0, random_;
  bool lost_ = false, poisoned_ = false, woken_ = false, stopping_ = false;
  std::vector<DeviceCompletion> done_;
  CopyEngine in_, out_;
  std::vector<Stream> streams_;
  std::deque<std::pair<unsigned, DeviceLaunch>> runnable_;  // stream, launch
  std::size_t idle_executors_ = 0;
  std::vector<std::thread> executors_;
};

}  // namespace mitra::emu
