// Recorded graphs: what record() stores, and what each replay does.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mitra/mitra.hpp>
#include <optional>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::foreseeable;
using test::with_workers;

TEST_CASE("record() executes nothing, each replay() everything once") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0;
    std::atomic<int> ran{0};
    auto n = rt.data(number, "n");
    const auto graph = rt.record([&] {
      for (int i = 0; i < 10; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      for (int i = 0; i < 10; ++i) rt.submit("free", [&] { ++ran; });
    });
    rt.wait();
    CHECK(number == 0);
    CHECK(ran == 0);
    for (int round = 1; round <= 5; ++round) {
      rt.replay(graph);
      rt.wait();
      CHECK(number == 10 * round);
      CHECK(ran == 10 * round);
    }
    for (int i = 0; i < 20; ++i) rt.replay(graph);
    rt.wait();
    CHECK(number == 250);
    CHECK(ran == 250);
  }
}

TEST_CASE("a graph shows its tasks and edges") {
  Runtime rt(with_workers(1));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  const auto graph = rt.record([&] {
    rt.submit("0", [](int&) {}, x.write());
    rt.submit("1", [](const int&, int&) {}, x.read(), y.write());
    rt.submit("2", [](const int&) {}, x.read());
    const Task third = rt.submit("3", [] {});
    rt.submit({.name = "4", .after = {third}}, [](int&) {}, x.write());
  });
  REQUIRE(graph.size() == 5);
  const auto successors = [&](std::size_t i) {
    const auto range = graph.successors(i);
    std::vector<std::uint32_t> sorted(range.begin(), range.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  };
  CHECK(successors(0) == std::vector<std::uint32_t>{1, 2});
  CHECK(successors(1) == std::vector<std::uint32_t>{4});
  CHECK(successors(2) == std::vector<std::uint32_t>{4});
  CHECK(successors(3) == std::vector<std::uint32_t>{4});
  CHECK(successors(4).empty());
  CHECK(graph.predecessor_count(0) == 0);
  CHECK(graph.predecessor_count(1) == 1);
  CHECK(graph.predecessor_count(4) == 3);
  CHECK(graph.edge_count() == 5);
  CHECK(std::string(graph.task(3).name()) == "3");
}

TEST_CASE("a graph without tasks is replayed like any other") {
  Runtime rt(with_workers(2));
  const auto graph = rt.record([] {});
  CHECK(graph.size() == 0);
  CHECK(graph.edge_count() == 0);
  const Task replay = rt.replay(graph);
  replay.wait();
  rt.wait();
  CHECK(replay.done());
  CHECK(RecordedGraph().size() == 0);
}

TEST_CASE("replays are ordered by their data with tasks and with each other") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<int> log;
    auto turn = rt.token("turn");
    const auto append = [&](int value) { rt.submit("append", [&log, value] { log.push_back(value); }, turn.readwrite()); };
    const auto first = rt.record([&] { append(1); append(2); });
    const auto second = rt.record([&] { append(3); });
    append(0);
    rt.replay(first);
    append(9);
    rt.replay(second);
    rt.replay(second);
    rt.replay(first);
    append(8);
    rt.wait();
    CHECK(log == std::vector<int>{0, 1, 2, 9, 3, 3, 1, 2, 8});
  }
}

TEST_CASE("replays of graphs that only read the same datum are not ordered with its readers") {
  Runtime rt(foreseeable());
  int number = 0;
  auto n = rt.data(number, "n");
  std::vector<int> ran;
  const auto graph = rt.record([&] { rt.submit({.priority = 9}, [&](const int&) { ran.push_back(2); }, n.read()); });
  rt.submit({.priority = -9}, [&](const int&) { ran.push_back(1); }, n.read());
  rt.replay(graph);
  rt.wait();
  CHECK(ran == std::vector<int>{2, 1});
}

TEST_CASE("a replay takes the values that Parameters have now, and plain values as recorded") {
  Runtime rt(with_workers(2));
  double sum = 0.0;
  auto s = rt.data(sum, "sum");
  Parameter<double> alpha(1.0);
  double plain = 100.0;
  const auto graph = rt.record([&] {
    rt.submit("add", [](double& v, double a, double p) { v += a + p; }, s.readwrite(), alpha, plain);
  });
  plain = 0.0;
  rt.replay(graph);
  rt.wait();
  CHECK(sum == 101.0);
  alpha.set(5.0);
  rt.replay(graph);
  rt.wait();
  CHECK(sum == 206.0);
}

