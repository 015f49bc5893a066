// Devices that are lost at the worst moments: what is left is right, or the loss is told; nothing hangs, and nothing is wrong
// without a word.
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
    Runtime rt(beside(detail::message("2:mem=", memory, ",lose=0@4")));
    Numbers x(kSize, 1.0), y(kSize, 1.0);
    auto X = rt.data(x, "x"), Y = rt.data(y, "y");
    auto order = rt.token("order");
    rt.submit({.priority = 1}, kAdd, X.readwrite(), 1.0);  // allocation, copy, launch
    rt.submit({.priority = 2}, codelet("after").cpu([](View<const double>) {}), X.read());
    rt.wait(X);
    CHECK(rt.statistics().lost_devices == 0);
    rt.submit({.priority = 1}, codelet("other").cpu([](View<double> v, View<const double> w) {
      for (std::size_t i = 0; i < v.size(); ++i) v[i] += w[i];
    }), Y.readwrite(), X.read());
    rt.wait();
    CHECK(y == Numbers(kSize, 3.0));
    CHECK(rt.statistics().lost_devices == 1);
    CHECK(ran_on_devices(rt) == std::vector<std::uint64_t>{1, 2});
  }
}
