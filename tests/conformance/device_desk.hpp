// The thread of a device, as tests of drivers have it: starts copies and launches, and waits for what has ended.
// Flow: tests of device drivers -> [desk] -> driver. Thread-safety: one thread.
#pragma once

#include "device_drivers.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/random.hpp"

namespace mitra::conformance {

using Clock = std::chrono::steady_clock;

/// A device with the thread that calls: starts work, and waits for what has ended.
class Desk {
 public:
  Desk(DeviceRig& rig, unsigned device) : rig_(rig), driver_(*rig.driver), device_(device) {
    CHECK(driver_.attach(device).ok());
  }

  std::byte* allocate(std::size_t size) {
    std::byte* memory = nullptr;
    const DeviceResult result = driver_.allocate(device_, Bytes(size), memory);
    INFO(result.text);
    REQUIRE(result.ok());
    return memory;
  }
  std::uint64_t copy(CopyEnd from, CopyEnd to, std::size_t width, std::size_t columns, bool urgent = false) {
    const DeviceResult result = driver_.copy(device_, {from, to, width, columns, urgent, ++token_});
    INFO(result.text);
    REQUIRE(result.ok());
    return token_;
  }
  std::uint64_t launch(unsigned stream, double* x, std::size_t count) {
    bodies_.push_back(std::make_unique<Body>(Body{rig_.twice, x, count}));
    const DeviceLaunch launch{[](void* argument, void* native) noexcept {
                                const Body& body = *static_cast<const Body*>(argument);
                                body.twice(native, body.x, body.count);
                              },
                              bodies_.back().get(), ++token_};
    const DeviceResult result = driver_.launch(device_, stream, launch);
    INFO(result.text);
    REQUIRE(result.ok());
    return token_;
  }
  /// Until `count` more have ended, or patience has.
  std::vector<DeviceCompletion> ended(std::size_t count) {
    std::vector<DeviceCompletion> all;
    const auto end = Clock::now() + test::kPatience;
    while (all.size() < count && Clock::now() < end) {
      driver_.poll(device_, all);
      if (all.size() < count) driver_.wait(device_, Seconds(0.1));
    }
    REQUIRE(all.size() == count);
    return all;
  }
  void finish(std::size_t count) {
    for (const DeviceCompletion& completion : ended(count)) {
      INFO(completion.result.text);
      CHECK(completion.result.ok());
      CHECK(completion.duration >= Seconds(0.0));
    }
  }
  CopyEnd here(std::byte* address, std::size_t pitch) const { return {static_cast<int>(device_), address, pitch}; }

 private:
  struct Body {
    void (*twice)(void*, double*, std::size_t) noexcept;
    double* x;
    std::size_t count;
  };
  DeviceRig& rig_;
  DeviceDriver& driver_;
  const unsigned device_;
  std::uint64_t token_ = 0;
  std::vector<std::unique_ptr<Body>> bodies_;
};

inline CopyEnd host(void* address, std::size_t pitch) {
  return {CopyEnd::kHost, static_cast<std::byte*>(address), pitch};
}

inline std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  test::Random random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random.next());
  return bytes;
}

/// Runs a test for each driver.
/// @param launches  The test runs something on the devices, or loses one.
template <class F>
void with_each_driver(const WantedDevices& wanted, F&& f, bool launches = false) {
  REQUIRE(!device_driver_factories().empty());
  for (const DriverFactory& factory : device_driver_factories()) {
    if (launches && factory.memory_alone) continue;
    INFO("driver " << factory.name);
    DeviceRig rig = factory.make(wanted);
    f(rig);
    rig.driver.reset();
  }
}

}  // namespace mitra::conformance
