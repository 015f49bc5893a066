// Storage as a memory: a directory for data for which neither devices nor the host have room.
// Flow: Config::spill -> [spill driver] -> engine. Thread-safety: as DeviceDriver says.
#pragma once

#include <memory>
#include <string>

#include <mitra/device_driver.hpp>
#include <mitra/types.hpp>

namespace mitra {

struct SpillOptions {
  std::string directory;
  Bytes capacity;           ///< Of what may lie there; 0: what the file system has.
  /// Bytes/s, until copies have been measured. [assumption] one NVMe drive: 1 to 7 GB/s; a SATA one 0.5, a disk 0.2.
  double bandwidth = 2e9;
  Seconds latency{100e-6};  ///< Of a copy. [assumption] NVMe: 20 to 200 us; a disk 10 ms.
};

/// One memory, in a file without a name: it is gone when the process is, however that ends. Addresses are places in it.
/// Reads and writes go on at the same time. A file system without room is a memory without room.
/// @throws ConfigError if no file can be made there.
std::unique_ptr<DeviceDriver> make_spill_driver(const SpillOptions& options);

}  // namespace mitra
