// Storage as a memory: the driver by itself, and programs whose data do not fit the host.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mitra/mitra.hpp>
#include <mitra/spill_driver.hpp>
#include <numeric>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {

std::string directory() { return std::filesystem::temp_directory_path().string(); }

SpillOptions options(Bytes capacity = {}) {
  SpillOptions o;
  o.directory = directory();
  o.capacity = capacity;
  return o;
}

/// Waits for the end of one copy.
DeviceResult copied(DeviceDriver& driver, const DeviceCopy& copy) {
  REQUIRE(driver.copy(0, copy).ok());
  std::vector<DeviceCompletion> done;
  while (done.empty()) {
    driver.wait(0, Seconds(1.0));
    driver.poll(0, done);
  }
  REQUIRE(done.size() == 1);
  CHECK(done[0].token == copy.token);
  return done[0].result;
}

CopyEnd at_host(void* address, std::size_t pitch) { return {CopyEnd::kHost, static_cast<std::byte*>(address), pitch}; }

Config beside_directory(const std::string& limits, unsigned workers = 2) {
  Config config = with_workers(workers);
  config.spill = directory();
  config.memory = limits;
  return config;
}

constexpr std::size_t kLength = 8192;  // numbers: 64 KiB

/// Blocks of Mitra's own, each full of its number when its task has run.
std::vector<Vector<double>> numbered_blocks(Runtime& rt, std::size_t count) {
  std::vector<Vector<double>> data;
  for (std::size_t d = 0; d < count; ++d) data.push_back(rt.vector<double>(kLength, "block"));
  for (std::size_t d = 0; d < count; ++d)
    rt.submit("fill", [d](View<double> x) { std::fill(x.begin(), x.end(), static_cast<double>(d)); }, data[d].write());
  return data;
}

}  // namespace

TEST_CASE("a spill directory keeps columns with and without gaps") {
  const auto driver = make_spill_driver(options());
  CHECK(driver->devices().size() == 1);
  CHECK(driver->devices()[0].streams == 0);
  std::vector<double> values(7 * 2000), back(9 * 2000, 0.0);
  std::iota(values.begin(), values.end(), 1.0);
  std::byte* place = nullptr;
  REQUIRE(driver->allocate(0, Bytes(5 * 2000 * sizeof(double)), place).ok());
  // Five rows of seven, 2000 columns: more than one call takes.
  constexpr std::size_t kWidth = 5 * sizeof(double);
  const CopyEnd there{0, place, kWidth};
  CHECK(copied(*driver, {at_host(values.data(), 7 * sizeof(double)), there, kWidth, 2000, false, 1}).ok());
  CHECK(copied(*driver, {there, at_host(back.data(), 9 * sizeof(double)), kWidth, 2000, true, 2}).ok());
  bool same = true;
  for (std::size_t j = 0; j < 2000; ++j)
    for (std::size_t i = 0; i < 9; ++i) same = same && back[i + 9 * j] == (i < 5 ? values[i + 7 * j] : 0.0);
  CHECK(same);
  driver->release(0, place, Bytes(5 * 2000 * sizeof(double)));
}

