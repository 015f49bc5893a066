// Copies: staging, pieces, urgency, the engines that do them.
#include <algorithm>
#include <set>

#include "rig.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

std::vector<unsigned char> bytes_of(std::size_t size, unsigned seed) {
  std::vector<unsigned char> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(i * 31 + seed);
  return bytes;
}

CopyEnd host(void* address, std::size_t pitch) { return {CopyEnd::kHost, static_cast<std::byte*>(address), pitch}; }

}  // namespace

TEST_CASE("hip: pageable memory goes through pinned chunks, and HIP sees none of it") {
  HipRig rig;
  CHECK(rig.driver->attach(0).ok());
  const auto data = bytes_of(300'000, 1);
  const unsigned char* const there = rig.upload(data);
  CHECK(rig.download(there, data.size()) == data);
  CHECK(rig.hip.pageable_copies() == 0);
  CHECK(rig.hip.calls("hipHostMalloc") == 8);  // four chunks, each way
  CHECK(rig.hip.calls("hipMemcpyAsync") >= 2 * 300'000 / (16 << 10));
  rig.end_cleanly();
}

TEST_CASE("hip: pinned memory is copied as it lies") {
  HipRig rig;
  CHECK(rig.driver->attach(0).ok());
  std::byte* const pinned = rig.driver->allocate_host(Bytes(200'000));
  REQUIRE(pinned != nullptr);
  unsigned char* const there = rig.upload(std::vector<unsigned char>(100'000));
  const auto before = rig.hip.calls("hipHostMalloc");
  const auto copies = rig.hip.calls("hipMemcpyAsync");
  std::fill(pinned, pinned + 200'000, std::byte{7});
  auto* const device = reinterpret_cast<std::byte*>(there);
  // From the middle of what was allocated: it is as pinned as its beginning.
  CHECK(rig.driver->copy(0, {host(pinned + 50'000, 60'000), {0, device, 60'000}, 60'000, 1, false, 1}).ok());
  CHECK(rig.ended(1)[0].result.ok());
  CHECK(rig.hip.calls("hipHostMalloc") == before);
  CHECK(rig.hip.calls("hipMemcpyAsync") == copies + 1);
  CHECK(rig.hip.pageable_copies() == 0);
  // Beyond its end it is not.
  rig.driver->release_host(pinned, Bytes(200'000));
  std::vector<unsigned char> pageable(60'000);
  CHECK(rig.driver->copy(0, {host(pageable.data(), 60'000), {0, device, 60'000}, 60'000, 1, false, 2}).ok());
  CHECK(rig.ended(1)[0].result.ok());
  CHECK(rig.hip.calls("hipMemcpyAsync") >= copies + 1 + 3);
  CHECK(rig.hip.pageable_copies() == 0);
  rig.end_cleanly();
}

TEST_CASE("hip: where no memory can be pinned, copies are slower and right") {
  HipDoubleOptions hardware;
  hardware.faults.push_back({"hipHostMalloc", 1, hipErrorOutOfMemory, -1, true});
  HipRig rig(hardware);
  CHECK(rig.driver->attach(0).ok());
  CHECK(rig.driver->allocate_host(Bytes(100)) == nullptr);
  const auto data = bytes_of(100'000, 3);
  const unsigned char* const there = rig.upload(data);
  CHECK(rig.download(there, data.size()) == data);
  CHECK(rig.hip.pageable_copies() > 0);
  rig.end_cleanly();
}

TEST_CASE("hip: with a single chunk copies are right too") {
  HipDoubleOptions hardware;
  hardware.faults.push_back({"hipHostMalloc", 2, hipErrorOutOfMemory, -1, true});
  HipRig rig(hardware);
  CHECK(rig.driver->attach(0).ok());
  const auto data = bytes_of(100'000, 4);
  const unsigned char* const there = rig.upload(data);
  CHECK(rig.hip.pageable_copies() == 0);
  CHECK(rig.download(there, data.size()) == data);
  rig.end_cleanly();
}

TEST_CASE("hip: few pieces are in the stream at a time, and an urgent copy is the next") {
  HipRig rig;
  CHECK(rig.driver->attach(0).ok());
  constexpr std::size_t kSize = 200'000;  // four pieces
  std::byte* const pinned = rig.driver->allocate_host(Bytes(kSize));
  std::fill(pinned, pinned + kSize, std::byte{1});
  unsigned char* const there = rig.upload(std::vector<unsigned char>(kSize));
  unsigned char* const other = rig.upload(std::vector<unsigned char>(1000));
  const auto already = rig.hip.executed().size();
  const auto calls = rig.hip.calls("hipMemcpyAsync");
  rig.hip.pause();
  for (std::uint64_t i = 0; i < 20; ++i)
    CHECK(
        rig.driver->copy(0, {host(pinned, kSize), {0, reinterpret_cast<std::byte*>(there), kSize}, kSize, 1, false, i})
            .ok());
  CHECK(rig.hip.calls("hipMemcpyAsync") == calls + 2);
  CHECK(rig.driver->copy(0, {host(pinned, 1000), {0, reinterpret_cast<std::byte*>(other), 1000}, 1000, 1, true, 100})
            .ok());
  rig.hip.resume();
  const auto completions = rig.ended(21);
  CHECK(completions.front().token == 100);
  const auto executed = rig.hip.executed();
  CHECK(executed[already + 2].target == other);  // after the two that were in the stream
  rig.driver->release_host(pinned, Bytes(kSize));
  rig.end_cleanly();
}

TEST_CASE("hip: many short copies are in the stream together") {
  HipRig rig;
  CHECK(rig.driver->attach(0).ok());
  std::byte* const pinned = rig.driver->allocate_host(Bytes(1000));
  unsigned char* const there = rig.upload(std::vector<unsigned char>(1000));
  const auto calls = rig.hip.calls("hipMemcpyAsync");
  rig.hip.pause();
  for (std::uint64_t i = 0; i < 100; ++i)
    CHECK(
        rig.driver->copy(0, {host(pinned, 100), {0, reinterpret_cast<std::byte*>(there), 100}, 100, 1, false, i}).ok());
  CHECK(rig.hip.calls("hipMemcpyAsync") == calls + 8);
  rig.hip.resume();
  for (const DeviceCompletion& c : rig.ended(100)) CHECK(c.result.ok());
  rig.driver->release_host(pinned, Bytes(1000));
  rig.end_cleanly();
}

TEST_CASE("hip: both directions, peers and kernels have streams of their own") {
  HipRig rig;
  CHECK(rig.driver->attach(0).ok());
  double* const x = rig.upload(std::vector<double>(100, 1.0));
  double* const y = rig.upload(std::vector<double>(100, 1.0), 0);
  CHECK(rig.driver->attach(1).ok());
  double* const z = rig.upload(std::vector<double>(100, 1.0), 1);
  CHECK(rig.driver->attach(0).ok());
  rig.download(x, 100);
  CHECK(
      rig.driver
          ->copy(
              0,
              {{1, reinterpret_cast<std::byte*>(z), 800}, {0, reinterpret_cast<std::byte*>(y), 800}, 800, 1, false, 1})
          .ok());
  CHECK(rig.ended(1)[0].result.ok());
  CHECK(
      rig.run([&](HipStream s) { hip::axpy<double>(s, 1.0, View<const double>(x, 100), View<double>(y, 100)); }).ok());
  std::set<const void*> streams;
  for (const auto& executed : rig.hip.executed())
    if (executed.device == 0) streams.insert(executed.stream);
  CHECK(streams.size() == 4);
  CHECK(rig.download(y, 100) == std::vector<double>(100, 2.0));
  rig.end_cleanly();
}

TEST_CASE("hip: a copy and a launch say how long they took") {
  HipDoubleOptions hardware;
  hardware.latency = std::chrono::milliseconds(2);
  HipRig rig(hardware);
  CHECK(rig.driver->attach(0).ok());
  std::byte* memory = nullptr;
  CHECK(rig.driver->allocate(0, Bytes(40'000), memory).ok());
  std::vector<std::byte> data(40'000);  // three chunks
  CHECK(rig.driver->copy(0, {host(data.data(), 40'000), {0, memory, 40'000}, 40'000, 1, false, 1}).ok());
  CHECK(rig.ended(1)[0].duration >= Seconds(0.006));
  auto* const x = reinterpret_cast<double*>(memory);
  struct Body {
    double* x;
  } body{x};
  CHECK(rig.driver
            ->launch(0, 3,
                     {[](void* a, void* stream) noexcept {
                        double* const p = static_cast<Body*>(a)->x;
                        hip::axpy<double>({stream}, 1.0, View<const double>(p, 10), View<double>(p, 10));
                      },
                      &body, 2})
            .ok());
  const DeviceCompletion launched = rig.ended(1)[0];
  CHECK(launched.token == 2);
  CHECK(launched.duration >= Seconds(0.002));
  rig.driver->release(0, memory, Bytes(40'000));
  rig.end_cleanly();
}

TEST_CASE("hip: a wait burns no core") {
  HipDoubleOptions hardware;
  hardware.latency = std::chrono::milliseconds(100);
  HipRig rig(hardware);
  CHECK(rig.driver->attach(0).ok());
  std::byte* const pinned = rig.driver->allocate_host(Bytes(100));
  std::byte* memory = nullptr;
  CHECK(rig.driver->allocate(0, Bytes(100), memory).ok());
  CHECK(rig.driver->copy(0, {host(pinned, 100), {0, memory, 100}, 100, 1, false, 1}).ok());
  const auto before = rig.hip.calls("hipEventQuery");
  CHECK(rig.ended(1)[0].result.ok());
  CHECK(rig.hip.calls("hipEventQuery") - before < 3000);  // 100 ms of sleeps of 100 us are 1000
  rig.driver->release(0, memory, Bytes(100));
  rig.driver->release_host(pinned, Bytes(100));
  rig.end_cleanly();
}
