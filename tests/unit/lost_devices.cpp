// Devices that are lost at the worst moments: what is left is right, or the loss is told; nothing hangs, and nothing is wrong
// without a word.
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mitra/emu_driver.hpp>
#include <mitra/mitra.hpp>
#include <mitra/scheduling_policy.hpp>
#include <thread>
#include <vector>

#include "engine/devices/lineage.hpp"
#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;

namespace {

/// A task whose priority is N goes to the N-th device; 0 is for the cores.
class ByPriority final : public SchedulingPolicy {
 public:
  void ready(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const NodeId node = view.machine().workers[worker.index()].node;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const TaskRef task = tasks_[i];
      if (NodeId(static_cast<std::uint32_t>(task.runs_on(WorkerKind::hip) ? task.priority() : 0)) != node) continue;
      tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(i));
      return task;
    }
    return {};
  }

 private:
  std::vector<TaskRef> tasks_;
};

Config beside(const std::string& emu) {
  Config config = test::with_workers(2);
  config.emu = emu + ",bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
  config.policy = [] { return std::make_unique<ByPriority>(); };
  return config;
}

constexpr std::size_t kSize = 100;
using Numbers = std::vector<double>;

const auto kAdd = codelet("add").cpu([](View<double> x, double a) {
  for (double& v : x) v += a;
});

/// Tasks that ran on each device, the first one first.
std::vector<std::uint64_t> ran_on_devices(const Runtime& rt) {
  std::vector<std::uint64_t> ran;
  const Statistics done = rt.statistics();
  for (std::size_t w = 0; w < rt.machine().workers.size(); ++w)
    if (rt.machine().workers[w].node != NodeId(0)) ran.push_back(done.executed_by_worker[w]);
  return ran;
}

}  // namespace

TEST_CASE("what a full memory sends away as soon as it is written is followed, too") {
  std::uint64_t recomputed = 0;
  for (int call = 1; call <= 12; ++call) {
    Config config = beside(detail::message("1:mem=1700 B,pipeline=2,lose=0@", call));
    Runtime rt(config);
    Numbers a(kSize, 1.0), b(kSize, 2.0), c(kSize, 5.0);
    auto A = rt.data(a, "a"), B = rt.data(b, "b"), C = rt.data(c, "c");
    std::atomic<bool> both{false};
    // Room for two: the second task waits until the first one's data leave.
    rt.submit({.priority = 1}, codelet("both").cpu([&](View<double> x, View<double> y) {
      while (!both) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      for (std::size_t i = 0; i < kSize; ++i) {
        const double sum = x[i] + y[i];
        y[i] += 10.0 * sum;
        x[i] += sum;
      }
    }), A.readwrite(), B.readwrite());
    rt.submit({.priority = 1}, kAdd, C.readwrite(), 1.0);
    both = true;
    rt.wait();
    INFO("lost at call " << call);
    CHECK(a == Numbers(kSize, 4.0));
    CHECK(b == Numbers(kSize, 32.0));
    CHECK(c == Numbers(kSize, 6.0));
    recomputed += rt.statistics().recomputed;
  }
  CHECK(recomputed > 0);
}

TEST_CASE("a loss that only an allocation reports is dealt with at once, and the task goes to another device") {
  for (const char* memory : {"0 B", "1 MB"}) {
    INFO("memory of " << memory);
    Runtime rt(beside(detail::message("2:mem=", memory, ",lose=0@5")));
    Numbers x(kSize, 1.0), y(2 * kSize, 1.0);
    auto X = rt.data(x, "x"), Y = rt.data(y, "y");
    rt.submit({.priority = 1}, kAdd, X.readwrite(), 1.0);  // allocation, copy, launch
    rt.wait();                                             // copy
    CHECK(rt.statistics().lost_devices == 0);
    rt.submit({.priority = 1}, kAdd, Y.readwrite(), 1.0);  // allocation, of another size
    rt.wait();
    CHECK(x == Numbers(kSize, 2.0));
    CHECK(y == Numbers(2 * kSize, 2.0));
    CHECK(rt.statistics().lost_devices == 1);
    CHECK(ran_on_devices(rt) == std::vector<std::uint64_t>{1, 1});
  }
}