TEST_CASE("places in a spill directory are apart, come again, and end with its limit") {
  const auto driver = make_spill_driver(options(Bytes(1 << 20)));
  for (const std::uint64_t seed : test::seeds(5)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    std::map<std::byte*, std::size_t> taken;
    std::size_t sum = 0, refused = 0;
    const auto rounded = [](std::size_t size) { return (size + 4095) / 4096 * 4096; };
    for (int i = 0; i < 2000; ++i) {
      if (!taken.empty() && random.chance(0.48)) {
        auto victim = std::next(taken.begin(), static_cast<std::ptrdiff_t>(random.below(taken.size())));
        driver->release(0, victim->first, Bytes(victim->second));
        sum -= rounded(victim->second);
        taken.erase(victim);
        continue;
      }
      const std::size_t size = 1 + random.below(60'000);
      std::byte* place = nullptr;
      const DeviceResult result = driver->allocate(0, Bytes(size), place);
      CHECK(result.ok() == (sum + rounded(size) <= 1 << 20));
      if (!result.ok()) {
        ++refused;
        CHECK(result.status == DeviceStatus::out_of_memory);
        CHECK_THAT(result.text, test::contains("limit"));
        continue;
      }
      const auto next = taken.lower_bound(place);
      CHECK((next == taken.end() || place + size <= next->first));
      CHECK((next == taken.begin() || std::prev(next)->first + std::prev(next)->second <= place));
      taken.emplace(place, size);
      sum += rounded(size);
    }
    CHECK(refused > 0);
    for (const auto& [place, size] : taken) driver->release(0, place, Bytes(size));
  }
}

TEST_CASE("a directory that there is not is an error that names it") {
  SpillOptions o;
  o.directory = directory() + "/there is no such place";
  CHECK_THROWS_WITH(make_spill_driver(o), test::contains("there is no such place") && test::contains("may be written"));
  Config config = with_workers(1);
  config.spill = o.directory;
  CHECK_THROWS_AS(Runtime(config), ConfigError);
  config.spill = directory();
  config.workers = 0;
  config.backend = "sim";
  config.machine = "identical-3";
  CHECK_THROWS_WITH(Runtime(config), test::contains("virtual time") && test::contains("MITRA_SPILL"));
}

TEST_CASE("data that do not fit the host go to the directory and come back") {
  Runtime rt(beside_directory("host=512 KiB"));
  CHECK(rt.machine().memory_nodes.back().name == "spill");
  const std::vector<Vector<double>> data = numbered_blocks(rt, 64);  // 4 MiB
  rt.wait();
  std::atomic<int> right{0};
  for (std::size_t d = 64; d-- > 0;)
    rt.submit("look", [d, &right](View<const double> x) { right += std::count(x.begin(), x.end(), static_cast<double>(d)) == kLength; }, data[d].read());
  rt.wait();
  CHECK(right == 64);
  const auto memory = *rt.statistics().memory;
  CHECK(memory.to_storage >= Bytes(56 * kLength * sizeof(double)));
  CHECK(memory.to_storage <= Bytes(64 * kLength * sizeof(double)));  // what was only read is not written again
  CHECK(memory.from_storage >= Bytes(56 * kLength * sizeof(double)));
  for (const auto& [name, bytes] : memory.peak)
    if (name != "spill") CHECK(bytes <= Bytes(512U << 10));
}

TEST_CASE("lent data stay where they are, whatever the host's limit") {
  Runtime rt(beside_directory("host=128 KiB"));
  std::vector<std::vector<double>> values(8, std::vector<double>(kLength, 1.0));
  std::vector<Vector<double>> data;
  for (auto& v : values) data.push_back(rt.data(v, "lent"));
  for (auto& x : data) rt.submit("add", [](View<double> v) { for (double& e : v) e += 1.0; }, x.readwrite());
  rt.wait();
  for (const auto& v : values) CHECK(v[kLength - 1] == 2.0);
  CHECK(rt.statistics().memory->to_storage == Bytes(0));
}

TEST_CASE("acquired data stay in memory, though others need the room") {
  Runtime rt(beside_directory("host=192 KiB"));
  const std::vector<Vector<double>> data = numbered_blocks(rt, 12);
  const auto first = rt.acquire(data[0].read());
  const auto view = first.view();
  const auto second = rt.acquire(data[11].read());  // its task, and all before it, found room
  CHECK(view[0] == 0.0);
  CHECK(view[kLength - 1] == 0.0);
  CHECK(second.view()[5] == 11.0);
}

TEST_CASE("devices, a small host and a directory: what leaves a device goes through the host") {
  Config config = beside_directory("host=192 KiB", 2);
  config.scheduler = "dmdas";
  config.emu = "2:mem=192 KiB,bw=1000 GB/s,latency=0 s,speed=100,poison=1";
  Runtime rt(config);
  const std::vector<Vector<double>> data = numbered_blocks(rt, 32);
  for (int round = 0; round < 3; ++round)
    for (std::size_t d = 0; d < 32; ++d)
      rt.submit("add", [](View<const double> x, View<double> y) {
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += x[i];
      }, data[(d + 7) % 32].read(), data[d].readwrite());
  rt.wait();
  std::vector<double> expected(32);
  std::iota(expected.begin(), expected.end(), 0.0);
  for (int round = 0; round < 3; ++round)
    for (std::size_t d = 0; d < 32; ++d) expected[d] += expected[(d + 7) % 32];
  for (std::size_t d = 0; d < 32; ++d) {
    const auto guard = rt.acquire(data[d].read());
    CHECK(guard.view()[0] == expected[d]);
    CHECK(guard.view()[kLength - 1] == expected[d]);
  }
  CHECK(rt.statistics().memory->to_storage > Bytes(20 * kLength * sizeof(double)));
}

TEST_CASE("a directory with a limit that is reached: the host holds more than it should, and the run goes on") {
  Runtime rt(beside_directory("host=128 KiB,spill=128 KiB"));
  const std::vector<Vector<double>> data = numbered_blocks(rt, 16);
  std::atomic<int> right{0};
  for (std::size_t d = 0; d < 16; ++d)
    rt.submit("look", [d, &right](View<const double> x) { right += x[3] == static_cast<double>(d); }, data[d].read());
  rt.wait();
  CHECK(right == 16);
}
