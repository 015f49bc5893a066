// NUMA domains of the host as memories of their own.
// Flow: Config::numa -> [NUMA driver] -> engine. Thread-safety: as DeviceDriver says.
#pragma once

#include <memory>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/types.hpp>

namespace mitra {

struct NumaOptions {
  std::vector<int> domains;  ///< As Worker::numa_domain counts; each is a device.
  bool bind = true;          ///< The thread of a device, which makes its copies, stays on the processors of its domain.
  /// Bytes/s of a copy, until copies have been measured. [assumption] one core between two sockets: 5 to 20 GB/s.
  double bandwidth = 10e9;
  Seconds latency{5e-6};     ///< Of a copy. [assumption] the device's thread wakes up: 2 to 50 us.
};

/// The memories of these domains. Their capacity is nine tenths of what hwloc knows of them: others need some. Where memory or a
/// thread cannot be bound, it is as good as any. Copies are made by the device's own thread, in poll().
/// @throws ConfigError if hwloc cannot read this machine's topology, or there is no such domain.
std::unique_ptr<DeviceDriver> make_numa_driver(const NumaOptions& options);

}  // namespace mitra
