// What every driver of devices promises: memory, copies, launches, waking. One test a promise, for all drivers.
#include <array>
#include <atomic>
#include <numeric>
#include <set>
#include <thread>

#include "device_desk.hpp"

using namespace mitra;
using namespace mitra::conformance;

std::vector<DriverFactory>& conformance::device_driver_factories() {
  static std::vector<DriverFactory> all;
  return all;
}

TEST_CASE("device drivers: what they say of their devices stays") {
  with_each_driver({}, [](DeviceRig& rig) {
    const auto devices = rig.driver->devices();
    REQUIRE(devices.size() == 2);
    for (const DeviceDescription& d : devices) {
      CHECK(!d.name.empty());
      CHECK(d.capacity <= Bytes(16U << 20));
      if (d.streams == 0) continue;  // memory alone
      CHECK(!d.worker_class.empty());
      CHECK(!d.power_domain.empty());
      CHECK(!d.host_memory);
      CHECK(d.streams == 2);
      CHECK(d.pipeline >= d.streams);
    }
    CHECK(rig.driver->joined(0, 1) == rig.driver->joined(1, 0));
    CHECK(rig.driver->devices().data() == devices.data());
  });
}

TEST_CASE("device drivers: memory is aligned, apart, and ends") {
  with_each_driver({}, [](DeviceRig& rig) {
    Desk desk(rig, 0);
    std::vector<std::pair<std::uintptr_t, std::size_t>> taken;
    for (const std::size_t size : {1U, 100U, 256U, 4096U, 1'000'000U}) {
      std::byte* memory = desk.allocate(size);
      const auto address = reinterpret_cast<std::uintptr_t>(memory);
      CHECK(address % 256 == 0);
      for (const auto& [begin, length] : taken) CHECK((address + size <= begin || begin + length <= address));
      taken.emplace_back(address, size);
    }
    std::byte* none = nullptr;
    const DeviceResult result = rig.driver->allocate(0, Bytes(64U << 20), none);
    CHECK(result.status == DeviceStatus::out_of_memory);
    CHECK(!result.text.empty());
    CHECK(none == nullptr);
    for (const auto& [address, size] : taken)
      rig.driver->release(0, reinterpret_cast<std::byte*>(address), Bytes(size));
    // What was released can be had again, as often as one likes.
    for (int i = 0; i < 20; ++i) {
      std::byte* memory = desk.allocate(12U << 20);
      rig.driver->release(0, memory, Bytes(12U << 20));
    }
    std::byte* pinned = rig.driver->allocate_host(Bytes(1000));
    REQUIRE(pinned != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(pinned) % 64 == 0);
    std::memset(pinned, 1, 1000);
    rig.driver->release_host(pinned, Bytes(1000));
  });
}

TEST_CASE("device drivers: memory is allocated and released by any thread") {
  with_each_driver({}, [](DeviceRig& rig) {
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (unsigned t = 0; t < 4; ++t)
      threads.emplace_back([&rig, &failed, t] {
        for (int i = 0; i < 50; ++i) {
          std::byte* memory = nullptr;
          if (!rig.driver->allocate(t % 2, Bytes(1000), memory).ok()) {
            ++failed;
            continue;
          }
          rig.driver->release(t % 2, memory, Bytes(1000));
          std::byte* pinned = rig.driver->allocate_host(Bytes(100));
          rig.driver->release_host(pinned, Bytes(100));
        }
      });
    for (std::thread& t : threads) t.join();
    CHECK(failed == 0);
  });
}

