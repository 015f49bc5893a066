// Recorded graphs on data in parts: transitions are nodes, and a replay takes a tree where it is and leaves it in order.
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/machines.hpp"
#include "support/only_on.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {

void add(View<double> v, double value) {
  for (double& e : v) e += value;
}
void twice(View<double> v) {
  for (double& e : v) e *= 2.0;
}

const auto kAdd = codelet("add").cpu([](View<double> v, double a) { add(v, a); });
const auto kTwice = codelet("twice").cpu(twice);

}  // namespace

TEST_CASE("a recording on one level has no transitions, nor has its replay on that level") {
  Runtime rt(with_workers(3));
  std::vector<double> values(12, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(4);
  const RecordedGraph graph = rt.record([&] {
    for (int i = 0; i < 3; ++i) rt.submit("add", add, B(i).readwrite(), 1.0);
  });
  CHECK(graph.size() == 3);
  CHECK(graph.edge_count() == 0);
  for (int i = 0; i < 4; ++i) rt.replay(graph);
  rt.wait();
  CHECK(rt.statistics().transitions == 0);
  CHECK(values[11] == 5.0);
  // Now from the other level, and back to it.
  rt.submit("whole", twice, x.readwrite());
  rt.replay(graph);
  rt.submit("whole", twice, x.readwrite());
  rt.wait();
  CHECK(values[11] == 22.0);
  CHECK(values[0] == 22.0);
  CHECK(rt.statistics().transitions == 3);
}

TEST_CASE("a recording with both levels has transitions as nodes, wherever a replay finds the tree") {
  for (const unsigned workers : {1U, 4U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> values(12, 1.0);
    auto x = rt.data(values, "x");
    auto B = x.blocked(4);
    auto fine = B(1).blocked(2);
    auto W = x.windows(6, 1);
    double seen = 0.0;
    auto s = rt.data(seen, "seen");
    const RecordedGraph graph = rt.record([&] {
      for (int i = 0; i < 3; ++i) rt.submit("add", add, B(i).readwrite(), 1.0);
      rt.submit("fine", add, fine(0).readwrite(), 0.0);
      rt.submit("window", [](View<const double> v, double& out) { out += v[0]; }, W(1).read(), s.readwrite());
      rt.submit("whole", twice, x.readwrite());
      for (int i = 0; i < 3; ++i) rt.submit("add", add, B(i).readwrite(), -1.0);
    });
    CHECK(graph.size() > 9);
    double expected = 1.0, sum = 0.0;
    const auto once = [&](double before) {
      sum += before + 1.0;
      return (before + 1.0) * 2.0 - 1.0;
    };
    rt.replay(graph);
    rt.replay(graph);
    expected = once(once(expected));
    rt.submit("fine", add, fine(1).readwrite(), 0.0);
    rt.replay(graph);
    expected = once(expected);
    rt.submit("whole", twice, x.readwrite());
    expected *= 2.0;
    rt.replay(graph);
    expected = once(expected);
    rt.submit("window", [](View<const double>) {}, W(0).read());
    rt.submit("other", add, x.blocked(3)(2).readwrite(), 0.0);  // cut after the recording
    rt.replay(graph);
    expected = once(expected);
    B(0).blocked(1);
    rt.submit("cut later", add, B(0).blocked(1)(3).readwrite(), 0.0);
    rt.replay(graph);
    expected = once(expected);
    rt.submit("last", [&](View<const double> v) {
      for (const double e : v) CHECK(e == expected);
    }, x.read());
    rt.wait();
    CHECK(seen == sum);
  }
}

TEST_CASE("a recording that cuts what it has used in one piece knows so") {
  Runtime rt(with_workers(2));
  std::vector<double> values(8, 1.0);
  auto x = rt.data(values, "x");
  const RecordedGraph graph = rt.record([&] {
    rt.submit("whole", add, x.readwrite(), 1.0);
    rt.submit("part", add, x.blocked(4)(1).readwrite(), 1.0);
    rt.submit("whole", twice, x.readwrite());
  });
  rt.submit("part", add, x.blocked(4)(0).readwrite(), 1.0);
  rt.replay(graph);
  rt.replay(graph);
  rt.wait();
  CHECK(values[0] == 14.0);  // ((1 + 1 + 1) * 2 + 1) * 2
  CHECK(values[7] == 16.0);  // ((1 + 1 + 1) * 2 + 1 + 1) * 2
}

TEST_CASE("a body replays a graph on the parts of what its task has declared") {
  for (const unsigned workers : {1U, 4U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> values(8, 1.0);
    auto x = rt.data(values, "x");
    auto B = x.blocked(4);
    const RecordedGraph graph = rt.record([&] {
      rt.submit("part", add, B(1).readwrite(), 1.0);
      rt.submit("finer", twice, B(1).blocked(2)(0).readwrite());
      rt.submit("finer", twice, B(1).blocked(2)(1).readwrite());
    });
    rt.submit("parent", [&](View<double>) { rt.replay(graph); rt.replay(graph); }, B(1).readwrite());
    rt.submit("whole", add, x.readwrite(), 1.0);
    rt.wait();
    CHECK(values[0] == 2.0);
    CHECK(values[7] == 11.0);
  }
}

TEST_CASE("a replay that is cancelled leaves its trees where the levels say, and what it did not write as it was") {
  for (const bool simulated : {false, true}) {
    Config config;
    if (simulated) {
      config.backend = "sim";
      config.machine = test::machine_of_small_memories();
      config.unknown = Seconds(0.001);
      config.execute = true;
    } else {
      config = with_workers(2);
      config.emu = "1:mem=100 kB,bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
      config.policy = [] { return std::make_unique<test::OnlyOn>(WorkerKind::hip); };
    }
    Runtime rt(config);
    std::vector<double> values(6, 1.0);
    auto x = rt.data(values, "x");
    auto B = x.blocked(2);
    auto fine = B(1).blocked(1);
    double shared = 0.0;
    auto s = rt.data(shared, "s");
    const RecordedGraph graph = rt.record([&] {
      rt.submit(kTwice, x.readwrite());
      rt.submit(kAdd, fine(0).readwrite(), 1.0);
      rt.submit("after", [](double) {}, s.read());
    });
    rt.submit(kAdd, x.readwrite(), 1.0);
    test::Gate submitted;
    rt.submit("fails", [&](double&) {
      submitted.pass();
      throw std::runtime_error("on purpose");
    }, s.readwrite());
    const Task cancelled = rt.replay(graph);
    submitted.open();
    CHECK_THROWS_AS(cancelled.wait(), TaskError);
    CHECK(cancelled.status() == TaskStatus::cancelled);
    CHECK_THROWS_AS(rt.wait(), TaskError);
    rt.submit(kAdd, fine(1).readwrite(), 1.0);  // as the replay would have left it
    rt.submit(kTwice, B(0).readwrite());
    rt.wait();
    CHECK(values == std::vector<double>{4, 4, 2, 3, 2, 2});
    rt.replay(graph);
    rt.wait();
    CHECK(values == std::vector<double>{8, 8, 5, 6, 4, 4});
  }
}
