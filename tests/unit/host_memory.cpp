// Where the host's memory lies: near who first writes to it, or spread over the NUMA domains.
#include <unistd.h>

#include <cstring>
#include <fstream>

#include <mitra/mitra.hpp>

#include "backends/cpu/host_memory.hpp"
#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using cpu::HostMemory;
using test::Variable;

namespace {

constexpr Bytes kLarge{std::uint64_t{32} << 20}, kSmall{4096};

std::size_t resident_bytes() {
  std::size_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("memory is spread where that is asked for, there are several NUMA domains, and it is large enough") {
  const Variable off("HWLOC_THISSYSTEM", nullptr);
  const Variable two("HWLOC_SYNTHETIC", "pack:1 numa:2 l3:1 core:2 pu:1");
  CHECK(HostMemory("interleave").interleaves(kLarge));
  CHECK_FALSE(HostMemory("interleave").interleaves(kSmall));
  CHECK_FALSE(HostMemory("first_touch").interleaves(kLarge));
  const Variable one("HWLOC_SYNTHETIC", "pack:1 numa:1 l3:1 core:2 pu:1");
  CHECK_FALSE(HostMemory("interleave").interleaves(kLarge));
  for (const char* wrong : {"", "interleaved", "bind"})
    CHECK_THROWS_WITH(HostMemory(wrong), test::contains("expected first_touch, interleave or nodes (set by MITRA_NUMA)"));
}

TEST_CASE("memory is aligned and can be written, wherever it lies") {
  for (const char* topology : {static_cast<const char*>(nullptr), "pack:1 numa:2 l3:1 core:2 pu:1"}) {
    const Variable synthetic("HWLOC_SYNTHETIC", topology), off("HWLOC_THISSYSTEM", nullptr);
    for (const char* numa : {"first_touch", "interleave"}) {
      HostMemory memory(numa);
      for (const Bytes size : {Bytes(1), kSmall, Bytes(65536), Bytes(100'001), kLarge}) {
        void* block = memory.allocate(size);
        REQUIRE(block != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
        std::memset(block, 1, size.value);
        memory.release(block, size);
      }
    }
  }
}

TEST_CASE("allocated memory is not touched: it comes to lie where its first writer is") {
  HostMemory memory("first_touch");
  const std::size_t before = resident_bytes();
  void* block = memory.allocate(kLarge);
  REQUIRE(block != nullptr);
  CHECK(resident_bytes() < before + kLarge.value / 4);
  std::memset(block, 1, kLarge.value);
  memory.release(block, kLarge);
}

TEST_CASE("a Runtime spreads the data that it allocates when it is told to") {
  for (const char* numa : {"first_touch", "interleave"}) {
    Config config = test::with_workers(2);
    config.numa = numa;
    Runtime rt(config);
    auto v = rt.vector<double>(100'000, "v");
    rt.submit("fill", [](View<double> x) { for (double& e : x) e = 1.0; }, v.write());
    double sum = 0.0;
    {
      const auto guard = rt.acquire(v.read());
      for (const double e : guard.view()) sum += e;
    }
    CHECK(sum == 100'000.0);
  }
  Config wrong;
  wrong.numa = "near";
  CHECK_THROWS_WITH(Runtime(wrong), test::contains("numa=near: expected first_touch, interleave or nodes"));
  const Variable numa("MITRA_NUMA", "interleave");
  CHECK(Config::from_environment().numa == "interleave");
}
