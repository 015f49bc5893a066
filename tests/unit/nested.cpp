// Tasks that submit tasks: children finish before their parent counts as finished, waits in bodies wait for children
// only, and no depth or width of nesting stops the run.
#include <atomic>
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::foreseeable;
using test::with_workers;

namespace {

void fibonacci_by_data(Runtime& rt, int n, long& result) {
  if (n < 2) {
    result = n;
    return;
  }
  long a = 0, b = 0;
  auto x = rt.data(a, "a"), y = rt.data(b, "b");
  rt.submit("fib", [&rt, n](long& out) { fibonacci_by_data(rt, n - 1, out); }, x.write());
  rt.submit("fib", [&rt, n](long& out) { fibonacci_by_data(rt, n - 2, out); }, y.write());
  rt.wait();
  result = a + b;
}

void count_leaves(Runtime& rt, int n, std::atomic<long>& leaves) {
  if (n < 2) {
    leaves += n;
    return;
  }
  rt.submit("fib", [&rt, n, &leaves] { count_leaves(rt, n - 1, leaves); });
  rt.submit("fib", [&rt, n, &leaves] { count_leaves(rt, n - 2, leaves); });
}

void descend(Runtime& rt, int depth, int& deepest, bool wait) {
  ++deepest;
  if (depth == 0) return;
  rt.submit("down", [&rt, depth, &deepest, wait] { descend(rt, depth - 1, deepest, wait); });
  if (wait) rt.wait();
}

}  // namespace

TEST_CASE("a recursion with a wait in every task computes the right number") {
  const int n = test::kSanitized ? 12 : 18;
  const long expected = test::kSanitized ? 144 : 2584;
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long result = 0;
    auto r = rt.data(result, "result");
    rt.submit("fib", [&rt, n](long& out) { fibonacci_by_data(rt, n, out); }, r.write());
    rt.wait();
    CHECK(result == expected);
  }
}

TEST_CASE("a recursion without waits finishes before its root counts as finished") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<long> leaves{0};
    long seen = 0;
    auto done = rt.token("done");
    rt.submit("root", [&] { count_leaves(rt, 15, leaves); }, done.write());
    rt.submit("after", [&] { seen = leaves; }, done.read());
    rt.wait();
    CHECK(seen == 610);
  }
}

TEST_CASE("tasks nest deeply, with and without waits") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int deepest = 0;
    rt.submit("top", [&] { descend(rt, 300, deepest, true); });
    rt.wait();
    CHECK(deepest == 301);
    deepest = 0;
    rt.submit("top", [&] { descend(rt, 5000, deepest, false); });
    rt.wait();
    CHECK(deepest == 5001);
  }
}

TEST_CASE("what comes after a parent comes after its children and grandchildren") {
  Runtime rt(foreseeable());
  int number = 0;
  auto n = rt.data(number, "n");
  int seen = 0;
  rt.submit({.priority = 0}, [&](int&) {
    rt.submit({.priority = -5}, [&](int&) {
      rt.submit({.priority = -9}, [](int& v) { v = 42; }, n.readwrite());
    }, n.readwrite());
  }, n.readwrite());
  rt.submit({.priority = 9}, [&](const int& v) { seen = v; }, n.read());
  rt.wait();
  CHECK(seen == 42);
}

TEST_CASE("waiting for a parent waits for its children") {
  Runtime rt(with_workers(2));
  std::atomic<int> ran{0};
  const Task parent = rt.submit("parent", [&] {
    for (int i = 0; i < 100; ++i) rt.submit("child", [&] { ++ran; });
  });
  parent.wait();
  CHECK(ran == 100);
  CHECK(parent.status() == TaskStatus::done);
  rt.wait();
}

TEST_CASE("a wait in a body waits for its children, and for nobody else") {
  Runtime rt(with_workers(2));
  test::Gate started, release;
  std::atomic<int> children{0};
  bool released_by_parent = false;
  rt.submit("outsider", [&] { started.open(); release.pass(); });
  rt.submit("parent", [&] {
    started.pass();
    for (int i = 0; i < 10; ++i) rt.submit("child", [&] { ++children; });
    rt.wait();
    released_by_parent = children == 10;
    release.open();  // the outsider has been running all the time
  });
  CHECK_NOTHROW(rt.wait());
  CHECK(released_by_parent);
}

TEST_CASE("a body waits for one of its children") {
  Runtime rt(with_workers(2));
  int first = 0, seen = 0;
  TaskStatus status = TaskStatus::pending;
  rt.submit("parent", [&] {
    const Task child = rt.submit("first", [&] { first = 1; });
    child.wait();
    seen = first;
    status = child.status();
  });
  rt.wait();
  CHECK(seen == 1);
  CHECK(status == TaskStatus::done);
}

TEST_CASE("a body that waits several times sees each time what its children did") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long number = 0;
    auto n = rt.data(number, "n");
    std::vector<long> seen;
    rt.submit("parent", [&](long& v) {
      for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 10; ++i) rt.submit("child", [](long& w) { ++w; }, n.readwrite());
        rt.wait();
        seen.push_back(v);
        v += 100;
      }
    }, n.readwrite());
    rt.wait();
    REQUIRE(seen.size() == 20);
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<long>(10 + 110 * i));
    CHECK(number == 2200);
  }
}

