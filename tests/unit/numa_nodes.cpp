// NUMA domains as memory nodes: where codelets find their data, what is copied, and who runs what.
#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mitra/mitra.hpp>
#include <mitra/numa_driver.hpp>
#include <mitra/registry.hpp>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::Variable;

namespace {

/// Gives each task to the worker that its priority names.
class AsTold final : public SchedulingPolicy {
 public:
  void ready(TaskRef task, SchedulerView& view) override {
    const WorkerId worker(static_cast<std::uint32_t>(std::max(0, task.priority())));
    tasks_[worker].push_back(task);
    view.wake(worker);
  }
  TaskRef next(WorkerId worker, SchedulerView&) override {
    auto& mine = tasks_[worker];
    if (mine.empty()) return {};
    const TaskRef task = mine.front();
    mine.pop_front();
    return task;
  }

 private:
  std::map<WorkerId, std::deque<TaskRef>> tasks_;
};

/// A machine of one core a domain.
struct Domains {
  explicit Domains(unsigned count, bool told = true)
      : topology("HWLOC_SYNTHETIC", ("pack:" + std::to_string(count) + " numa:1(memory=1GB) core:1 pu:1").c_str()) {
    config = test::with_workers(count);
    config.numa = "nodes";
    if (told) config.policy = [] { return std::make_unique<AsTold>(); };
  }
  Variable topology, off{"HWLOC_THISSYSTEM", nullptr};
  Config config;
};

constexpr std::size_t kLength = 16384;  // numbers: 128 KiB
constexpr std::uint64_t kBytes = kLength * sizeof(double);

const auto kFill = codelet("fill").cpu([](View<double> x, double value) { std::fill(x.begin(), x.end(), value); });
const auto kAdd = codelet("add").cpu([](View<const double> x, View<double> y) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += x[i];
});

struct Refuses {
  template <class T> static T identity() { throw std::runtime_error("no identity"); }
  template <class T> T operator()(T a, T b) const { return a + b; }
};

std::uint64_t between_domains(const Runtime& rt) { return rt.statistics().memory->between_domains.value; }

}  // namespace

