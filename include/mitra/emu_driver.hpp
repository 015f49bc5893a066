// Emulated devices: memories apart from the host's, copy engines of a stated bandwidth, and CPU bodies. For programs and
// policies that want a heterogeneous machine with real numbers, where there is no GPU.
// Flow: Config::emu -> [emu driver] -> engine. Thread-safety: as DeviceDriver says.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/types.hpp>

namespace mitra {

struct EmuOptions {
  unsigned devices = 1;
  Bytes memory{256'000'000};   ///< Of each device.
  double bandwidth = 8e9;      ///< Bytes/s of each copy engine: one into a device's memory, one out of it.
  double peer_bandwidth = 8e9; ///< Bytes/s between devices; 0: there is no way but through the host.
  Seconds latency{20e-6};      ///< Of each copy.
  /// How much faster a device is than a core. A body cannot run faster than it does: time is stretched. It lasts as long as
  /// it takes where all devices can run at the same time on this machine's processors; otherwise all times are longer by
  /// devices / processors; and on a core each body lasts `speed` times as long as on a device.
  double speed = 10.0;
  /// A body on a device lasts so many times (1 to 1000) as long as it takes: meanwhile its processor, and the host's memory, are free for
  /// others, among them the copies.
  double slow = 1.0;
  unsigned streams = 1;
  unsigned pipeline = 6;
  unsigned processors = 1;     ///< That run the bodies.
  bool poison = false;         ///< New memory is filled with a pattern, and so is all memory of a lost device.
  std::uint64_t seed = 0;      ///< Not 0: copies end in an order of this seed where more than one is waiting.

  /// A device that fails from its n-th call on (allocate, copy, launch, each counts), counted from 1.
  struct Fault {
    unsigned device = 0;
    std::uint64_t call = 0;
    DeviceStatus status = DeviceStatus::lost;  ///< `lost`: for ever; out_of_memory: the next allocation; failed: that call.
  };
  std::vector<Fault> faults;
};

/// How much longer than the processor time that it takes a body lasts.
struct EmuStretch {
  double on_device = 1.0, on_core = 1.0;
};
EmuStretch stretch(const EmuOptions& options);

/// Reads "4", "4:mem=64MB,bw=25GB/s,speed=20", ...: Config::emu. @see docs/devices.md
/// @throws ConfigError for an unknown key (it lists the known ones), or a value that cannot be.
EmuOptions parse_emu_options(std::string_view text, unsigned processors);

/// @throws ConfigError if an option is out of its range.
std::unique_ptr<DeviceDriver> make_emu_driver(const EmuOptions& options);

}  // namespace mitra
