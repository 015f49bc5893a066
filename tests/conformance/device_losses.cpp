// What every driver of devices promises when a device is lost, or the driver goes: everything ends once, nothing hangs.
#include <set>

#include "device_desk.hpp"

using namespace mitra;
using namespace mitra::conformance;

TEST_CASE("device drivers: a lost device ends what was under way, says so for ever, and leaves the others alone") {
  WantedDevices wanted;
  wanted.loses_device_0 = true;
  with_each_driver(wanted, [](DeviceRig& rig) {
    DeviceDriver& driver = *rig.driver;
    Desk other(rig, 1);
    constexpr std::size_t kSize = 80'000;
    std::vector<std::byte> data = random_bytes(kSize, 4), back(kSize);
    std::byte *memory = nullptr, *copied = nullptr;
    CHECK(driver.attach(0).ok());
    REQUIRE(driver.allocate(0, Bytes(kSize), memory).ok());
    REQUIRE(driver.allocate(0, Bytes(kSize), copied).ok());
    const CopyEnd there{0, copied, kSize};
    struct Body {
      decltype(rig.twice) twice;
      double* x;
    } body{rig.twice, reinterpret_cast<double*>(memory)};
    const auto run = [](void* argument, void* stream) noexcept {
      const Body& b = *static_cast<const Body*>(argument);
      b.twice(stream, b.x, kSize / 8);
    };
    std::set<std::uint64_t> started;
    std::vector<DeviceCompletion> completions;
    bool lost = false;
    const auto patience = Clock::now() + test::kPatience;
    for (std::uint64_t i = 1; (!lost || completions.size() < started.size()) && Clock::now() < patience; ++i) {
      if (!lost) {
        const DeviceResult result = i % 2 == 0 ? driver.copy(0, {host(data.data(), kSize), there, kSize, 1, false, i})
                                               : driver.launch(0, 0, {run, &body, i});
        lost |= result.status == DeviceStatus::lost;
        if (result.ok()) started.insert(i);
      }
      driver.poll(0, completions);
      for (const DeviceCompletion& c : completions) lost |= c.result.status == DeviceStatus::lost;
      if (lost) continue;
      driver.wait(0, Seconds(0.001));
    }
    REQUIRE(lost);
    std::set<std::uint64_t> ended;
    for (const DeviceCompletion& c : completions) {
      CHECK(ended.insert(c.token).second);
      if (!c.result.ok()) CHECK(!c.result.text.empty());
    }
    CHECK(ended == started);

    for (int i = 0; i < 3; ++i) {
      std::byte* none = nullptr;
      CHECK(driver.allocate(0, Bytes(100), none).status == DeviceStatus::lost);
      CHECK(driver.copy(0, {host(data.data(), kSize), there, kSize, 1, false, 900}).status == DeviceStatus::lost);
      CHECK(driver.launch(0, 0, {run, &body, 901}).status == DeviceStatus::lost);
      completions.clear();
      driver.poll(0, completions);
      CHECK(completions.empty());
      driver.wait(0, Seconds(0.001));
    }
    driver.release(0, memory, Bytes(kSize));
    driver.release(0, copied, Bytes(kSize));

    std::byte* const elsewhere = other.allocate(kSize);
    other.copy(host(data.data(), kSize), other.here(elsewhere, kSize), kSize, 1);
    other.finish(1);
    other.copy(other.here(elsewhere, kSize), host(back.data(), kSize), kSize, 1);
    other.finish(1);
    CHECK(data == back);
    driver.release(1, elsewhere, Bytes(kSize));
  }, true);
}

TEST_CASE("device drivers: a driver may go while work is under way") {
  for (const std::uint64_t seed : test::seeds(5)) {
    WantedDevices wanted;
    wanted.seed = seed;
    std::vector<std::byte> data(100'000);
    with_each_driver(wanted, [&](DeviceRig& rig) {
      Desk desk(rig, 0);
      // Of their own for the copies and for each stream: nothing orders them.
      std::byte* const there[] = {desk.allocate(data.size()), desk.allocate(data.size()), desk.allocate(data.size())};
      for (int i = 0; i < 10; ++i) {
        desk.copy(host(data.data(), data.size()), desk.here(there[2], data.size()), data.size(), 1);
        desk.launch(static_cast<unsigned>(i % 2), reinterpret_cast<double*>(there[i % 2]), data.size() / 8);
      }
      rig.driver.reset();  // with it, the memory
    }, true);
  }
}
