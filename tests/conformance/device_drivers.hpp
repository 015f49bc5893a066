// The contract of DeviceDriver as tests, for any driver: one factory a driver. Public headers only.
// Flow: factories -> [device drivers] -> device_drivers.cpp. Thread-safety: one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <mitra/device_driver.hpp>

namespace mitra::conformance {

/// What a test wants of the hardware under the driver.
struct WantedDevices {
  unsigned devices = 2;
  unsigned streams = 2;
  Bytes memory{16U << 20};      ///< Of each; about.
  std::uint64_t seed = 1;       ///< Of whatever order is free.
  bool loses_device_0 = false;  ///< After a few calls: at its tenth at the latest.
};

struct DeviceRig {
  std::shared_ptr<void> hardware;  ///< What the driver stands on: it goes after the driver.
  std::unique_ptr<DeviceDriver> driver;
  /// x = 2 x for `count` numbers of a device, as a launch would: enqueued on the stream, or done.
  void (*twice)(void* stream, double* x, std::size_t count) noexcept = nullptr;
};

struct DriverFactory {
  std::string name;
  std::function<DeviceRig(const WantedDevices&)> make;
  bool memory_alone = false;  ///< Nothing runs on its devices, and they are never lost.
};

/// Those that this program was linked with. A driver is added by one line at namespace level:
///   const bool added = mitra::conformance::add_device_driver({"emu", make});
std::vector<DriverFactory>& device_driver_factories();
inline bool add_device_driver(DriverFactory factory) {
  device_driver_factories().push_back(std::move(factory));
  return true;
}

}  // namespace mitra::conformance
