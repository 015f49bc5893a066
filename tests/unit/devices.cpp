// Live runs beside emulated devices: content is right wherever it was written, memories are never overfull, and what
// cannot be is said.
#include <atomic>
#include <cstring>
#include <chrono>
#include <ctime>
#include <mitra/emu_driver.hpp>
#include <mitra/mitra.hpp>
#include <mitra/scheduling_policy.hpp>
#include <thread>
#include <vector>

#include "engine/devices/device_set.hpp"
#include "support/catch.hpp"
#include "support/only_on.hpp"
#include "support/runtimes.hpp"

using namespace mitra;

namespace {

Config beside(const std::string& emu, const std::string& policy = "eager", unsigned workers = 2) {
  Config config = test::with_workers(workers, policy);
  config.emu = emu + (emu.find(':') == std::string::npos ? ":" : ",") + "bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
  return config;
}

Config only_on_devices(const std::string& emu) {
  Config config = beside(emu);
  config.policy = [] { return std::make_unique<test::OnlyOn>(WorkerKind::hip); };
  return config;
}

const auto kAdd = codelet("add").cpu([](View<double> x, double a) {
  for (double& v : x) v += a;
});
const auto kCopy = codelet("copy").cpu([](View<const double> x, View<double> y) {
  std::copy(x.begin(), x.end(), y.begin());
});

}  // namespace

TEST_CASE("a policy that keeps a task for one worker, and wakes nobody, keeps nobody waiting") {
  /// What has priority is for the device, everything else for the last core.
  class ForOne final : public SchedulingPolicy {
   public:
    void ready(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
    TaskRef next(WorkerId worker, SchedulerView&) override {
      if (tasks_.empty() || worker != WorkerId(tasks_.back().priority() > 0 ? 3 : 2)) return {};
      const TaskRef task = tasks_.back();
      tasks_.pop_back();
      return task;
    }

   private:
    std::vector<TaskRef> tasks_;
  };
  Config config = beside("1:mem=1 MB");
  config.workers = 3;
  config.policy = [] { return std::make_unique<ForOne>(); };
  Runtime rt(config);
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  std::atomic<int> runs{0};
  for (int i = 0; i < 10; ++i) {
    // Meanwhile all cores fall asleep, and one of them is woken for what follows.
    rt.submit({.name = "long", .priority = 1}, [](View<double>) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }, x.readwrite());
    rt.submit("short", [&runs](View<double>) { ++runs; }, x.readwrite());
    rt.wait();
  }
  CHECK(runs == 10);
}

TEST_CASE("devices are workers of a class of their own, with a memory each") {
  Runtime rt(beside("3:mem=1 MB"));
  const Machine& machine = rt.machine();
  REQUIRE(machine.classes.size() == 2);
  CHECK(machine.classes[1].name == "emu");
  CHECK(machine.classes[1].kind == WorkerKind::hip);
  CHECK(machine.classes[1].workers.size() == 3);
  REQUIRE(machine.memory_nodes.size() == 4);
  CHECK(machine.memory_nodes[2].name == "emu1");
  CHECK(machine.memory_nodes[3].capacity == Bytes(1'000'000));
  CHECK(machine.workers[machine.classes[1].workers[2].index()].node == NodeId(3));
}

TEST_CASE("what a device writes is there for cores, for acquire, and for the application after a wait") {
  Runtime rt(only_on_devices("2"));
  std::vector<double> x(1000, 1.0);
  auto X = rt.data(x, "x");
  std::atomic<bool> on_device = false;
  rt.submit(codelet("where").cpu([&](View<double> v) {
    on_device = v.data() != x.data();
    for (double& e : v) e += 1.0;
  }), X.readwrite());
  double seen = 0.0;
  rt.submit("on a core", [&](View<const double> v) { seen = v[999]; }, X.read());
  rt.submit(kAdd, X.readwrite(), 2.0);
  {
    const auto guard = rt.acquire(X.read());
    CHECK(guard.view()[0] == 4.0);
  }
  rt.submit(kAdd, X.readwrite(), 3.0);
  rt.wait();
  CHECK(on_device);
  CHECK(seen == 2.0);
  CHECK(x[0] == 7.0);
  x[0] = 10.0;  // the application's, after a wait
  rt.submit(kAdd, X.readwrite(), 1.0);
  rt.wait();
  CHECK(x[0] == 11.0);
}

