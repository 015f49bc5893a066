// Errors of HIP: which fail one call, and which are the end of a device. Whatever happens, what was started ends once.
#include <set>

#include <mitra/error.hpp>

#include "rig.hpp"
#include "support/random.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

CopyEnd host(void* address, std::size_t pitch) { return {CopyEnd::kHost, static_cast<std::byte*>(address), pitch}; }

struct Doubling {
  double* x;
  std::size_t count;
  bool ran = false;
  static void run(void* argument, void* stream) noexcept {
    auto& self = *static_cast<Doubling*>(argument);
    self.ran = true;
    try {
      hip::axpy<double>({stream}, 1.0, View<const double>(self.x, self.count), View<double>(self.x, self.count));
    } catch (...) {  // the driver tells
    }
  }
};

/// A device with 1000 ones.
struct Ready {
  explicit Ready(HipDoubleOptions hardware = {}, HipOptions options = small_options())
      : rig(std::move(hardware), std::move(options)) {
    REQUIRE(rig.driver->attach(0).ok());
    x = rig.upload(std::vector<double>(1000, 1.0));
    body = {x, 1000};
  }
  DeviceResult twice() {
    const DeviceResult result = rig.driver->launch(0, 0, {&Doubling::run, &body, 1});
    return result.ok() ? rig.ended(1)[0].result : result;
  }
  DeviceResult copy() {
    const DeviceResult result =
        rig.driver->copy(0, {{0, reinterpret_cast<std::byte*>(x), 8000}, host(data.data(), 8000), 8000, 1, false, 2});
    return result.ok() ? rig.ended(1)[0].result : result;
  }
  HipRig rig;
  double* x = nullptr;
  Doubling body{};
  std::vector<double> data = std::vector<double>(1000);
};

}  // namespace

TEST_CASE("hip: an allocation that fails says so, and the device works on") {
  Ready r;
  r.rig.hip.add_fault({"hipMalloc", 1, hipErrorOutOfMemory});
  std::byte* memory = nullptr;
  const DeviceResult result = r.rig.driver->allocate(0, Bytes(100), memory);
  CHECK(result.status == DeviceStatus::out_of_memory);
  CHECK(result.text == "hipMalloc on device 0: hipErrorOutOfMemory (out of memory)");
  CHECK(r.rig.driver->allocate(0, Bytes(100), memory).ok());
  r.rig.driver->release(0, memory, Bytes(100));
  CHECK(r.twice().ok());
  r.rig.end_cleanly();
}

TEST_CASE("hip: a kernel that cannot be launched fails its task, and the device works on") {
  Ready r;
  r.rig.hip.add_fault({"hipModuleLaunchKernel", 1, hipErrorLaunchOutOfResources});
  const DeviceResult result = r.twice();
  CHECK(result.status == DeviceStatus::failed);
  CHECK_THAT(result.text, contains("mitra_axpy_d on device 0: hipErrorLaunchOutOfResources"));
  CHECK(r.twice().ok());
  r.rig.end_cleanly();
}

TEST_CASE("hip: what a body leaves as HIP's last error fails its task") {
  Ready r;
  const auto functions = r.rig.hip.functions();
  const DeviceResult result = r.rig.run([&](HipStream) {
    int count = 0;
    static_cast<void>(functions->hipGetDeviceProperties(nullptr, 99));
    static_cast<void>(count);
  });
  CHECK(result.status == DeviceStatus::failed);
  CHECK(r.twice().ok());
}

