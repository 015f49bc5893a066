// One GPU: its streams, its copies, what is under way, and whether it is lost.
// Flow: hip driver -> [hip device] -> HIP. Thread-safety: memory, wake: any thread; the rest: the device's own thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/hip_driver.hpp>

#include "copy_lane.hpp"
#include "launch_scope.hpp"
#include "marks.hpp"
#include "pinned.hpp"

namespace mitra::hip {

class Device {
 public:
  /// @param blas  For its large kernels; null: none.
  Device(const Functions& functions, const Blas* blas, int number, Bytes capacity, const HipOptions& options,
         const PinnedRanges& pinned);
  /// Waits for what is under way, though not longer than HipOptions::patience.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DeviceResult allocate(Bytes size, std::byte*& memory) noexcept;
  void release(std::byte* memory, Bytes size) noexcept;

  DeviceResult attach() noexcept;
  /// @pre The ends are devices that are joined, or the host.
  DeviceResult copy(const DeviceCopy& copy) noexcept;
  DeviceResult launch(unsigned stream, const DeviceLaunch& launch) noexcept;
  void poll(std::vector<DeviceCompletion>& completions) noexcept;
  void wait(Seconds limit) noexcept;
  void wake() noexcept;

 private:
  struct Running {
    std::uint64_t token = 0;
    Mark mark;
    DeviceResult result;
  };

  DeviceResult make_streams();
  DeviceResult start(unsigned stream, const DeviceLaunch& launch);
  DeviceResult poll_stream(std::deque<Running>& running, std::vector<DeviceCompletion>& completions);
  void end_all(std::vector<DeviceCompletion>& completions);
  bool busy() const noexcept;
  bool has_news() noexcept;
  bool drained() noexcept;
  /// The device is given up: whatever is asked of it from now on is answered with this.
  DeviceResult lose(const DeviceResult& result) noexcept;
  DeviceResult lost_result() const noexcept;
  bool is_lost() const noexcept { return lost_.load(std::memory_order_acquire); }

  const Functions& functions_;
  const int number_;
  const Bytes capacity_;
  const HipOptions& options_;
  const PinnedRanges& pinned_;

  std::atomic<std::uint64_t> used_{0};
  std::atomic<bool> lost_{false};
  mutable std::mutex mutex_;  // of the three below
  std::condition_variable woken_or_lost_;
  bool woken_ = false;
  DeviceResult why_lost_;

  bool attached_ = false;
  Marks marks_;
  KernelModule module_;
  BlasHandles blas_;
  std::vector<hipStream_t> streams_;
  std::vector<std::deque<Running>> running_;  // by stream
  std::array<hipStream_t, 3> copy_streams_{};
  std::array<CopyLane, 3> lanes_;        // by Direction
  std::vector<DeviceCompletion> early_;  // ended while something else was asked
};

}  // namespace mitra::hip