TEST_CASE("a handle that dies brings lent memory home") {
  Runtime rt(only_on_devices("1"));
  std::vector<double> x(100, 1.0);
  {
    auto X = rt.data(x);
    rt.submit(kAdd, X.readwrite(), 1.0);
  }
  CHECK(x[99] == 2.0);
}

TEST_CASE("a replica is packed: tiles of a lent matrix have another leading dimension on a device") {
  Runtime rt(only_on_devices("2:mem=3000 B"));
  constexpr std::size_t n = 20, nb = 7;
  std::vector<double> a(n * n);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i);
  std::atomic<int> wrong = 0;
  {
    auto A = rt.tiled(a.data(), n, n, n, nb, nb, "A");
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j)
        rt.submit(codelet("negate").cpu([&](Tile<double> t, std::size_t row, std::size_t column) {
          wrong += t.ld() != t.rows();
          for (std::size_t c = 0; c < t.cols(); ++c)
            for (std::size_t r = 0; r < t.rows(); ++r) {
              wrong += t(r, c) != static_cast<double>(row + r + (column + c) * n);
              t(r, c) = -t(r, c);
            }
        }), A(i, j).readwrite(), i * nb, j * nb);
    rt.wait();
  }
  CHECK(wrong == 0);
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == -static_cast<double>(i));
}

TEST_CASE("what is only written is not fetched, and what nobody has written comes from nowhere") {
  Runtime rt(only_on_devices("1"));
  std::vector<double> x(1000, 1.0);
  auto X = rt.data(x), Y = rt.vector<double>(1000, "y");
  rt.submit(codelet("fill").cpu([](View<double> v) { std::fill(v.begin(), v.end(), 3.0); }), X.write());
  rt.submit(kAdd, Y.readwrite(), 0.0);
  rt.wait(Y);
  CHECK(rt.statistics().memory->to_device == Bytes(0));
  rt.submit(kCopy, X.read(), Y.write());
  CHECK(rt.acquire(Y.read()).view()[7] == 3.0);
}

TEST_CASE("memory for one working set is enough, and what is pushed out comes back") {
  for (const char* policy : {"eager", "dmdas", "darts", "locality_ws"}) {
    INFO(policy);
    Runtime rt(beside("2:mem=2400 B", policy));
    std::vector<std::vector<double>> data(12, std::vector<double>(100, 0.0));  // 800 bytes each: three have room
    std::vector<Vector<double>> handles;
    for (auto& d : data) handles.push_back(rt.data(d));
    for (int round = 0; round < 10; ++round)
      for (std::size_t i = 0; i < handles.size(); ++i)
        rt.submit(codelet("sum").cpu([](View<const double> a, View<const double> b, View<double> c) {
          for (std::size_t k = 0; k < c.size(); ++k) c[k] += a[k] + b[k] + 1.0;
        }), handles[(i + 1) % 12].read(), handles[(i + 5) % 12].read(), handles[i].readwrite());
    rt.wait();
    std::vector<double> expected(12, 0.0);
    for (int round = 0; round < 10; ++round)
      for (std::size_t i = 0; i < 12; ++i) expected[i] += expected[(i + 1) % 12] + expected[(i + 5) % 12] + 1.0;
    for (std::size_t i = 0; i < 12; ++i) CHECK(data[i][50] == expected[i]);
    for (std::size_t n = 1; n < 3; ++n) CHECK(rt.statistics().memory->peak[n].second <= Bytes(2400));
  }
}