TEST_CASE("hip: a copy that HIP refuses fails, early or halfway") {
  for (const std::uint64_t call : {1U, 2U, 3U}) {
    Ready r;
    std::vector<std::byte> data(60'000);
    double* const there = r.rig.upload(std::vector<double>(7500));
    r.rig.hip.add_fault({"hipMemcpyAsync", call, hipErrorInvalidValue});
    const DeviceResult result = r.rig.driver->copy(
        0, {host(data.data(), 60'000), {0, reinterpret_cast<std::byte*>(there), 60'000}, 60'000, 1, false, 5});
    CHECK(result.ok());
    const DeviceCompletion completion = r.rig.ended(1)[0];
    CHECK(completion.token == 5);
    CHECK(completion.result.status == DeviceStatus::failed);
    CHECK_THAT(completion.result.text, contains("hipMemcpyAsync on device 0: hipErrorInvalidValue"));
    CHECK(r.copy().ok());
    std::vector<DeviceCompletion> more;
    r.rig.driver->poll(0, more);
    CHECK(more.empty());
    r.rig.end_cleanly();
  }
}

TEST_CASE("hip: without events nothing is started") {
  Ready r;
  r.body.ran = false;
  r.rig.hip.add_fault({"hipEventRecord", 1, hipErrorOutOfMemory});
  CHECK(r.twice().status == DeviceStatus::out_of_memory);
  CHECK(!r.body.ran);
  CHECK(r.twice().ok());
  CHECK(r.rig.download(r.x, 1000) == std::vector<double>(1000, 2.0));
  r.rig.end_cleanly();
}

TEST_CASE("hip: where the event after a task is not recorded, the stream says when it is over") {
  Ready r;
  r.rig.hip.add_fault({"hipEventRecord", 2, hipErrorOutOfMemory});
  CHECK(r.twice().status == DeviceStatus::out_of_memory);
  CHECK(r.rig.hip.calls("hipStreamQuery") > 0);
  CHECK(r.twice().ok());
  CHECK(r.rig.download(r.x, 1000) == std::vector<double>(1000, 4.0));
  r.rig.end_cleanly();
}

TEST_CASE("hip: an event that cannot be asked fails its task, after its work is over") {
  Ready r;
  r.rig.hip.pause();
  CHECK(r.rig.driver->launch(0, 0, {&Doubling::run, &r.body, 1}).ok());
  r.rig.hip.add_fault({"hipEventQuery", 1, hipErrorInvalidHandle});
  std::vector<DeviceCompletion> completions;
  r.rig.driver->poll(0, completions);
  r.rig.driver->wait(0, Seconds(0.001));
  r.rig.driver->poll(0, completions);
  CHECK(completions.empty());  // the kernel has not run: its memory is in use
  r.rig.hip.resume();
  const DeviceCompletion completion = r.rig.ended(1)[0];
  CHECK(completion.result.status == DeviceStatus::failed);
  CHECK_THAT(completion.result.text, contains("hipErrorInvalidHandle"));
  CHECK(r.twice().ok());
  r.rig.end_cleanly();
}

TEST_CASE("hip: an event and its stream that cannot be asked are the end of the device") {
  Ready r;
  r.rig.hip.pause();
  CHECK(r.rig.driver->launch(0, 0, {&Doubling::run, &r.body, 1}).ok());
  r.rig.hip.add_fault({"hipEventQuery", 1, hipErrorInvalidHandle});
  r.rig.hip.add_fault({"hipStreamQuery", 1, hipErrorInvalidHandle});
  const DeviceCompletion completion = r.rig.ended(1)[0];
  CHECK(completion.result.status == DeviceStatus::lost);
  r.rig.hip.resume();
  CHECK(r.twice().status == DeviceStatus::lost);
}

TEST_CASE("hip: a kernel that dies takes its device with it, and no other") {
  Ready r;
  REQUIRE(r.rig.driver->attach(1).ok());
  double* const y = r.rig.upload(std::vector<double>(10, 3.0), 1);
  r.rig.hip.add_fault({"kernel", 2, hipErrorIllegalAddress, 0});
  std::set<std::uint64_t> tokens;
  for (std::uint64_t t = 10; t < 20; ++t) {
    const DeviceResult result =
        t % 2 == 0
            ? r.rig.driver->launch(0, 0, {&Doubling::run, &r.body, t})
            : r.rig.driver->copy(
                  0, {{0, reinterpret_cast<std::byte*>(r.x), 8000}, host(r.data.data(), 8000), 8000, 1, false, t});
    if (result.ok()) tokens.insert(t);
  }
  bool lost = false;
  for (const DeviceCompletion& c : r.rig.ended(tokens.size())) {
    CHECK(tokens.erase(c.token) == 1);
    if (c.result.status != DeviceStatus::lost) continue;
    lost = true;
    CHECK_THAT(c.result.text, contains("hipErrorIllegalAddress"));
    CHECK_THAT(c.result.text, contains("the device is given up"));
  }
  CHECK(lost);
  CHECK(tokens.empty());
  CHECK(r.twice().status == DeviceStatus::lost);
  CHECK(r.copy().status == DeviceStatus::lost);
  std::byte* memory = nullptr;
  CHECK(r.rig.driver->allocate(0, Bytes(10), memory).status == DeviceStatus::lost);
  CHECK(r.rig.driver->attach(0).status == DeviceStatus::lost);
  CHECK(r.rig.download(y, 10, 1) == std::vector<double>(10, 3.0));
  CHECK(r.rig.run([&](HipStream s) { hip::axpy<double>(s, 1.0, View<const double>(y, 10), View<double>(y, 10)); }, 1)
            .ok());
}

TEST_CASE("hip: a device that is lost while nothing is asked of it is lost at the next call") {
  Ready r;
  r.rig.hip.lose(0, hipErrorECCNotCorrectable);
  std::vector<DeviceCompletion> none;
  r.rig.driver->poll(0, none);
  CHECK(none.empty());
  std::byte* memory = nullptr;
  const DeviceResult result = r.rig.driver->allocate(0, Bytes(10), memory);
  CHECK(result.status == DeviceStatus::lost);
  CHECK_THAT(result.text, contains("hipErrorECCNotCorrectable"));
}

TEST_CASE("hip: an allocation on another thread that meets the loss ends what is under way") {
  Ready r;
  r.rig.hip.hang(0);
  CHECK(r.rig.driver->launch(0, 0, {&Doubling::run, &r.body, 1}).ok());
  r.rig.hip.add_fault({"hipMalloc", 1, hipErrorNoDevice});
  std::byte* memory = nullptr;
  CHECK(r.rig.driver->allocate(0, Bytes(10), memory).status == DeviceStatus::lost);
  CHECK(r.rig.ended(1)[0].result.status == DeviceStatus::lost);
}

TEST_CASE("hip: a device that hangs does not hang the destructor") {
  HipOptions options = small_options();
  options.patience = Seconds(0.05);
  Ready r({}, options);
  r.rig.hip.hang(0);
  CHECK(r.rig.driver->launch(0, 0, {&Doubling::run, &r.body, 1}).ok());
  const auto begin = HipRig::Clock::now();
  r.rig.driver.reset();
  CHECK(HipRig::Clock::now() - begin < std::chrono::seconds(20));
}

TEST_CASE("hip: every error at every early call of every function: what was started ends once, and nothing hangs") {
  std::vector<std::string> functions;
#define MITRA_NAME(Result, name, parameters) functions.push_back(#name);
  MITRA_HIP_FUNCTIONS(MITRA_NAME)
#undef MITRA_NAME
  functions.insert(functions.end(), {"kernel", "copy"});
  std::size_t cases = 0, lost = 0, failed = 0;
  for (const std::string& function : functions)
    for (const hipError_t error : {hipErrorOutOfMemory, hipErrorInvalidValue, hipErrorLaunchFailure})
      for (std::uint64_t call = 1; call <= 6; ++call) {
        INFO(function << " call " << call << " error " << error);
        HipOptions options = small_options();
        options.patience = Seconds(5.0);
        HipDoubleOptions hardware;
        hardware.seed = call;
        hardware.faults.push_back({function, call, error, call % 2 == 0 ? 0 : -1});
        HipRig rig(hardware, options);
        ++cases;
        if (rig.driver->devices().empty()) {
          CHECK(!rig.driver->remark().empty());
          continue;
        }
        DeviceDriver& driver = *rig.driver;
        if (!driver.attach(0).ok()) continue;
        std::byte* memory = nullptr;
        if (!driver.allocate(0, Bytes(120'000), memory).ok()) continue;
        std::vector<std::byte> data(120'000);
        Doubling body{reinterpret_cast<double*>(memory), 15'000};
        std::multiset<std::uint64_t> started, ended;
        for (std::uint64_t t = 1; t <= 8; ++t) {
          const CopyEnd there{0, memory, 120'000};
          DeviceResult result;
          if (t % 4 == 1) result = driver.copy(0, {host(data.data(), 120'000), there, 120'000, 1, t == 5, t});
          if (t % 4 == 2) result = driver.launch(0, static_cast<unsigned>(t % 3), {&Doubling::run, &body, t});
          if (t % 4 == 3) result = driver.copy(0, {there, host(data.data(), 120'000), 120'000, 1, false, t});
          if (t % 4 == 0) result = driver.copy(0, {{0, memory, 100}, host(data.data(), 90), 90, 50, false, t});
          if (result.ok()) started.insert(t);
          if (!result.ok()) CHECK(!result.text.empty());
        }
        for (const DeviceCompletion& c : rig.ended(started.size())) {
          ended.insert(c.token);
          lost += c.result.status == DeviceStatus::lost;
          failed += c.result.status == DeviceStatus::failed;
          if (!c.result.ok()) CHECK(!c.result.text.empty());
        }
        CHECK(started == ended);
        std::vector<DeviceCompletion> more;
        driver.poll(0, more);
        CHECK(more.empty());
        driver.release(0, memory, Bytes(120'000));
      }
  CHECK(cases > 500);
  CHECK(lost > 50);
  CHECK(failed > 10);
}
