// Waiting: for everything, for a datum, for a task; from one thread or several.
#include <atomic>
#include <mitra/mitra.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

TEST_CASE("wait() returns at once when there is nothing to wait for") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    for (int i = 0; i < 100; ++i) rt.wait();
    rt.submit("one", [] {});
    rt.wait();
    rt.wait();
    CHECK(rt.statistics().executed == 1);
  }
}

TEST_CASE("with one worker nothing runs before a wait, and everything in it") {
  Runtime rt(with_workers(1));
  const auto here = std::this_thread::get_id();
  int ran = 0;
  bool elsewhere = false;
  for (int i = 0; i < 100; ++i)
    rt.submit("count", [&] {
      ++ran;
      elsewhere |= std::this_thread::get_id() != here;
    });
  CHECK(ran == 0);
  rt.wait();
  CHECK(ran == 100);
  CHECK_FALSE(elsewhere);
}

TEST_CASE("with two workers tasks run without a wait") {
  test::Gate ran;
  Runtime rt(with_workers(2));
  rt.submit("open", [&] { ran.open(); });
  CHECK_NOTHROW(ran.pass());
}

TEST_CASE("a wait for a datum waits for its tasks, not for others") {
  Runtime rt(with_workers(2));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  test::Gate started, release;
  rt.submit("long", [&](int& v) { started.open(); release.pass(); v = 1; }, y.write());
  started.pass();  // the other worker is in it now
  for (int i = 0; i < 20; ++i) rt.submit("add", [](int& v) { ++v; }, x.readwrite());
  rt.wait(x);
  CHECK(a == 20);
  release.open();
  rt.wait(y);
  CHECK(b == 1);
}

TEST_CASE("a wait for a datum waits for its readers, too") {
  Runtime rt(with_workers(1));
  int number = 4, seen = 0;
  auto n = rt.data(number, "n");
  rt.submit("look", [&](const int& v) { seen = v; }, n.read());
  rt.wait(n);
  CHECK(seen == 4);
}

TEST_CASE("a wait for a tile and for a token") {
  Runtime rt(with_workers(1));
  auto a = rt.matrix<int>(4, 4).tiled(2, 2);
  auto t = rt.token();
  int ran = 0;
  rt.submit("tile", [&](Tile<int>) { ++ran; }, a(1, 1).write());
  rt.wait(a(1, 1));
  CHECK(ran == 1);
  rt.submit("token", [&] { ++ran; }, t.write());
  rt.wait(t);
  CHECK(ran == 2);
}

TEST_CASE("a wait for a task waits for what it depends on, not for others") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  test::Gate started, release;
  rt.submit("long", [&] { started.open(); release.pass(); });
  started.pass();
  rt.submit("first", [](int& v) { v += 1; }, n.readwrite());
  const Task second = rt.submit("second", [](int& v) { v += 10; }, n.readwrite());
  second.wait();
  CHECK(number == 11);
  CHECK(second.status() == TaskStatus::done);
  second.wait();
  release.open();
  rt.wait();
}

TEST_CASE("a task is pending, then done") {
  Runtime rt(with_workers(1));
  const Task task = rt.submit("task", [] {});
  CHECK(task.status() == TaskStatus::pending);
  CHECK_FALSE(task.done());
  rt.wait();
  CHECK(task.status() == TaskStatus::done);
  CHECK(task.done());
}

TEST_CASE("a running task is pending") {
  Runtime rt(with_workers(2));
  test::Gate started, release;
  const Task task = rt.submit("task", [&] { started.open(); release.pass(); });
  started.pass();
  CHECK(task.status() == TaskStatus::pending);
  release.open();
  task.wait();
  CHECK(task.status() == TaskStatus::done);
}

TEST_CASE("no task at all counts as done") {
  const Task none;
  CHECK(none.done());
  CHECK_FALSE(none.id().valid());
  CHECK_NOTHROW(none.wait());
  CHECK_NOTHROW(none.cancel());
}

TEST_CASE("a task of long ago is done, though its record serves others now") {
  Config config = with_workers(2);
  config.window = 10'000;
  Runtime rt(config);
  const Task old = rt.submit("old", [] {});
  rt.wait();
  test::Gate release;
  std::atomic<int> ran{0};
  auto turn = rt.token();
  rt.submit("hold", [&] { release.pass(); }, turn.write());
  for (int i = 0; i < 3000; ++i) rt.submit("blocked", [&] { ++ran; }, turn.read());
  CHECK(old.status() == TaskStatus::done);
  CHECK_NOTHROW(old.wait());
  old.cancel();
  release.open();
  rt.wait();
  CHECK(ran == 3000);
}

TEST_CASE("several threads wait at once, for everything and for one task") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    for (int round = 0; round < 20; ++round) {
      int number = 0;
      auto n = rt.data(number, "n");
      Task last;
      for (int i = 0; i < 50; ++i) last = rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      std::atomic<int> wrong{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
          if (t % 2 == 0)
            rt.wait();
          else
            last.wait();
          wrong += number != 50;
        });
      for (std::thread& t : threads) t.join();
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a window of one is enough for every graph") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Config config = with_workers(workers);
    config.window = 1;
    Runtime rt(config);
    int number = 0;
    auto n = rt.data(number, "n");
    Task last;
    for (int i = 0; i < 500; ++i)
      last = rt.submit({.priority = i % 7, .after = {last}}, [](int& v) { ++v; }, n.readwrite());
    rt.wait();
    CHECK(number == 500);
  }
}

TEST_CASE("a full window makes the submitting thread work") {
  Config config = with_workers(1);
  config.window = 16;
  Runtime rt(config);
  int ran = 0;
  for (int i = 0; i < 1000; ++i) rt.submit("count", [&] { ++ran; });
  CHECK(ran > 0);
  rt.wait();
  CHECK(ran == 1000);
}
