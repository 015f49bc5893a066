// The HIP driver on a double, driven by the thread of the test.
// Flow: test -> [rig] -> hip driver -> hip double. Thread-safety: one thread.
#pragma once

#include <chrono>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <mitra/hip_driver.hpp>
#include <mitra/hip_kernels.hpp>

#include "hip_double/hip_double.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"

namespace mitra::test {

/// Small chunks and pieces, so that small copies have many.
inline HipOptions small_options() {
  HipOptions options;
  options.memory = Bytes(64U << 20);
  options.staging = Bytes(16 << 10);
  options.piece = Bytes(64 << 10);
  options.patience = Seconds(30.0);
  return options;
}

class HipRig {
 public:
  using Clock = std::chrono::steady_clock;

  explicit HipRig(HipDoubleOptions hardware = {}, HipOptions options = small_options()) : hip(std::move(hardware)) {
    options.functions = hip.functions();
    driver = make_hip_driver(options);
  }

  /// Until `count` have ended, or patience has.
  std::vector<DeviceCompletion> ended(std::size_t count, unsigned device = 0) {
    std::vector<DeviceCompletion> all;
    const auto end = Clock::now() + kPatience;
    while (all.size() < count && Clock::now() < end) {
      driver->poll(device, all);
      if (all.size() < count) driver->wait(device, Seconds(0.1));
    }
    REQUIRE(all.size() == count);
    return all;
  }

  /// Launches `body(stream)`, which may throw. @returns What the driver says of it. @param thrown  What the body threw.
  template <class Body>
  DeviceResult run(Body body, unsigned device = 0, std::string* thrown = nullptr) {
    struct Argument {
      Body& body;
      std::string text;
    } argument{body, {}};
    const DeviceLaunch launch{[](void* a, void* stream) noexcept {
                                auto& self = *static_cast<Argument*>(a);
                                try {
                                  self.body(HipStream{stream});
                                } catch (const std::exception& e) {
                                  self.text = e.what();
                                }
                              },
                              &argument, 1};
    const DeviceResult result = driver->launch(device, 0, launch);
    const DeviceResult final = result.ok() ? ended(1, device)[0].result : result;
    if (thrown != nullptr) *thrown = argument.text;
    return final;
  }

  template <class T>
  T* upload(const std::vector<T>& data, unsigned device = 0) {
    std::byte* memory = nullptr;
    REQUIRE(driver->allocate(device, Bytes(data.size() * sizeof(T)), memory).ok());
    allocations_.emplace_back(device, memory, data.size() * sizeof(T));
    const std::size_t bytes = data.size() * sizeof(T);
    auto* const host = reinterpret_cast<std::byte*>(const_cast<T*>(data.data()));
    REQUIRE(driver
                ->copy(device,
                       {{CopyEnd::kHost, host, bytes}, {static_cast<int>(device), memory, bytes}, bytes, 1, false, 7})
                .ok());
    CHECK(ended(1, device)[0].result.ok());
    return reinterpret_cast<T*>(memory);
  }
  template <class T>
  std::vector<T> download(const T* address, std::size_t count, unsigned device = 0) {
    std::vector<T> data(count);
    const std::size_t bytes = count * sizeof(T);
    auto* const memory = reinterpret_cast<std::byte*>(const_cast<T*>(address));
    REQUIRE(driver
                ->copy(device, {{static_cast<int>(device), memory, bytes},
                                {CopyEnd::kHost, reinterpret_cast<std::byte*>(data.data()), bytes},
                                bytes,
                                1,
                                false,
                                8})
                .ok());
    CHECK(ended(1, device)[0].result.ok());
    return data;
  }
  void release_all() {
    for (const auto& [device, memory, size] : allocations_) driver->release(device, memory, Bytes(size));
    allocations_.clear();
  }
  /// Ends the driver, and says what it has left behind or done wrong.
  void end_cleanly() {
    release_all();
    driver.reset();
    CHECK(hip.left_over() == 0);
    CHECK(hip.complaints() == std::vector<std::string>());
  }

  HipDouble hip;
  std::unique_ptr<DeviceDriver> driver;

 private:
  std::vector<std::tuple<unsigned, std::byte*, std::size_t>> allocations_;
};

}  // namespace mitra::test
