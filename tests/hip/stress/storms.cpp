// Devices with a thread each, copies and kernels in any order of the hardware, some of it lost: sums come out right, or the
// loss is told.
#include <atomic>
#include <set>
#include <thread>

#include "../rig.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

struct Task {
  double* x = nullptr;
  std::size_t count = 0;
  static void run(void* argument, void* stream) noexcept {
    const Task& task = *static_cast<Task*>(argument);
    try {
      hip::axpy<double>({stream}, 1.0, View<const double>(task.x, task.count), View<double>(task.x, task.count));
    } catch (...) {  // the driver tells
    }
  }
};

/// Buffers that are brought, doubled a few times, and fetched: each in steps, all at the same time.
/// @returns What went wrong; "lost" if the device was.
std::string storm(DeviceDriver& driver, unsigned device, std::uint64_t seed, std::size_t rounds) {
  constexpr std::size_t kBuffers = 6, kCount = 3000;
  struct Buffer {
    std::vector<double> host = std::vector<double>(kCount);
    std::byte* there = nullptr;
    Task task;
    unsigned step = 0, doublings = 0;
    double value = 1.0;
  };
  if (!driver.attach(device).ok()) return "lost";
  Random random(seed * 100 + device);
  std::vector<Buffer> buffers(kBuffers);
  for (Buffer& b : buffers) {
    const DeviceResult result = driver.allocate(device, Bytes(kCount * 8), b.there);
    if (!result.ok()) return result.status == DeviceStatus::lost ? "lost" : result.text;
    b.task = {reinterpret_cast<double*>(b.there), kCount};
  }
  std::size_t done = 0, open = 0;
  const auto start = [&](std::size_t i) -> DeviceResult {
    Buffer& b = buffers[i];
    const CopyEnd here{CopyEnd::kHost, reinterpret_cast<std::byte*>(b.host.data()), kCount * 8},
        there{static_cast<int>(device), b.there, kCount * 8};
    if (b.step == 0) {
      b.doublings = static_cast<unsigned>(random.below(4));
      b.value = static_cast<double>(random.below(1000));
      std::fill(b.host.begin(), b.host.end(), b.value);
      return driver.copy(device, {here, there, kCount * 8, 1, random.chance(0.2), i});
    }
    if (b.step <= b.doublings)
      return driver.launch(device, static_cast<unsigned>(random.below(4)), {&Task::run, &b.task, i});
    return driver.copy(device, {there, here, kCount * 8, 1, random.chance(0.2), i});
  };
  for (std::size_t i = 0; i < kBuffers; ++i) {
    const DeviceResult result = start(i);
    if (!result.ok()) return result.status == DeviceStatus::lost ? "lost" : result.text;
    ++open;
  }
  bool lost = false;
  const auto patience = HipRig::Clock::now() + kPatience;
  while (open > 0) {
    if (HipRig::Clock::now() > patience) return "stands still";
    std::vector<DeviceCompletion> completions;
    driver.poll(device, completions);
    if (completions.empty()) driver.wait(device, Seconds(0.1));
    for (const DeviceCompletion& c : completions) {
      --open;
      lost |= c.result.status == DeviceStatus::lost;
      if (!c.result.ok() && !lost) return c.result.text;
      if (lost) continue;
      Buffer& b = buffers[c.token];
      if (b.step == b.doublings + 1) {
        for (double x : b.host)
          if (x != b.value * static_cast<double>(1U << b.doublings)) return "a wrong number";
        b.step = 0;
        if (++done >= rounds) continue;
      } else {
        ++b.step;
      }
      const DeviceResult result = start(c.token);
      lost |= result.status == DeviceStatus::lost;
      if (!result.ok() && !lost) return result.text;
      if (result.ok()) ++open;
    }
  }
  for (Buffer& b : buffers) driver.release(device, b.there, Bytes(kCount * 8));
  return lost ? "lost" : "";
}

std::vector<std::string> run_storm(HipRig& rig, unsigned devices, std::uint64_t seed, std::size_t rounds) {
  std::vector<std::string> said(devices);
  std::vector<std::thread> threads;
  for (unsigned d = 0; d < devices; ++d)
    threads.emplace_back([&, d] { said[d] = storm(*rig.driver, d, seed, rounds); });
  for (std::thread& t : threads) t.join();
  return said;
}

}  // namespace

TEST_CASE("hip: storms in any order of the streams") {
  for (const std::uint64_t seed : seeds(10)) {
    MITRA_INFO_SEED(seed);
    HipDoubleOptions hardware;
    hardware.devices = 3;
    hardware.seed = seed;
    hardware.jitter = std::chrono::microseconds(seed % 2 == 0 ? 0 : 30);
    HipRig rig(hardware);
    for (const std::string& said : run_storm(rig, 3, seed, scaled(200))) CHECK(said.empty());
    CHECK(rig.hip.pageable_copies() == 0);
    rig.end_cleanly();
  }
}

TEST_CASE("hip: storms in which a device is lost at any point") {
  for (const std::uint64_t seed : seeds(40)) {
    MITRA_INFO_SEED(seed);
    Random random(seed);
    HipDoubleOptions hardware;
    hardware.seed = seed;
    const std::vector<std::string> where{
        "kernel", "copy", "hipMemcpyAsync", "hipEventQuery", "hipEventRecord", "hipModuleLaunchKernel", "hipMalloc"};
    HipFault fault{random.pick(where), 1, random.chance(0.5) ? hipErrorUnknown : hipErrorIllegalAddress, 1, false};
    fault.call = 1 + random.below(fault.function == "hipMalloc" ? 6 : 100);
    hardware.faults.push_back(fault);
    HipRig rig(hardware);
    const auto said = run_storm(rig, 2, seed, scaled(60));
    CHECK(said[0].empty());
    CHECK((said[1].empty() || said[1] == "lost"));
  }
}