TEST_CASE("a wait in a body without children returns at once") {
  Runtime rt(with_workers(1));
  bool passed = false;
  rt.submit("other", [] {});
  rt.submit("parent", [&] {
    rt.wait();
    passed = true;
  });
  rt.wait();
  CHECK(passed);
}

TEST_CASE("children are ordered among themselves by their data") {
  Runtime rt(foreseeable());
  int number = 0;
  auto n = rt.data(number, "n");
  std::vector<int> ran;
  rt.submit("parent", [&](int&) {
    rt.submit({.priority = 0}, [&](int&) { ran.push_back(1); }, n.write());
    rt.submit({.priority = 1}, [&](const int&) { ran.push_back(2); }, n.read());
    rt.submit({.priority = 2}, [&](const int&) { ran.push_back(3); }, n.read());
    rt.submit({.priority = 3}, [&](int&) { ran.push_back(4); }, n.write());
  }, n.readwrite());
  rt.wait();
  CHECK(ran == std::vector<int>{1, 3, 2, 4});
}

TEST_CASE("children may access what their parent has declared, with a mode that it covers") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  std::atomic<int> ran{0};
  const auto count = [&](auto&&...) { ++ran; };
  const auto all_modes = [&](auto&&...) {
    rt.submit("child", count, n.write());
    rt.submit("child", count, n.readwrite());
    rt.submit("child", count, n.read());
    rt.submit("child", count, n.commute());
    rt.submit("child", count, n.reduce(Sum{}));
    rt.submit("child", count, n.read(), n.readwrite());
  };
  rt.submit("reader", [&](const int&) { rt.submit("child", count, n.read()); }, n.read());
  rt.submit("writer", all_modes, n.write());
  rt.submit("readwriter", all_modes, n.readwrite());
  rt.submit("commuter", all_modes, n.commute());
  CHECK_NOTHROW(rt.wait());
  CHECK(ran == 19);
}

TEST_CASE("readers' children of two parents run at the same time") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  test::Rendezvous both(2);
  for (int i = 0; i < 2; ++i)
    rt.submit("parent", [&](const int&) { rt.submit("child", [&](const int&) { both.meet(); }, n.read()); }, n.read());
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a parent registers data for its children, and they for theirs") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<long> total{0};
    for (int p = 0; p < 20; ++p)
      rt.submit("parent", [&] {
        std::vector<long> values(16, 1);
        auto v = rt.data(values, "v");
        for (int i = 0; i < 10; ++i)
          rt.submit("child", [&rt, &v](View<long> outer) {
            long extra = 0;
            auto e = rt.data(extra, "e");
            rt.submit("grandchild", [](View<long> x, long& y) { y = ++x[3]; }, v.readwrite(), e.write());
            rt.wait();
            outer[4] += extra;
          }, v.readwrite());
        rt.wait();
        total += values[3] + values[4];
      });
    rt.wait();
    CHECK(total == 20 * (11 + 1 + 65));
  }
}

TEST_CASE("a handle that a body holds waits for the children that use it") {
  Runtime rt(with_workers(2));
  long sum = 0;
  rt.submit("parent", [&] {
    long number = 0;
    {
      auto n = rt.data(number, "n");
      for (int i = 0; i < 100; ++i) rt.submit("child", [](long& v) { ++v; }, n.readwrite());
    }
    sum = number;
  });
  rt.wait();
  CHECK(sum == 100);
}

TEST_CASE("parents that submit more children than the window holds do not stop each other") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Config config = with_workers(workers);
    config.window = 4;
    Runtime rt(config);
    std::atomic<int> ran{0};
    for (int p = 0; p < 16; ++p)
      rt.submit("parent", [&] {
        for (int c = 0; c < 50; ++c)
          rt.submit("child", [&] {
            for (int g = 0; g < 5; ++g) rt.submit("grandchild", [&] { ++ran; });
          });
      });
    rt.wait();
    CHECK(ran == 16 * 50 * 5);
  }
}

TEST_CASE("a parent acquires what it has declared, in order with its children") {
  Runtime rt(with_workers(2));
  int number = 1, seen = 0;
  auto n = rt.data(number, "n");
  rt.submit("parent", [&](int&) {
    rt.submit("child", [](int& v) { v = 5; }, n.write());
    {
      auto guard = rt.acquire(n.readwrite());
      seen = guard.view();
      guard.view() = 6;
    }
    rt.submit("child", [](int& v) { v *= 10; }, n.readwrite());
  }, n.readwrite());
  rt.wait();
  CHECK(seen == 5);
  CHECK(number == 60);
}

TEST_CASE("commuting parents do not overlap, their children included") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long number = 0;
    auto n = rt.data(number, "n");
    std::atomic<int> inside{0}, overlaps{0};
    for (int p = 0; p < 30; ++p)
      rt.submit("parent", [&](long&) {
        overlaps += inside.fetch_add(1) != 0;
        for (int c = 0; c < 5; ++c) rt.submit("child", [](long& v) { ++v; }, n.commute());
        rt.submit("last", [&](long&) { inside.fetch_sub(1); }, n.readwrite());
      }, n.commute());
    rt.wait();
    CHECK(number == 150);
    CHECK(overlaps == 0);
  }
}
