// The devices of a live run: their drivers, and which worker and which memory node each of them is.
// Flow: config -> [device set] -> machine, live memory, device workers. Thread-safety: immutable once built.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/device_driver.hpp>
#include <mitra/hip_driver.hpp>
#include <mitra/machine.hpp>

namespace mitra::engine {

/// What Config::hip says.
struct HipSetting {
  std::string mode;  ///< auto, on, off
  HipOptions options;
};
/// "auto", "on:blas=off". @throws ConfigError on any other text; it says what is expected.
HipSetting parse_hip(std::string_view text);

struct Device {
  DeviceDriver* driver = nullptr;
  unsigned number = 0;   ///< Its driver's.
  NodeId node;           ///< Its memory.
  WorkerId worker;       ///< Not valid() if nothing runs there.
  const DeviceDescription& description() const { return driver->devices()[number]; }
  bool is_host_memory() const { return description().host_memory; }
};

class DeviceSet {
 public:
  /// Makes the drivers that the configuration names, and adds their devices to the machine.
  /// @throws ConfigError if a device was asked for that cannot be had.
  DeviceSet(const Config& config, Machine& machine);

  bool empty() const { return devices_.empty(); }
  std::span<const Device> all() const { return devices_; }
  const Device& operator[](std::size_t i) const { return devices_[i]; }
  /// @returns The device of a memory node; null for the host's.
  const Device* of(NodeId node) const { return of_node_[node.index()] < 0 ? nullptr : &devices_[static_cast<std::size_t>(of_node_[node.index()])]; }
  const Device* of(WorkerId worker) const {
    for (const Device& device : devices_)
      if (device.worker == worker) return &device;
    return nullptr;
  }
  /// @returns Whether cores work there: the host's memory, or a part of it that is a node of its own.
  bool is_host(NodeId node) const { return of(node) == nullptr || of(node)->is_host_memory(); }
  /// Parts of the host's memory are nodes of their own.
  bool has_host_memories() const { return has_host_memories_; }
  /// Devices run CPU bodies: those of codelets.
  bool emulates() const { return emulates_; }
  double core_slowdown() const { return core_slowdown_; }
  /// @returns What was asked for as the host's limit; 0: none, and the host's memory needs no books.
  Bytes host_limit() const { return host_limit_; }

 private:
  std::vector<std::unique_ptr<DeviceDriver>> drivers_;
  std::vector<Device> devices_;
  std::vector<int> of_node_;
  bool emulates_ = false, has_host_memories_ = false;
  double core_slowdown_ = 1.0;
  Bytes host_limit_;
};

}  // namespace mitra::engine