TEST_CASE("a replay works on the memory that rebind() gave") {
  Runtime rt(with_workers(2));
  std::vector<int> one(4, 1), two(4, 2);
  auto v = rt.data(one, "v");
  const auto graph = rt.record([&] { rt.submit("add", [](View<int> x) { for (int& e : x) e += 10; }, v.readwrite()); });
  rt.replay(graph);
  rt.wait();
  rt.rebind(v, two.data());
  rt.replay(graph);
  rt.wait();
  CHECK(one == std::vector<int>(4, 11));
  CHECK(two == std::vector<int>(4, 12));
}

TEST_CASE("a replay orders its own tasks by data and by edges") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<int> log, expected;
    Task last;
    const auto graph = rt.record([&] {
      for (int i = 0; i < 50; ++i) last = rt.submit({.priority = i, .after = {last}}, [&log, i] { log.push_back(i); });
    });
    for (int round = 0; round < 10; ++round) {
      rt.replay(graph);
      rt.wait();
      for (int i = 0; i < 50; ++i) expected.push_back(i);
    }
    CHECK(log == expected);
  }
}

TEST_CASE("recorded tasks run by priority") {
  Runtime rt(foreseeable());
  std::vector<int> ran;
  const auto graph = rt.record([&] {
    for (const int p : {3, 1, 4, 1, 5}) rt.submit({.priority = p}, [&ran, p] { ran.push_back(p); });
  });
  rt.replay(graph);
  rt.wait();
  CHECK(ran == std::vector<int>{5, 4, 3, 1, 1});
}

TEST_CASE("recorded tasks commute, reduce, use scratch and submit children") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long commuted = 0, reduced = 0, seen = -1;
    std::atomic<int> children{0};
    auto c = rt.data(commuted, "c"), r = rt.data(reduced, "r");
    auto buffer = rt.scratch<int>(16, "buffer");
    const auto graph = rt.record([&] {
      for (int i = 0; i < 20; ++i) {
        rt.submit("commute", [](long& v) { ++v; }, c.commute());
        rt.submit("reduce", [](long& v, View<int> b) { v += static_cast<long>(b.size()); }, r.reduce(Sum{}), buffer.scratch());
        rt.submit("parent", [&] { for (int k = 0; k < 3; ++k) rt.submit("child", [&] { ++children; }); });
      }
      rt.submit("look", [&](const long& v, const long& w) { seen = v + w; }, c.read(), r.read());
    });
    for (int round = 1; round <= 5; ++round) {
      rt.replay(graph);
      rt.wait();
      CHECK(commuted == 20 * round);
      CHECK(reduced == 320 * round);
      CHECK(seen == 340 * round);
      CHECK(children == 60 * round);
    }
  }
}

TEST_CASE("a replay that begins or ends with a reduction leaves nothing over for the next access") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 5, seen = 0;
    auto v = rt.data(value, "v");
    const auto add = [&] { rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{})); };
    const auto reduces = rt.record([&] { for (int i = 0; i < 10; ++i) add(); });
    const auto sets = rt.record([&] {
      rt.submit("set", [](long& x) { x = 100; }, v.write());
      for (int i = 0; i < 10; ++i) add();
    });
    add();
    rt.replay(reduces);
    rt.replay(reduces);
    add();
    rt.submit("look", [&](const long& x) { seen = x; }, v.read());
    rt.wait();
    CHECK(seen == 27);
    rt.replay(sets);
    rt.replay(sets);
    rt.wait();
    CHECK(value == 110);
    rt.replay(sets);
    CHECK(rt.acquire(v.read()).view() == 110);
    rt.wait();
    CHECK(value == 110);
  }
}

TEST_CASE("a task records and replays graphs of its own, as its children") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0, seen = -1;
    auto n = rt.data(number, "n");
    const auto outside = rt.record([&] { rt.submit("add", [](int& v) { v += 1; }, n.readwrite()); });
    rt.submit("parent", [&](int& v) {
      const auto inside = rt.record([&] { for (int i = 0; i < 5; ++i) rt.submit("add", [](int& w) { w += 10; }, n.readwrite()); });
      rt.replay(inside);
      rt.replay(outside);
      rt.wait();
      v += 100;
      rt.replay(inside);
    }, n.readwrite());
    rt.submit("after", [&](const int& v) { seen = v; }, n.read());
    rt.wait();
    CHECK(seen == 201);
  }
}

TEST_CASE("a task replays only what works on data that it has declared") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "undeclared");
  const auto graph = rt.record([&] { rt.submit("add", [](int& v) { v += 1; }, n.readwrite()); });
  rt.submit("parent", [&] { rt.replay(graph); });
  CHECK_THROWS_WITH(rt.wait(), test::contains("undeclared"));
  CHECK(number == 0);
}