namespace {

/// Emulated devices of which the first takes its time to say that it is lost: others notice before its own thread does.
class SlowToTell final : public DeviceDriver {
 public:
  SlowToTell(const EmuOptions& options, std::atomic<bool>& lost) : emu_(make_emu_driver(options)), lost_(lost) {}
  std::string_view name() const override { return emu_->name(); }
  WorkerKind implementation() const override { return emu_->implementation(); }
  std::span<const DeviceDescription> devices() const override { return emu_->devices(); }
  bool joined(unsigned from, unsigned to) const override { return emu_->joined(from, to); }
  DeviceResult allocate(unsigned device, Bytes size, std::byte*& memory) noexcept override { return emu_->allocate(device, size, memory); }
  void release(unsigned device, std::byte* memory, Bytes size) noexcept override { emu_->release(device, memory, size); }
  DeviceResult attach(unsigned device) noexcept override { return emu_->attach(device); }
  DeviceResult copy(unsigned device, const DeviceCopy& copy) noexcept override { return emu_->copy(device, copy); }
  DeviceResult launch(unsigned device, unsigned stream, const DeviceLaunch& launch) noexcept override {
    DeviceResult result = emu_->launch(device, stream, launch);
    if (result.status == DeviceStatus::lost && !lost_.exchange(true)) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return result;
  }
  void leave_stream(unsigned device, unsigned stream) noexcept override { emu_->leave_stream(device, stream); }
  void poll(unsigned device, std::vector<DeviceCompletion>& completions) noexcept override { emu_->poll(device, completions); }
  void wait(unsigned device, Seconds limit) noexcept override { emu_->wait(device, limit); }
  void wake(unsigned device) noexcept override { emu_->wake(device); }

 private:
  std::unique_ptr<DeviceDriver> emu_;
  std::atomic<bool>& lost_;
};

}  // namespace

TEST_CASE("a copy whose source is lost is not tried until it is given up: the task waits for what is made again") {
  std::atomic<bool> lost{false};
  Config config = beside("1:mem=1 MB");
  config.emu.clear();
  EmuOptions options;
  options.devices = 2;
  options.latency = Seconds(0.0);
  options.faults = {{.device = 0, .call = 6, .status = DeviceStatus::lost}};
  config.devices.push_back([&] { return std::make_unique<SlowToTell>(options, lost); });
  Runtime rt(config);
  Numbers x(kSize, 1.0), y(kSize, 10.0), z(kSize, 100.0);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y"), Z = rt.data(z, "z");
  rt.submit({.priority = 1}, kAdd, X.readwrite(), 1.0);  // allocation, copy, launch
  rt.submit({.priority = 1}, kAdd, Z.readwrite(), 1.0);
  while (!lost) std::this_thread::yield();
  rt.submit({.priority = 2}, codelet("sum").cpu([](View<double> v, View<const double> w) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] += w[i];
  }), Y.readwrite(), X.read());
  rt.wait();
  CHECK(x == Numbers(kSize, 2.0));
  CHECK(y == Numbers(kSize, 12.0));
  CHECK(z == Numbers(kSize, 101.0));
  CHECK(rt.statistics().lost_devices == 1);
  CHECK(ran_on_devices(rt) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a task that has submitted others is not run again when its device is lost: it fails") {
  int told = 0;
  for (int call = 1; call <= 10; ++call) {
    INFO("lost at call " << call);
    Runtime rt(beside(detail::message("2:mem=1 MB,lose=0@", call)));
    Numbers x(kSize, 1.0), z(kSize, 1.0);
    auto X = rt.data(x, "x"), Z = rt.data(z, "z");
    std::atomic<bool> child_done{false};
    rt.submit({.priority = 1}, codelet("parent").cpu([&](View<double>) {
      rt.submit("child", [&](View<double> v) {
        for (double& e : v) e += 1.0;
        child_done = true;
      }, X.readwrite());
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }), X.readwrite());
    // Its allocation and its copy come while the parent runs: before its child, and after it.
    if (call % 2 == 0)
      while (!child_done && rt.statistics().lost_devices == 0) std::this_thread::yield();
    rt.submit({.priority = 1}, kAdd, Z.readwrite(), 1.0);
    try {
      rt.wait();
      CHECK(x == Numbers(kSize, 2.0));
    } catch (const TaskError& error) {
      ++told;
      CHECK_THAT(error.what(), test::contains("lost"));
    }
    CHECK(z == Numbers(kSize, 2.0));
  }
  CHECK(told > 0);
}

