// What a policy asks to be brought home is brought there beside the tasks: live and in virtual time the same.
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <mitra/mitra.hpp>
#include <mitra/scheduling_policy.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/machines.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "unit/memory_rig.hpp"

using namespace mitra;

namespace {

enum class Asks { nothing, what_was_written, at_random };

/// Codelets that have a device's body, or may run there, go to the devices; when one has run, its data are asked for.
class Asking final : public SchedulingPolicy {
 public:
  explicit Asking(Asks asks) : asks_(asks) {}
  void ready(TaskRef task, SchedulerView&) override { (task.runs_on(WorkerKind::hip) ? for_devices_ : for_cores_).push_back(task); }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const WorkerKind kind = view.machine().classes[view.machine().workers[worker.index()].worker_class.index()].kind;
    auto& queue = kind == WorkerKind::hip ? for_devices_ : for_cores_;
    if (queue.empty()) return {};
    const TaskRef task = queue.front();
    queue.erase(queue.begin());
    if (asks_ == Asks::at_random) ask(task, view);  // of what others have in their hands, too
    return task;
  }
  void finished(TaskRef task, const Measured&, SchedulerView& view) override {
    if (asks_ != Asks::nothing) ask(task, view);
  }
  bool watches_completions() const override { return true; }

 private:
  void ask(TaskRef task, SchedulerView& view) const {
    for (std::size_t i = 0; i < task.access_count(); ++i)
      if (asks_ == Asks::at_random ? view.random() % 2 == 0 : task.access(i).mode() != AccessMode::read) view.write_back(task.access(i));
  }

  const Asks asks_;
  std::vector<TaskRef> for_devices_, for_cores_;
};

Config beside(const std::string& emu, Asks asks) {
  Config config = test::with_workers(2, "eager");
  config.emu = emu + (emu.find(':') == std::string::npos ? ":" : ",") + "latency=0 s,speed=0.01,poison=1";
  config.policy = [asks] { return std::make_unique<Asking>(asks); };
  return config;
}

const auto kAdd = codelet("add").cpu([](View<double> x, double a) {
  for (double& v : x) v += a;
});

/// Waits for what another thread is to do. @returns Whether it has done it.
template <class Condition>
bool comes_true(Condition&& condition) {
  for (int i = 0; i < 10'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return condition();
}

}  // namespace

