// The emulated devices, under the tests of device_drivers.cpp.
#include <mitra/emu_driver.hpp>

#include "device_drivers.hpp"

namespace {

using namespace mitra;

conformance::DeviceRig make(const conformance::WantedDevices& wanted) {
  EmuOptions options;
  options.devices = wanted.devices;
  options.streams = wanted.streams;
  options.memory = wanted.memory;
  options.seed = wanted.seed;
  options.processors = 2;
  options.poison = true;
  if (wanted.loses_device_0) options.faults.push_back({0, 8, DeviceStatus::lost});
  return {nullptr, make_emu_driver(options), [](void*, double* x, std::size_t count) noexcept {
            for (std::size_t i = 0; i < count; ++i) x[i] *= 2.0;
          }};
}

const bool added = conformance::add_device_driver({"emu", make});

}  // namespace