TEST_CASE("what leaves a full device goes home where a parent that waits holds its place, too") {
  Config config = only_on_devices("1:mem=1 kB");
  Runtime rt(config);
  auto x = rt.vector<double>(100, "x"), y = rt.vector<double>(100, "y");  // room for one of them
  double seen = 0.0;
  const auto fill = codelet("fill").cpu([](View<double> v, double value) { std::fill(v.begin(), v.end(), value); });
  rt.submit("parent", [&](View<double> a, View<double> b) {
    for (int i = 0; i < 3; ++i) {
      rt.submit(fill, x.write(), 1.0 + i);
      rt.submit(fill, y.write(), 10.0 + i);
    }
    rt.wait();
    seen = a[99] + 100.0 * b[0];
  }, x.readwrite(), y.readwrite());
  rt.wait();
  CHECK(seen == 1203.0);
  CHECK(rt.statistics().executed_by_worker[2] == 6);
}

TEST_CASE("what can never fit is refused at submission, with the sizes, and what fits the memory of a core runs there") {
  Runtime rt(only_on_devices("2:mem=800 B"));
  std::vector<double> x(200, 1.0);
  auto X = rt.data(x, "x");
  rt.submit(kAdd, X.readwrite(), 1.0);  // 1600 bytes: on a core
  rt.wait();
  CHECK(x[0] == 2.0);
  const auto gpu_only = codelet("gpu_only").hip([](HipStream, View<double>) {});
  CHECK_THROWS_AS(rt.submit(gpu_only, X.readwrite()), SubmitError);  // emulated devices run CPU bodies
}

TEST_CASE("reductions are folded from devices and cores alike") {
  for (const char* policy : {"eager", "random", "locality_ws"}) {
    Runtime rt(beside("3:mem=4000 B", policy));
    std::vector<double> sums(50, 1.0);
    auto S = rt.data(sums, "sums");
    for (int round = 0; round < 3; ++round) {
      for (int i = 1; i <= 40; ++i)
        rt.submit(codelet("add one").cpu([](View<double> s) {
          for (double& v : s) v += 1.0;
        }), S.reduce(Sum{}));
      rt.submit(kAdd, S.readwrite(), 10.0);
    }
    rt.wait();
    CHECK(sums[0] == 1.0 + 3 * 50.0);
    CHECK(sums[49] == sums[0]);
  }
}

TEST_CASE("a body that only writes sees, after it has waited, what its child has written on a device") {
  Runtime rt(only_on_devices("1"));
  std::vector<double> x(100, 0.0);
  auto X = rt.data(x, "x");
  double seen = 0.0;
  rt.submit("parent", [&](View<double> v) {
    std::fill(v.begin(), v.end(), 1.0);
    rt.submit(kAdd, X.readwrite(), 2.0);
    rt.wait();
    seen = v[50];
    v[50] = 7.0;
  }, X.write());
  rt.wait();
  CHECK(seen == 3.0);
  CHECK(x[50] == 7.0);
  CHECK(x[0] == 3.0);
}