TEST_CASE("two graphs on different data, and tasks beside them, run at once") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long a = 0, b = 0, plain = 0;
    auto x = rt.data(a, "x"), y = rt.data(b, "y"), z = rt.data(plain, "z");
    const auto add = [&](auto& handle) {
      return rt.record([&] { for (int i = 0; i < 50; ++i) rt.submit("add", [](long& v) { ++v; }, handle.readwrite()); });
    };
    const auto first = add(x), second = add(y);
    for (int round = 0; round < 20; ++round) {
      rt.replay(first);
      rt.submit("beside", [](long& v) { ++v; }, z.readwrite());
      rt.replay(second);
    }
    rt.wait();
    CHECK(a == 1000);
    CHECK(b == 1000);
    CHECK(plain == 20);
  }
}

TEST_CASE("a replay's task is waited for, like any other") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto graph = rt.record([&] { for (int i = 0; i < 100; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite()); });
  const Task replay = rt.replay(graph);
  replay.wait();
  CHECK(number == 100);
  CHECK(replay.status() == TaskStatus::done);
}

TEST_CASE("a graph may end before its replay has run, and what it keeps ends with it") {
  auto kept = std::make_shared<int>(0);
  Runtime rt(with_workers(1));
  {
    const auto graph = rt.record([&] { rt.submit("add", [kept] { ++*kept; }); });
    CHECK(kept.use_count() == 2);
    rt.replay(graph);
    rt.replay(graph);
  }
  rt.wait();
  CHECK(*kept == 2);
  CHECK(kept.use_count() == 1);
}

TEST_CASE("a graph may outlive its Runtime") {
  std::optional<RecordedGraph> graph;
  auto kept = std::make_shared<int>(0);
  {
    Runtime rt(with_workers(2));
    graph = rt.record([&] { rt.submit("add", [kept] { ++*kept; }); });
    rt.replay(*graph);
  }
  CHECK(*kept == 1);
  graph.reset();
  CHECK(kept.use_count() == 1);
}

TEST_CASE("an exception in record() discards the graph and reaches the caller") {
  Runtime rt(with_workers(2));
  int ran = 0;
  CHECK_THROWS_WITH(rt.record([&] {
    rt.submit("never", [&] { ran += 100; });
    throw std::runtime_error("changed my mind");
  }), test::contains("changed my mind"));
  rt.submit("live", [&] { ++ran; });
  rt.wait();
  CHECK(ran == 1);
}

TEST_CASE("tasks submitted after record() are live, and depend on nothing recorded") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto graph = rt.record([&] { rt.submit("recorded", [](int& v) { v += 10; }, n.readwrite()); });
  rt.submit("live", [](int& v) { v += 1; }, n.readwrite());
  rt.wait();
  CHECK(number == 1);
  rt.replay(graph);
  rt.wait();
  CHECK(number == 11);
}

TEST_CASE("a failing node cancels its successors in that replay: the next replay is whole again") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0, after = 0;
    std::atomic<int> independent{0};
    Parameter<bool> broken(true);
    auto n = rt.data(number, "n"), a = rt.data(after, "after");
    const auto graph = rt.record([&] {
      rt.submit("first", [](int& v) { v += 1; }, n.readwrite());
      rt.submit("maybe", [](int& v, bool fails) {
        if (fails) throw std::runtime_error("broken node");
        v += 10;
      }, n.readwrite(), broken);
      rt.submit("last", [](int& v) { v += 100; }, n.readwrite());
      for (int i = 0; i < 20; ++i) rt.submit("free", [&] { ++independent; });
    });
    const Task replay = rt.replay(graph);
    rt.submit("after", [](const int&, int& v) { ++v; }, n.read(), a.readwrite());
    CHECK_THROWS_WITH(replay.wait(), test::contains("broken node"));
    CHECK_THROWS_WITH(rt.wait(), test::contains("maybe"));
    CHECK(number == 1);
    CHECK(independent == 20);
    CHECK(after == 0);
    broken.set(false);
    rt.replay(graph);
    rt.submit("after", [](const int&, int& v) { ++v; }, n.read(), a.readwrite());
    CHECK_NOTHROW(rt.wait());
    CHECK(number == 112);
    CHECK(independent == 40);
    CHECK(after == 1);
  }
}

TEST_CASE("a graph is replayed many times in a row, without a wait between") {
  const int times = static_cast<int>(test::scaled(3000));
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<long> values(4, 0);
    std::vector<Object<long>> handles;
    for (long& v : values) handles.push_back(rt.data(v));
    const auto graph = rt.record([&] {
      for (std::size_t i = 1; i < 4; ++i)
        rt.submit("step", [](const long& left, long& v) { v += left + 1; }, handles[i - 1].read(), handles[i].readwrite());
    });
    std::vector<long> expected(4, 0);
    for (int t = 0; t < times; ++t) {
      rt.replay(graph);
      for (std::size_t i = 1; i < 4; ++i) expected[i] += expected[i - 1] + 1;
    }
    rt.wait();
    CHECK(values == expected);
  }
}