TEST_CASE("a body whose children's results are lost does not go on with older ones") {
  int told = 0;
  for (int call = 1; call <= 12; ++call) {
    INFO("lost at call " << call);
    Runtime rt(beside(detail::message("1:mem=1 MB,lose=0@", call)));
    Numbers x(kSize, 1.0), z(kSize, 1.0);
    auto X = rt.data(x, "x"), Z = rt.data(z, "z");
    std::atomic<bool> child_done{false};
    rt.submit({.priority = 1}, kAdd, X.readwrite(), 1.0);  // so that the parent has to ask for its data
    rt.submit("parent", [&](View<double> v) {
      for (double& e : v) e += 1.0;
      rt.submit({.priority = 1}, codelet("child").cpu([&](View<double> w) {
        for (double& e : w) e += 10.0;
        child_done = true;
      }), X.readwrite());
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
      rt.wait();
      for (double& e : v) e += 100.0;
    }, X.readwrite());
    if (call % 2 == 0)  // the device is lost before its parent waits, or while it does
      while (!child_done && rt.statistics().lost_devices == 0) std::this_thread::yield();
    rt.submit({.priority = 1}, kAdd, Z.readwrite(), 1.0);
    try {
      rt.wait();
      CHECK(x == Numbers(kSize, 113.0));
    } catch (const TaskError& error) {
      ++told;
      CHECK_THAT(error.what(), test::contains("'parent'") && test::contains("'x' is gone"));
    }
  }
  CHECK(told > 0);
}

namespace {

/// Data of one number each; deeds run a function.
class NumbersAtHome final : public engine::LineageClient {
 public:
  Bytes bytes_of(std::uint32_t) override { return Bytes(8); }
  void pack_home(std::uint32_t datum, void* to) override { *static_cast<double*>(to) = home[datum]; }
  void* exchange_home(std::uint32_t) override { return nullptr; }
  void* take_memory(Bytes) override { return new double(-1.0); }
  void give_memory(void* memory, Bytes) override { delete static_cast<double*>(memory); }
  void run_again(detail::TaskHeader& task, std::span<void* const> addresses) override {
    double& a = *static_cast<double*>(addresses[0]);
    double& other = *static_cast<double*>(addresses[1]);
    other = 10.0 * a;
    if (task.priority == 1) a += 1.0;
  }
  void version_released(std::uint32_t) override {}

  std::map<std::uint32_t, double> home{{1, 5.0}, {2, 0.0}, {3, 0.0}};
};

/// Two tasks that have run on devices, each on two data.
struct TwoDeeds {
  using Uses = std::array<memory::Use, 2>;
  TwoDeeds(const Uses& of_first, const Uses& of_second) {
    lineage.grow(4);
    second.priority = 1;
    lineage.ran_on_device(first, of_first, {0, 1}, true);
    lineage.ran_on_device(second, of_second, {0, 1}, true);
  }
  NumbersAtHome client;
  engine::Lineage lineage{client};
  detail::TaskHeader first{}, second{};
};

}  // namespace

TEST_CASE("what could not be brought home by a wait is not made again by bodies whose data the application may have taken away") {
  TwoDeeds deeds({{{1, AccessMode::read}, {2, AccessMode::write}}}, {{{2, AccessMode::read}, {3, AccessMode::write}}});
  engine::Lineage& lineage = deeds.lineage;
  CHECK(lineage.take_dead().empty());
  lineage.lose_deed(3);
  CHECK(lineage.take_dead() == std::vector<detail::TaskHeader*>{&deeds.second});
  lineage.lose_deed(2);
  CHECK(lineage.take_dead() == std::vector<detail::TaskHeader*>{&deeds.first});
  CHECK(lineage.empty());
  const std::uint32_t data[] = {2, 3};
  std::string why;
  CHECK(lineage.recover(data, why) == std::vector<std::uint32_t>{2, 3});
  CHECK_THAT(why, Catch::Contains("a wait that could not bring it home"));
}

TEST_CASE("what a task that is run again writes is not what others have read, though its own result is safe") {
  TwoDeeds deeds({{{1, AccessMode::read}, {3, AccessMode::write}}}, {{{1, AccessMode::readwrite}, {2, AccessMode::write}}});
  engine::Lineage& lineage = deeds.lineage;
  lineage.before_home_changes(1, false);
  deeds.client.home[1] = 6.0;
  lineage.arrived_home(1);
  std::string why;
  const auto recovered = [&](std::uint32_t datum) {
    CHECK(lineage.recover(std::span(&datum, 1), why).empty());
    return *static_cast<const double*>(lineage.recovered(datum));
  };
  CHECK(recovered(2) == 50.0);  // this one is lost first
  CHECK(recovered(3) == 50.0);
}