TEST_CASE("content that is made again waits for older content that is still being copied from its place") {
  /// Tasks with priority are for the first device, the others for the second one, which gets the input of all of them.
  class Overtakes final : public SchedulingPolicy {
   public:
    void ready(TaskRef task, SchedulerView& view) override {
      view.prefetch(task, NodeId(2));
      tasks_.push_back(task);
    }
    TaskRef next(WorkerId worker, SchedulerView& view) override {
      for (std::size_t i = 0; i < tasks_.size(); ++i) {
        const TaskRef task = tasks_[i];
        if (view.machine().workers[worker.index()].node != NodeId(task.priority() > 0 ? 1 : 2)) continue;
        tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(i));
        return task;
      }
      return {};
    }

   private:
    std::vector<TaskRef> tasks_;
  };
  for (const int call : {4, 5}) {  // the second task's: its allocation, its copy
    Config config = test::with_workers(1);
    config.emu = detail::message("2:mem=1 MB,bw=1000 GB/s,latency=50 ms,speed=0.01,poison=1,lose=0@", call);
    config.policy = [] { return std::make_unique<Overtakes>(); };
    Runtime rt(config);
    std::vector<double> x(100, 1.0), y(100, 2.0), z(100, 3.0);
    auto X = rt.data(x, "x"), Y = rt.data(y, "y"), Z = rt.data(z, "z");
    auto order = rt.token("order");
    rt.submit({.name = "before it on the way to the second device"}, kAdd, Y.readwrite(), 1.0);
    rt.submit({.name = "written", .priority = 1}, codelet("add").cpu([](View<double> v) {
      for (double& e : v) e += 5.0;
    }), X.readwrite(), order.write());
    rt.submit({.name = "lost", .priority = 1}, codelet("add").cpu([](View<double> v) {
      for (double& e : v) e += 7.0;
    }), Z.readwrite(), order.read());
    rt.wait();
    CHECK(rt.statistics().lost_devices == 1);
    CHECK(x == std::vector<double>(100, 6.0));
    CHECK(y == std::vector<double>(100, 3.0));
    CHECK(z == std::vector<double>(100, 10.0));
  }
}

