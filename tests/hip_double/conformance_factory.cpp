// The HIP driver on its double, under the tests of tests/conformance/device_drivers.cpp.
#include <mitra/hip_driver.hpp>
#include <mitra/hip_kernels.hpp>

#include "conformance/device_drivers.hpp"
#include "hip_double.hpp"

namespace {

using namespace mitra;

conformance::DeviceRig make(const conformance::WantedDevices& wanted) {
  test::HipDoubleOptions hardware;
  hardware.devices = static_cast<int>(wanted.devices);
  hardware.memory = wanted.memory.value;
  hardware.seed = wanted.seed;
  hardware.latency = std::chrono::microseconds(5);
  hardware.jitter = std::chrono::microseconds(50);
  if (wanted.loses_device_0) hardware.faults.push_back({"kernel", 5, hipErrorLaunchFailure, 0});
  auto hip = std::make_shared<test::HipDouble>(hardware);
  HipOptions options;
  options.memory = wanted.memory;
  options.streams = wanted.streams;
  options.staging = Bytes(48 << 10);
  options.piece = Bytes(200 << 10);
  options.functions = hip->functions();
  return {hip, make_hip_driver(options), [](void* stream, double* x, std::size_t count) noexcept {
            try {
              hip::axpy<double>({stream}, 1.0, View<const double>(x, count), View<double>(x, count));
            } catch (...) {  // the driver knows
            }
          }};
}

const bool added = conformance::add_device_driver({"hip", make});

}  // namespace
