// Buffers of one device that are kept for others of the same size: allocating on a GPU stops it.
// Flow: live memory -> [buffer pool] -> device driver. Thread-safety: serialised, the lock of live memory.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/devices/device_set.hpp"

namespace mitra::engine {

class BufferPool {
 public:
  explicit BufferPool(const Device& device) : device_(device) {}
  BufferPool(BufferPool&&) = default;
  ~BufferPool() { trim(); }

  /// @param lost  Set if the device is lost.
  /// @returns Null if it is, or has no memory left, though all that is kept has been given back to it.
  std::byte* take(Bytes size, bool& lost) {
    auto& kept = free_[size.value];
    if (!kept.empty()) {
      std::byte* buffer = kept.back();
      kept.pop_back();
      kept_ -= size.value;
      return buffer;
    }
    // What the books say is free may be kept here.
    if (limit_ != 0 && taken_ + kept_ + size.value > limit_) trim();
    for (int attempt = 0; attempt < 2; ++attempt) {
      std::byte* buffer = nullptr;
      const DeviceResult result = device_.driver->allocate(device_.number, size, buffer);
      if (result.ok()) {
        taken_ += size.value;
        return buffer;
      }
      lost = result.status == DeviceStatus::lost;
      if (lost) return nullptr;
      trim();
    }
    return nullptr;
  }
  void give(std::byte* buffer, Bytes size) {
    free_[size.value].push_back(buffer);
    kept_ += size.value;
    taken_ -= size.value;
  }
  /// Gives what is kept back to the device.
  void trim() {
    for (auto& [size, buffers] : free_) {
      for (std::byte* buffer : buffers) device_.driver->release(device_.number, buffer, Bytes(size));
      buffers.clear();
    }
    kept_ = 0;
  }

 private:
  const Device& device_;
  std::uint64_t limit_ = device_.description().capacity.value;
  std::uint64_t taken_ = 0, kept_ = 0;  // bytes
  std::unordered_map<std::uint64_t, std::vector<std::byte*>> free_;  // by size
};

}  // namespace mitra::engine