TEST_CASE("a Runtime may end while copies are under way for which nobody waits") {
  /// Brings the input to the second device, too, where nobody needs it.
  class Prefetches final : public SchedulingPolicy {
   public:
    void ready(TaskRef task, SchedulerView& view) override {
      view.prefetch(task, NodeId(2));
      tasks_.push_back(task);
    }
    TaskRef next(WorkerId worker, SchedulerView&) override {
      if (worker != WorkerId(0) || tasks_.empty()) return {};
      const TaskRef task = tasks_.back();
      tasks_.pop_back();
      return task;
    }

   private:
    std::vector<TaskRef> tasks_;
  };
  Config config = test::with_workers(1, "eager");
  config.emu = "2:bw=20 MB/s,latency=0 s,speed=0.01,poison=1";  // 50 ms a copy
  config.policy = [] { return std::make_unique<Prefetches>(); };
  std::vector<double> x(125'000, 1.0);
  double sum = 0.0;
  {
    Runtime rt(config);
    auto X = rt.data(x);
    rt.submit("sum", [&](View<const double> v) { sum = v[0] + v[1]; }, X.read());
    rt.wait();
  }
  CHECK(sum == 2.0);
}

TEST_CASE("a recorded graph runs beside devices") {
  Runtime rt(only_on_devices("2:mem=1700 B"));
  std::vector<double> x(100, 0.0), y(100, 0.0);
  auto X = rt.data(x), Y = rt.data(y);
  const RecordedGraph graph = rt.record([&] {
    rt.submit(kAdd, X.readwrite(), 1.0);
    rt.submit(kCopy, X.read(), Y.write());
    rt.submit(kAdd, Y.readwrite(), 5.0);
  });
  for (int i = 0; i < 5; ++i) rt.replay(graph);
  rt.wait();
  CHECK(x[3] == 5.0);
  CHECK(y[3] == 10.0);
}

TEST_CASE("a body that throws on a device fails its task, and what follows it, and nothing else") {
  Runtime rt(only_on_devices("1"));
  std::vector<double> x(10, 0.0), y(10, 0.0);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y");
  rt.submit(codelet("throws").cpu([](View<double>) { throw std::runtime_error("no"); }), X.readwrite());
  rt.submit(kAdd, X.readwrite(), 1.0);
  rt.submit(kAdd, Y.readwrite(), 1.0);
  CHECK_THROWS_AS(rt.wait(), TaskError);
  CHECK(x[0] == 0.0);
  CHECK(y[0] == 1.0);
}

TEST_CASE("a device that has less memory than it says is used as far as it has") {
  Config config = only_on_devices("1:mem=8000 B,oom=0@3,oom=0@4,oom=0@5,oom=0@6,oom=0@9");
  Runtime rt(config);
  std::vector<std::vector<double>> data(10, std::vector<double>(100, 0.0));
  std::vector<Vector<double>> handles;
  for (auto& d : data) handles.push_back(rt.data(d));
  for (int i = 0; i < 50; ++i) rt.submit(kAdd, handles[static_cast<std::size_t>(i) % 10].readwrite(), 1.0);
  rt.wait();
  for (const auto& d : data) CHECK(d[0] == 5.0);
}

TEST_CASE("a launch that fails is a failed task with the driver's words") {
  Runtime rt(only_on_devices("1:fail=0@3"));  // allocate, copy, launch
  std::vector<double> x(10, 0.0);
  auto X = rt.data(x, "x");
  rt.submit(kAdd, X.readwrite(), 1.0);
  CHECK_THROWS_WITH(rt.wait(), Catch::Contains("fails at call 3"));
  rt.submit(kAdd, X.write(), 0.0);
  rt.wait();  // and the device works on
}

TEST_CASE("wait() says what could not be brought to the application's memory") {
  // Calls: allocate, copy, launch; the fourth brings the result home.
  const auto run = [](const char* emu, bool recovery) {
    Config config = only_on_devices(emu);
    config.recovery = recovery;
    Runtime rt(config);
    std::vector<double> x(10, 1.0);
    auto X = rt.data(x, "x");
    rt.submit(codelet("twice").cpu([](View<double> v) {
      for (double& value : v) value *= 2.0;
    }), X.readwrite());
    rt.wait();
    CHECK(x[0] == 2.0);
  };
  run("1", false);
  run("1:lose=0@4", true);
  CHECK_THROWS_WITH(run("1:lose=0@4", false), test::contains("wait(): ") && test::contains("'x'") && test::contains("lost"));
  CHECK_THROWS_WITH(run("1:fail=0@4,fail=0@5,fail=0@6", true), test::contains("wait(): ") && test::contains("could not be copied"));
  run("1:fail=0@4,fail=0@5", true);  // the third attempt succeeds
}

TEST_CASE("wait() says in one message what has failed and what could not be brought home") {
  Config config = only_on_devices("1:fail=0@4,fail=0@5,fail=0@6");
  Runtime rt(config);
  std::vector<double> x(10, 1.0);
  auto X = rt.data(x, "x");
  rt.submit(kAdd, X.readwrite(), 1.0);
  rt.submit("fails", [] { throw std::runtime_error("on purpose"); });
  try {
    rt.wait();
    FAIL("nothing was thrown");
  } catch (const TaskError& error) {
    CHECK(error.name == "fails");
    CHECK_THAT(error.what(), test::contains("on purpose") && test::contains("'x'") && test::contains("could not be copied"));
  }
}

TEST_CASE("what wait() could not bring home, the next one brings") {
  Config config = only_on_devices("1:fail=0@4,fail=0@5,fail=0@6");
  Runtime rt(config);
  std::vector<double> x(10, 1.0);
  auto X = rt.data(x, "x");
  rt.submit(kAdd, X.readwrite(), 1.0);
  CHECK_THROWS_WITH(rt.wait(), test::contains("could not be copied"));
  rt.wait();
  CHECK(x[0] == 2.0);
}

TEST_CASE("GPUs that there are not are a remark, or an error where they were asked for") {
  Config config;
  config.hip = "auto";
  {
    const Runtime rt(config);
    bool gpus = false;
    for (const WorkerClass& c : rt.machine().classes) gpus |= c.kind == WorkerKind::hip;
    if (gpus) return;
    REQUIRE(rt.machine().remarks.size() == 1);
    CHECK_THAT(rt.machine().remarks[0], test::contains("HIP: no GPU is used, "));
  }
  const auto refusal = [&](const char* hip, const char* emu) {
    config.hip = hip;
    config.emu = emu;
    Runtime rt(config);
  };
  CHECK_THROWS_WITH(refusal("on", ""), test::contains("MITRA_HIP=on: HIP: no GPU is used, "));
  CHECK_THROWS_WITH(refusal("on", "1"), test::contains("do not go together"));
  CHECK_THROWS_WITH(refusal("maybe", ""), test::contains("MITRA_HIP=maybe: auto, on or off"));
  config.hip = "off";
  config.emu.clear();
  CHECK(Runtime(config).machine().remarks.empty());
}

TEST_CASE("what MITRA_HIP says reaches the driver of GPUs") {
  using engine::parse_hip;
  CHECK(parse_hip("auto").mode == "auto");
  CHECK(parse_hip("auto").options.blas == "auto");
  CHECK(parse_hip("on:blas=off").mode == "on");
  CHECK(parse_hip("on:blas=off").options.blas == "off");
  CHECK(parse_hip("auto:blas=/opt/rocm/lib/librocblas.so.4").options.blas == "/opt/rocm/lib/librocblas.so.4");
  CHECK_THROWS_WITH(parse_hip("auto:blas=maybe"), test::contains("blas=maybe: auto, off or the path of librocblas.so is expected"));
  CHECK_THROWS_WITH(parse_hip("auto:blas"), test::contains("blas=: auto, off or"));
  CHECK_THROWS_WITH(parse_hip("auto:bals=off"), test::contains("unknown setting 'bals' of GPUs; known: blas"));
  CHECK_THROWS_WITH(parse_hip("blas=off"), test::contains("MITRA_HIP=blas=off: auto, on or off"));
}

TEST_CASE("settings of emulated devices that cannot be are refused by name") {
  const auto message = [](const std::string& emu) -> std::string {
    Config config;
    config.emu = emu;
    try {
      Runtime rt(config);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(message("x"), Catch::Contains("a number is expected"));
  CHECK_THAT(message("2:mem=lots"), Catch::Contains("an amount of memory"));
  CHECK_THAT(message("2:color=red"), Catch::Contains("known: mem, bw"));
  CHECK_THAT(message("0:mem=1 MB"), Catch::Contains("1 to 64"));
  CHECK_THAT(message("1:slow=0.5"), Catch::Contains("slow=0.5; 1 to 1000"));
  CHECK_THAT(message("1:lose=3"), Catch::Contains("DEVICE@CALL"));
  CHECK_THAT(message("2:lose=2@1"), Catch::Contains("a fault of device 2, of 2 devices"));
}

TEST_CASE("time on emulated devices is stretched by what is asked for, or by what the processors lack") {
  const auto stretch_of = [](const char* emu, unsigned processors) { return stretch(parse_emu_options(emu, processors)); };
  CHECK(stretch_of("2", 2).on_device == 1.0);
  CHECK(stretch_of("4:streams=2", 2).on_device == 4.0);
  CHECK(stretch_of("4:streams=2,slow=3", 2).on_device == 4.0);
  CHECK(stretch_of("1:slow=3,speed=20", 2).on_device == 3.0);
  CHECK(stretch_of("1:slow=3,speed=20", 2).on_core == 60.0);
}

TEST_CASE("a slow device runs a body for so many times as long as it takes") {
  Config config = only_on_devices("1:mem=1 MB,slow=8");
  Runtime rt(config);
  auto x = rt.vector<double>(1000, "x");
  double used = 0.0;  // s of a processor
  const auto work = codelet("work").cpu([&](View<double> v) {
    const auto processor = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
    const double begin = processor();
    while (processor() - begin < 0.01) v[0] += 1.0;
    used += processor() - begin;
  });
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) rt.submit(work, x.readwrite());
  rt.wait();
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > 3.0 * used);  // the process's other threads count, too
}

TEST_CASE("memories can be limited by name and by class") {
  Config config = beside("2:mem=1 MB");
  config.memory = "emu=5000 B,emu1=3000 B";
  Runtime rt(config);
  CHECK(rt.machine().memory_nodes[1].capacity == Bytes(5000));
  CHECK(rt.machine().memory_nodes[2].capacity == Bytes(3000));
  config.memory = "hbm=1 GB";
  CHECK_THROWS_WITH(Runtime(config), Catch::Contains("known: host, emu0, emu1"));
}