TEST_CASE("device drivers: what is copied there and back is the same, from any memory of the host") {
  with_each_driver({}, [](DeviceRig& rig) {
    Desk desk(rig, 0);
    for (const std::size_t size : {1U, 7U, 4096U, 100'000U, 1'500'003U})
      for (const bool pinned : {false, true}) {
        const std::vector<std::byte> data = random_bytes(size, size);
        std::vector<std::byte> pageable(2 * size);
        std::byte* const room = pinned ? rig.driver->allocate_host(Bytes(2 * size)) : pageable.data();
        std::copy(data.begin(), data.end(), room);
        std::byte* const there = desk.allocate(size);
        desk.copy(host(room, size), desk.here(there, size), size, 1);
        desk.finish(1);
        desk.copy(desk.here(there, size), host(room + size, size), size, 1);
        desk.finish(1);
        CHECK(std::equal(data.begin(), data.end(), room + size));
        rig.driver->release(0, there, Bytes(size));
        if (pinned) rig.driver->release_host(room, Bytes(2 * size));
      }
  });
}

TEST_CASE("device drivers: columns are copied with their pitches, and gaps stay") {
  with_each_driver({}, [](DeviceRig& rig) {
    Desk desk(rig, 0);
    struct Shape {
      std::size_t width, columns, pitch, there;
    };
    for (const Shape s : {Shape{8, 3, 16, 8}, Shape{100, 57, 100, 256}, Shape{1000, 90, 1024, 1000},
                          Shape{300'000, 3, 300'100, 300'032}, Shape{5, 0, 8, 8}})
      for (const bool pinned : {false, true}) {
        const std::size_t size = std::max<std::size_t>(1, s.columns * s.pitch),
                          size_there = std::max<std::size_t>(1, s.columns * s.there);
        const std::vector<std::byte> data = random_bytes(size, size);
        std::vector<std::byte> pageable(2 * size);
        std::byte* const from = pinned ? rig.driver->allocate_host(Bytes(2 * size)) : pageable.data();
        std::byte* const to = from + size;
        std::copy(data.begin(), data.end(), from);
        std::fill(to, to + size, std::byte{0x5a});
        std::byte* const there = desk.allocate(size_there);
        desk.copy(host(from, s.pitch), desk.here(there, s.there), s.width, s.columns);
        desk.finish(1);
        desk.copy(desk.here(there, s.there), host(to, s.pitch), s.width, s.columns);
        desk.finish(1);
        bool same = true, gaps = true;
        for (std::size_t i = 0; i < s.columns * s.pitch; ++i)
          (i % s.pitch < s.width ? same : gaps) &= to[i] == (i % s.pitch < s.width ? data[i] : std::byte{0x5a});
        CHECK(same);
        CHECK(gaps);
        rig.driver->release(0, there, Bytes(size_there));
        if (pinned) rig.driver->release_host(from, Bytes(2 * size));
      }
  });
}

TEST_CASE("device drivers: devices that are joined copy from one to the other") {
  with_each_driver({}, [](DeviceRig& rig) {
    if (!rig.driver->joined(0, 1)) return;
    Desk source(rig, 0), target(rig, 1);
    const std::size_t width = 3000, columns = 40, wide = 3072;
    std::vector<std::byte> data = random_bytes(width * columns, 3), back(width * columns);
    std::byte* const a = source.allocate(wide * columns);
    std::byte* const b = target.allocate(width * columns);
    source.copy(host(data.data(), width), source.here(a, wide), width, columns);
    source.finish(1);
    target.copy(source.here(a, wide), target.here(b, width), width, columns);
    target.finish(1);
    target.copy(target.here(b, width), host(back.data(), width), width, columns);
    target.finish(1);
    CHECK(back == data);
    rig.driver->release(0, a, Bytes(wide * columns));
    rig.driver->release(1, b, Bytes(width * columns));
  });
}

TEST_CASE("device drivers: launches of a stream run one after the other, and end in this order") {
  with_each_driver({}, [](DeviceRig& rig) {
    Desk desk(rig, 0);
    constexpr std::size_t kCount = 1000, kTimes = 20;
    std::vector<double> x(kCount, 1.0), y(kCount, 3.0);
    auto* const a = reinterpret_cast<double*>(desk.allocate(kCount * 8));
    auto* const b = reinterpret_cast<double*>(desk.allocate(kCount * 8));
    desk.copy(host(x.data(), kCount * 8), desk.here(reinterpret_cast<std::byte*>(a), kCount * 8), kCount * 8, 1);
    desk.copy(host(y.data(), kCount * 8), desk.here(reinterpret_cast<std::byte*>(b), kCount * 8), kCount * 8, 1);
    desk.finish(2);
    std::vector<std::uint64_t> first, second;
    for (std::size_t i = 0; i < kTimes; ++i) {
      first.push_back(desk.launch(0, a, kCount));
      second.push_back(desk.launch(1, b, kCount));
    }
    std::vector<std::uint64_t> first_ended, second_ended;
    for (const DeviceCompletion& c : desk.ended(2 * kTimes)) {
      CHECK(c.kind == DeviceCompletion::Kind::launch);
      CHECK(c.result.ok());
      (std::ranges::count(first, c.token) > 0 ? first_ended : second_ended).push_back(c.token);
    }
    CHECK(first_ended == first);
    CHECK(second_ended == second);
    desk.copy(desk.here(reinterpret_cast<std::byte*>(a), kCount * 8), host(x.data(), kCount * 8), kCount * 8, 1);
    desk.copy(desk.here(reinterpret_cast<std::byte*>(b), kCount * 8), host(y.data(), kCount * 8), kCount * 8, 1);
    desk.finish(2);
    CHECK(std::ranges::all_of(x, [](double v) { return v == 1048576.0; }));
    CHECK(std::ranges::all_of(y, [](double v) { return v == 3.0 * 1048576.0; }));
    rig.driver->release(0, reinterpret_cast<std::byte*>(a), Bytes(kCount * 8));
    rig.driver->release(0, reinterpret_cast<std::byte*>(b), Bytes(kCount * 8));
  }, true);
}

TEST_CASE("device drivers: everything that was started ends once") {
  for (const std::uint64_t seed : test::seeds(5)) {
    MITRA_INFO_SEED(seed);
    WantedDevices wanted;
    wanted.seed = seed;
    with_each_driver(wanted, [&](DeviceRig& rig) {
      test::Random random(seed);
      Desk desk(rig, 0);
      constexpr std::size_t kSize = 40'000, kBuffers = 8;
      std::vector<std::byte*> there;
      std::vector<std::vector<std::byte>> here(kBuffers, std::vector<std::byte>(kSize));
      for (std::size_t i = 0; i < kBuffers; ++i) there.push_back(desk.allocate(kSize));
      std::set<std::uint64_t> expected;
      std::multiset<std::uint64_t> seen;
      for (int round = 0; round < 30; ++round) {
        std::set<std::uint64_t> now;
        for (std::size_t i = 0; i < kBuffers; ++i) {
          const std::size_t size = 1 + random.below(kSize);
          switch (random.below(rig.driver->devices()[0].streams == 0 ? 2 : 3)) {
            case 0:
              now.insert(desk.copy(host(here[i].data(), size), desk.here(there[i], size), size, 1, random.chance(0.3)));
              break;
            case 1:
              now.insert(desk.copy(desk.here(there[i], size), host(here[i].data(), size), size, 1, random.chance(0.3)));
              break;
            default:
              now.insert(
                  desk.launch(static_cast<unsigned>(random.below(2)), reinterpret_cast<double*>(there[i]), size / 8));
              break;
          }
        }
        for (const DeviceCompletion& c : desk.ended(now.size())) {
          CHECK(c.result.ok());
          seen.insert(c.token);
        }
        expected.merge(now);
      }
      CHECK(std::vector(seen.begin(), seen.end()) == std::vector(expected.begin(), expected.end()));
      std::vector<DeviceCompletion> more;
      rig.driver->poll(0, more);
      CHECK(more.empty());
      for (std::byte* memory : there) rig.driver->release(0, memory, Bytes(kSize));
    });
  }
}

TEST_CASE("device drivers: an urgent copy does not wait for all that were asked for before it") {
  with_each_driver({}, [](DeviceRig& rig) {
    Desk desk(rig, 0);
    constexpr std::size_t kSize = 500'000, kCopies = 16;
    std::vector<std::byte> data(kSize);
    std::byte* const there = desk.allocate(kSize);
    std::byte* const other = desk.allocate(kSize);
    for (std::size_t i = 0; i < kCopies; ++i) desk.copy(host(data.data(), kSize), desk.here(there, kSize), kSize, 1);
    const std::uint64_t urgent = desk.copy(host(data.data(), kSize), desk.here(other, kSize), kSize, 1, true);
    const std::vector<DeviceCompletion> completions = desk.ended(kCopies + 1);
    CHECK(completions.back().token != urgent);
    const auto at = std::ranges::find(completions, urgent, &DeviceCompletion::token) - completions.begin();
    CHECK(at <= 8);
    rig.driver->release(0, there, Bytes(kSize));
    rig.driver->release(0, other, Bytes(kSize));
  });
}

TEST_CASE("device drivers: wake ends a wait, or the next one, and a limit ends it too") {
  with_each_driver({}, [](DeviceRig& rig) {
    CHECK(rig.driver->attach(0).ok());
    std::vector<DeviceCompletion> none;
    rig.driver->poll(0, none);
    rig.driver->wait(0, Seconds(0.001));
    const auto begin = Clock::now();
    rig.driver->wake(0);
    rig.driver->wait(0, Seconds(60.0));
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      rig.driver->wake(0);
    });
    rig.driver->wait(0, Seconds(60.0));
    other.join();
    CHECK(Clock::now() - begin < std::chrono::seconds(30));
  });
}

TEST_CASE("device drivers: each device has its thread, at the same time") {
  with_each_driver({}, [](DeviceRig& rig) {
    std::array<std::atomic<int>, 2> wrong{};
    std::vector<std::thread> threads;
    for (unsigned d = 0; d < 2; ++d)
      threads.emplace_back([&rig, &wrong, d] {
        DeviceDriver& driver = *rig.driver;
        constexpr std::size_t kSize = 200'000;
        std::vector<std::byte> data = random_bytes(kSize, d), back(kSize);
        std::byte* there = nullptr;
        if (!driver.attach(d).ok() || !driver.allocate(d, Bytes(kSize), there).ok()) {
          wrong[d] = 1000;
          return;
        }
        const CopyEnd device{static_cast<int>(d), there, kSize};
        for (std::uint64_t i = 0; i < 20; ++i) {
          const DeviceCopy copy = i % 2 == 0 ? DeviceCopy{host(data.data(), kSize), device, kSize, 1, false, i}
                                             : DeviceCopy{device, host(back.data(), kSize), kSize, 1, false, i};
          if (!driver.copy(d, copy).ok()) ++wrong[d];
          std::vector<DeviceCompletion> ended;
          while (ended.empty()) {
            driver.poll(d, ended);
            if (ended.empty()) driver.wait(d, Seconds(1.0));
          }
          if (ended.size() != 1 || ended[0].token != i || !ended[0].result.ok()) ++wrong[d];
        }
        if (data != back) ++wrong[d];
        driver.release(d, there, Bytes(kSize));
      });
    for (std::thread& t : threads) t.join();
    CHECK(wrong[0] == 0);
    CHECK(wrong[1] == 0);
  });
}