TEST_CASE("each further NUMA domain is a memory node, and its cores are near it") {
  const Variable topology("HWLOC_SYNTHETIC", "pack:4 numa:1(memory=1GB) core:2 pu:1"), off("HWLOC_THISSYSTEM", nullptr);
  Config config = test::with_workers(8);
  config.numa = "nodes";
  const Runtime rt(config);
  const Machine& machine = rt.machine();
  REQUIRE(machine.memory_nodes.size() == 4);
  CHECK(machine.memory_nodes[0].name == "host");
  CHECK(machine.memory_nodes[3].name == "numa3");
  CHECK(machine.memory_nodes[3].capacity.value > 800'000'000);
  CHECK(machine.memory_nodes[3].capacity.value < 1'000'000'000);
  for (std::uint32_t w = 0; w < 8; ++w) CHECK(machine.workers[w].node == NodeId(w / 2));
  // As in machine files: one class, whose workers have memories of their own. What was measured of "cpu" counts for all.
  REQUIRE(machine.classes.size() == 1);
  CHECK(machine.classes[0].name == "cpu");
  CHECK(machine.classes[0].node == NodeId(0));
  CHECK(places_of(machine).size() == 4);
}

TEST_CASE("with one NUMA domain, or workers in one alone, there is one memory, and a remark says so") {
  for (const char* synthetic : {"pack:1 numa:1 core:2 pu:1", "pack:2 numa:1 core:2 pu:1"}) {
    const Variable topology("HWLOC_SYNTHETIC", synthetic), off("HWLOC_THISSYSTEM", nullptr);
    Config config = test::with_workers(2);
    config.numa = "nodes";
    const Runtime rt(config);
    CHECK(rt.machine().memory_nodes.size() == 1);
    REQUIRE(rt.machine().remarks.size() == 1);
    CHECK_THAT(rt.machine().remarks[0], test::contains("numa=nodes: all workers are in one NUMA domain"));
    CHECK(!rt.statistics().memory);
  }
}

TEST_CASE("codelets work in the memory of their core's domain, and content is copied when it is needed elsewhere") {
  const Domains domains(2);
  Runtime rt(domains.config);
  auto own = rt.vector<double>(kLength, "own");
  rt.submit({.priority = 1}, kFill, own.write(), 3.0);
  rt.submit({.priority = 1}, kAdd, own.read(), own.readwrite());
  rt.wait();
  CHECK(between_domains(rt) == 0);  // it was written there, and is there
  std::vector<double> lent(kLength, 1.0);
  auto other = rt.vector(lent.data(), kLength, "lent");
  rt.submit({.priority = 1}, kAdd, own.read(), other.readwrite());  // `lent` comes
  rt.wait();                                                        // and goes home
  CHECK(between_domains(rt) == 2 * kBytes);
  CHECK(std::ranges::count(lent, 7.0) == kLength);
  rt.submit({.priority = 0}, kAdd, own.read(), other.readwrite());  // at home: `own` comes
  rt.wait();
  CHECK(between_domains(rt) == 3 * kBytes);
  CHECK(std::ranges::count(lent, 13.0) == kLength);
  rt.submit({.priority = 0}, kAdd, own.read(), other.readwrite());
  rt.submit({.priority = 1}, kFill, own.write(), 1.0);  // what is overwritten does not come
  rt.wait();
  CHECK(between_domains(rt) == 3 * kBytes);
  const auto memory = *rt.statistics().memory;
  CHECK(memory.to_device.value + memory.from_device.value + memory.between_devices.value + memory.to_storage.value == 0);
  REQUIRE(memory.peak.size() == 2);
  CHECK(memory.peak[1].first == "numa1");
  CHECK(memory.peak[1].second == Bytes(2 * kBytes));
}

TEST_CASE("content goes from domain to domain without a stop at home") {
  const Domains domains(3);
  Runtime rt(domains.config);
  auto x = rt.vector<double>(kLength, "x");
  rt.submit({.priority = 1}, kFill, x.write(), 2.0);
  rt.submit({.priority = 2}, kAdd, x.read(), x.readwrite());
  rt.wait();
  CHECK(between_domains(rt) == kBytes);
  const auto guard = rt.acquire(x.read());
  CHECK(std::ranges::count(guard.view(), 4.0) == kLength);
  CHECK(between_domains(rt) == 2 * kBytes);
}

TEST_CASE("functions work on the memory that they may know: at home, wherever they run") {
  const Domains domains(2);
  Runtime rt(domains.config);
  std::vector<double> lent(kLength, 1.0);
  auto x = rt.vector(lent.data(), kLength, "lent");
  const double* seen = nullptr;
  rt.submit({.priority = 1}, [&](View<double> v) {
    seen = v.data();
    lent[5] = 8.0;
  }, x.readwrite());
  rt.wait();
  CHECK(seen == lent.data());
  CHECK(between_domains(rt) == 0);
  rt.submit({.priority = 1}, kAdd, x.read(), x.readwrite());
  rt.submit({.priority = 1}, [&](View<const double> v) { seen = v.data() + (v[5] == 16.0 ? 0 : 1); }, x.read());
  rt.wait();
  CHECK(seen == lent.data());
  CHECK(rt.statistics().executed_by_worker[1] >= 2);
}

TEST_CASE("a tile has no gaps in a domain's memory, and those of the matrix stay") {
  const Domains domains(2);
  Runtime rt(domains.config);
  std::vector<double> values(10 * 7, -1.0);
  auto a = rt.matrix(values.data(), 6, 7, 10, "a");
  std::size_t ld = 0;
  const auto count = codelet("count").cpu([&](Tile<double> m) {
    ld = m.ld();
    for (std::size_t j = 0; j < m.cols(); ++j)
      for (std::size_t i = 0; i < m.rows(); ++i) m(i, j) = m(i, j) == -1.0 ? static_cast<double>(i + 10 * j) : -100.0;
  });
  rt.submit({.priority = 1}, count, a.readwrite());
  rt.wait();
  CHECK(ld == 6);
  for (std::size_t j = 0; j < 7; ++j)
    for (std::size_t i = 0; i < 10; ++i) CHECK(values[i + 10 * j] == (i < 6 ? static_cast<double>(i + 10 * j) : -1.0));
}

TEST_CASE("what has no room in its domain is run at home") {
  Domains domains(2);
  domains.config.memory = "numa1=300 KiB";  // two data
  Runtime rt(domains.config);
  std::vector<Vector<double>> data;
  for (int d = 0; d < 8; ++d) {
    data.push_back(rt.vector<double>(kLength, "block"));
    rt.submit({.priority = 1}, kFill, data.back().write(), static_cast<double>(d));
  }
  const auto sum = codelet("sum").cpu([](View<const double> x, View<const double> y, View<double> z) {
    for (std::size_t i = 0; i < z.size(); ++i) z[i] += x[i] + y[i];
  });
  rt.submit({.priority = 1}, kAdd, data[1].read(), data[0].readwrite());                   // fits
  rt.submit({.priority = 1}, sum, data[2].read(), data[3].read(), data[0].readwrite());    // does not
  rt.wait();
  CHECK(rt.statistics().executed == 10);
  CHECK(rt.statistics().executed_by_worker[1] >= 9);  // the core at home may have been quicker with what came there
  CHECK(rt.acquire(data[0].read()).view()[kLength - 1] == 6.0);
  for (std::size_t d = 1; d < 8; ++d) CHECK(rt.acquire(data[d].read()).view()[7] == static_cast<double>(d));
  const auto memory = *rt.statistics().memory;
  CHECK(memory.peak[1].second <= Bytes(300U << 10));
  CHECK(memory.evictions > 0);
}

TEST_CASE("a body that waits for its children goes on in its domain, with what they have written, though they found no room there") {
  Domains domains(2);
  domains.config.memory = "numa1=300 KiB";
  Runtime rt(domains.config);
  auto x = rt.vector<double>(kLength, "x"), y = rt.vector<double>(kLength, "y");
  double seen = 0.0;
  bool same_memory = false;
  const auto parent = codelet("parent").cpu([&](View<double> a, View<double> b) {
    const double* const before = a.data();
    std::fill(a.begin(), a.end(), 1.0);
    std::fill(b.begin(), b.end(), 2.0);
    auto own = rt.vector<double>(kLength, "own"), more = rt.vector<double>(kLength, "more");
    rt.submit({.priority = 0}, kAdd, x.read(), y.readwrite());    // at home: 3
    rt.submit({.priority = 1}, kFill, own.write(), 10.0);         // no room beside its parent's
    rt.submit({.priority = 1}, kFill, more.write(), 20.0);
    rt.submit({.priority = 1}, kAdd, own.read(), more.readwrite());
    rt.submit({.priority = 1}, kAdd, more.read(), y.readwrite());
    rt.wait();
    seen = b[kLength - 1];
    same_memory = before == a.data();
    b[0] = 5.0;
  });
  rt.submit({.priority = 1}, parent, x.readwrite(), y.readwrite());
  rt.wait();
  CHECK(seen == 33.0);
  CHECK(same_memory);
  const auto guard = rt.acquire(y.read());
  CHECK(guard.view()[0] == 5.0);
  CHECK(guard.view()[1] == 33.0);
}

TEST_CASE("a domain that is full of what cannot go home, where a parent holds its place, keeps nobody waiting") {
  Domains domains(2);
  domains.config.memory = "numa1=150 KiB";  // one datum
  Runtime rt(domains.config);
  auto x = rt.vector<double>(kLength, "x"), y = rt.vector<double>(kLength, "y");
  double seen = 0.0;
  const auto parent = codelet("parent").cpu([&](View<double> a, View<double> b) {
    rt.submit({.priority = 1}, kFill, x.write(), 1.0);
    rt.submit({.priority = 1}, kFill, y.write(), 2.0);
    rt.wait();
    seen = a[kLength - 1] + 10.0 * b[kLength - 1];
  });
  rt.submit({.priority = 0}, parent, x.readwrite(), y.readwrite());
  rt.submit({.priority = 1}, kAdd, x.read(), x.readwrite());
  rt.wait();
  CHECK(seen == 21.0);
  CHECK(rt.acquire(x.read()).view()[3] == 2.0);
}

TEST_CASE("a body that helps others, since the window is full, keeps none of them waiting for its memory") {
  Domains domains(2);
  domains.config.memory = "numa1=150 KiB";  // one datum
  domains.config.window = 2;
  Runtime rt(domains.config);
  auto x = rt.vector<double>(kLength, "x"), y = rt.vector<double>(kLength, "y");
  rt.submit({.priority = 1}, kFill, x.write(), 1.0);
  rt.submit("touch", [](View<double> v) { v[3] = 1.0; }, y.write());
  rt.wait();
  test::Gate submitted;
  const auto holder = codelet("holder").cpu([&](View<const double>) {
    submitted.pass();
    rt.submit({.priority = 1}, [] {});  // before this, it helps
  });
  rt.submit({.priority = 1}, holder, x.read());
  rt.submit({.priority = 1}, [&](View<double>) {
    rt.submit({.priority = 1}, kFill, y.write(), 2.0);  // its domain is full of x
    rt.wait();
  }, y.readwrite());
  submitted.open();
  rt.wait();
  CHECK(rt.acquire(y.read()).view()[3] == 2.0);
}

TEST_CASE("reductions and scratch of cores in all domains") {
  const Domains domains(3);
  Runtime rt(domains.config);
  double total = 1.0;
  auto sum = rt.data(total, "sum");
  auto scratch = rt.scratch<double>(100, "scratch");
  auto x = rt.vector<double>(kLength, "x");
  rt.submit({.priority = 2}, kFill, x.write(), 2.0);
  const auto contribute = codelet("contribute").cpu([](View<const double> v, View<double> s, double& r) {
    std::fill(s.begin(), s.end(), v[3]);
    r += s[99];
  });
  for (int i = 0; i < 30; ++i) rt.submit({.priority = i % 3}, contribute, x.read(), scratch.scratch(), sum.reduce(Sum{}));
  rt.wait();
  CHECK(total == 61.0);
}

TEST_CASE("an identity that throws fails the task, in a domain's memory, too") {
  const Domains domains(2);
  Runtime rt(domains.config);
  double total = 1.0;
  auto sum = rt.data(total, "sum");
  auto x = rt.vector<double>(kLength, "x");
  rt.submit({.priority = 1}, kFill, x.write(), 2.0);
  rt.submit({.priority = 1}, codelet("contribute").cpu([](View<const double>, double& r) { r += 1.0; }), x.read(), sum.reduce(Refuses{}));
  CHECK_THROWS_WITH(rt.wait(), test::contains("contribute") && test::contains("no identity"));
  rt.submit({.priority = 1}, kAdd, x.read(), x.readwrite());  // its data are held by nobody
  rt.wait();
  CHECK(rt.acquire(x.read()).view()[0] == 4.0);
}

TEST_CASE("devices copy from a domain's memory and to it, as from the host's") {
  Domains domains(2);
  domains.config.emu = "1:bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
  Runtime rt(domains.config);
  REQUIRE(rt.machine().memory_nodes.size() == 3);
  CHECK(rt.machine().memory_nodes[2].name == "emu0");
  auto x = rt.vector<double>(kLength, "x");
  rt.submit({.priority = 1}, kFill, x.write(), 2.0);
  rt.submit({.priority = 2}, kAdd, x.read(), x.readwrite());  // on the device
  rt.submit({.priority = 1}, kAdd, x.read(), x.readwrite());
  rt.wait();
  CHECK(rt.acquire(x.read()).view()[kLength - 1] == 8.0);
  const auto memory = *rt.statistics().memory;
  CHECK(memory.to_device == Bytes(kBytes));
  CHECK(memory.from_device == Bytes(kBytes));
  CHECK(memory.between_domains == Bytes(kBytes));  // home, for the guard
  CHECK(rt.statistics().executed_by_worker[2] == 1);
}

TEST_CASE("a full domain and a full host: data go to the directory, and come back") {
  Domains domains(2, false);
  domains.config.scheduler = "eager";
  domains.config.spill = std::filesystem::temp_directory_path().string();
  domains.config.memory = "host=400 KiB,numa1=400 KiB";
  Runtime rt(domains.config);
  std::vector<Vector<double>> data;
  for (int d = 0; d < 24; ++d) {
    data.push_back(rt.vector<double>(kLength, "block"));
    rt.submit(kFill, data.back().write(), static_cast<double>(d));
  }
  for (int round = 0; round < 3; ++round)
    for (std::size_t d = 0; d < 24; ++d) rt.submit(kAdd, data[(d + 7) % 24].read(), data[d].readwrite());
  rt.wait();
  std::vector<double> expected(24);
  std::iota(expected.begin(), expected.end(), 0.0);
  for (int round = 0; round < 3; ++round)
    for (std::size_t d = 0; d < 24; ++d) expected[d] += expected[(d + 7) % 24];
  for (std::size_t d = 0; d < 24; ++d) CHECK(rt.acquire(data[d].read()).view()[kLength / 2] == expected[d]);
  CHECK(rt.statistics().memory->to_storage > Bytes(10 * kBytes));
}

TEST_CASE("a domain that there is not is an error") {
  const Variable topology("HWLOC_SYNTHETIC", "pack:2 numa:1 core:1 pu:1"), off("HWLOC_THISSYSTEM", nullptr);
  NumaOptions options;
  options.domains = {1, 2};
  CHECK_THROWS_WITH(make_numa_driver(options), test::contains("there is no NUMA domain 2; this machine has 2"));
}