TEST_CASE("what a policy asks for is copied home though nobody waits for it, and is not copied again") {
  Runtime rt(beside("1", Asks::what_was_written));
  const auto moved = [&] { return rt.statistics().memory.value(); };
  std::vector<double> lent(1000, 1.0);
  auto x = rt.data(lent, "x");
  auto y = rt.vector<double>(500, "y");
  rt.submit(codelet("both").cpu([](View<const double> from, View<double> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = 2.0 * from[i];
  }), x.read(), y.write()).wait();
  REQUIRE(comes_true([&] { return moved().from_device == Bytes(4000); }));  // y alone: x is at home
  rt.submit(kAdd, x.readwrite(), 1.0).wait();
  REQUIRE(comes_true([&] { return moved().from_device == Bytes(12'000); }));
  const std::uint64_t transfers = moved().transfers;
  CHECK(rt.acquire(y.read()).view()[499] == 2.0);
  double seen = 0.0;
  rt.submit("on a core", [&](View<const double> v) { seen = v[999]; }, x.read()).wait();
  CHECK(seen == 2.0);
  rt.submit(codelet("on the device again").cpu([](View<const double>) {}), x.read()).wait();  // its replica has stayed
  rt.wait();
  CHECK(lent[0] == 2.0);
  CHECK(moved().transfers == transfers);
}

TEST_CASE("without being asked, what a device has written stays there until somebody needs it") {
  Runtime rt(beside("1", Asks::nothing));
  auto y = rt.vector<double>(500, "y");
  rt.submit(codelet("fill").cpu([](View<double> v) { std::fill(v.begin(), v.end(), 3.0); }), y.write()).wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(rt.statistics().memory->from_device == Bytes(0));
  CHECK(rt.acquire(y.read()).view()[0] == 3.0);
  CHECK(rt.statistics().memory->from_device == Bytes(4000));
}

TEST_CASE("a full host gets nothing that nobody needs there") {
  Config config = beside("1", Asks::what_was_written);
  config.memory = "host=5kB";
  Runtime rt(config);
  auto x = rt.vector<double>(500, "x"), y = rt.vector<double>(500, "y");
  rt.submit(kAdd, x.readwrite(), 1.0).wait();
  REQUIRE(comes_true([&] { return rt.statistics().memory->from_device == Bytes(4000); }));
  rt.submit(kAdd, y.readwrite(), 1.0).wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(rt.statistics().memory->from_device == Bytes(4000));
}

TEST_CASE("what a task has in its hands is not copied, whoever asks for it") {
  /// Asks for what the last task on a device has, when a task on a core has run.
  class OfAnother final : public SchedulingPolicy {
   public:
    void ready(TaskRef task, SchedulerView& view) override { inner_.ready(task, view); }
    TaskRef next(WorkerId worker, SchedulerView& view) override {
      const TaskRef task = inner_.next(worker, view);
      if (task && task.runs_on(WorkerKind::hip)) last_.assign(1, task.access(0));
      return task;
    }
    void finished(TaskRef task, const Measured&, SchedulerView& view) override {
      if (!task.runs_on(WorkerKind::hip) && !last_.empty()) view.write_back(last_[0]);
    }
    bool watches_completions() const override { return true; }

   private:
    Asking inner_{Asks::nothing};
    std::vector<AccessRef> last_;
  };
  Config config = beside("1", Asks::nothing);
  config.policy = [] { return std::make_unique<OfAnother>(); };
  Runtime rt(config);
  auto y = rt.vector<double>(500, "y");
  std::atomic<bool> began = false, may_end = false;
  rt.submit(codelet("fill").cpu([](View<double> v) { std::fill(v.begin(), v.end(), 3.0); }), y.write()).wait();
  auto held = rt.submit(codelet("hold").cpu([&](View<double> v) {
    v[0] = 4.0;
    began = true;
    while (!may_end) std::this_thread::yield();
  }), y.readwrite());
  REQUIRE(comes_true([&] { return began.load(); }));
  rt.submit("on a core", [] {}).wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(rt.statistics().memory->from_device == Bytes(0));
  may_end = true;
  held.wait();
  rt.submit("on a core", [] {}).wait();
  CHECK(comes_true([&] { return rt.statistics().memory->from_device == Bytes(4000); }));
}

TEST_CASE("whatever a policy asks for and whenever, tasks compute the same, also when a device is lost") {
  for (const std::string emu : {"2:bw=1000 GB/s", "2:bw=2 GB/s,seed=5", "3:bw=1 GB/s,mem=400 kB", "3:bw=2 GB/s,mem=400 kB,lose=1@60",
                                "2:bw=1 GB/s,lose=0@30,lose=1@90"}) {
    INFO(emu);
    Runtime rt(beside(emu, Asks::at_random));
    constexpr std::size_t kData = 6, kSize = 5000;
    std::vector<std::vector<double>> lent(kData, std::vector<double>(kSize, 1.0));
    std::vector<double> expected(kData, 1.0);
    std::vector<Vector<double>> data;
    for (auto& values : lent) data.push_back(rt.data(values));
    test::Random random(7);
    const auto mix = codelet("mix").cpu([](View<const double> from, View<double> to) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = 0.5 * (to[i] + from[i]) + 1.0;
    });
    for (int i = 0; i < 300; ++i) {
      const std::size_t from = random.next() % kData, to = (from + 1 + random.next() % (kData - 1)) % kData;
      expected[to] = 0.5 * (expected[to] + expected[from]) + 1.0;
      if (random.next() % 4 == 0)
        rt.submit("mix on a core", [](View<const double> f, View<double> t) {
          for (std::size_t k = 0; k < t.size(); ++k) t[k] = 0.5 * (t[k] + f[k]) + 1.0;
        }, data[from].read(), data[to].readwrite());
      else
        rt.submit(mix, data[from].read(), data[to].readwrite());
    }
    rt.wait();
    for (std::size_t d = 0; d < kData; ++d)
      for (std::size_t k = 0; k < kSize; ++k) REQUIRE(lent[d][k] == expected[d]);
  }
}

TEST_CASE("in virtual time a copy home takes its time beside the tasks, and who needs it then finds it") {
  const auto run = [](Asks asks) {
    Config config = test::simulated_on("write_back", R"(
name = "write-back"
summary = "a device at the end of a slow bus"
[class.cpu]
kind = "cpu"
count = 1
memory = "dram"
[class.gpu]
kind = "hip"
count = 1
memory = "hbm"
[memory.dram]
[memory.hbm]
[[link]]
name = "bus"
between = ["dram", "hbm"]
bandwidth = "1 kB/s"
latency = "0 s"
)", "eager");
    config.policy = [asks] { return std::make_unique<Asking>(asks); };
    Runtime rt(config);
    auto x = rt.vector<double>(1000, "x"), y = rt.vector<double>(1, "y");
    const auto on_device = [](double seconds) {
      return codelet("device").hip([](HipStream, auto&&...) {}).cost([seconds](auto&&...) { return Work{.seconds = seconds, .gpu_seconds = seconds}; });
    };
    rt.submit(on_device(1.0), x.write());
    rt.submit(on_device(10.0), y.write());
    const auto on_core = codelet("core").cpu([](auto&&...) {}).cost([](auto&&...) { return Work{.seconds = 1.0}; });
    rt.submit(on_core, x.read(), y.read());
    rt.wait();
    CHECK(rt.simulation()->memory.from_device == Bytes(8008));
    return rt.simulation()->makespan.value;
  };
  // 1 s and 10 s on the device; 8 s for x on the bus, 0.008 s for y; 1 s on the core.
  CHECK(run(Asks::nothing) == Approx(1.0 + 10.0 + 8.008 + 1.0));
  CHECK(run(Asks::what_was_written) == Approx(1.0 + 10.0 + 0.008 + 1.0));
}

TEST_CASE("a datum is held while a task has it where its content is, and not by copies") {
  using test::MemoryTask;
  test::MemoryRig rig({0, 4, 4});
  auto &a = rig.datum(1, false), &token = rig.datum(0, false);
  const NodeId host(0), one(1), two(2);
  const MemoryTask write({{&a, AccessMode::write}}), update({{&a, AccessMode::readwrite}});
  rig.run(write, one);
  CHECK_FALSE(rig.manager.is_held(a));
  CHECK_FALSE(rig.manager.is_held(token));
  rig.acquire(update, one);
  CHECK(rig.manager.is_held(a));
  rig.manager.release(update, one);
  CHECK_FALSE(rig.manager.is_held(a));
  rig.manager.write_back(a);
  REQUIRE(rig.copies.size() == 1);
  CHECK_FALSE(rig.manager.is_held(a));
  rig.arrive_all();
  CHECK(rig.manager.holds(a, host));
  rig.acquire(write, two);  // its content is elsewhere, and what is copied from there is whole
  CHECK_FALSE(rig.manager.is_held(a));
}
