// Data lent to code that is not a task, in order with the tasks.
#include <atomic>
#include <memory>
#include <mitra/mitra.hpp>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

TEST_CASE("an acquired datum shows what earlier tasks wrote") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<int> values(3, 0);
    auto v = rt.data(values, "v");
    for (int i = 0; i < 100; ++i) rt.submit("add", [](View<int> x) { ++x[1]; }, v.readwrite());
    const auto guard = rt.acquire(v.read());
    CHECK(guard.view().size() == 3);
    CHECK(guard.view()[1] == 100);
  }
}

TEST_CASE("later tasks see what the guard's holder wrote, and wait for the guard's end") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0, seen = 0;
    auto n = rt.data(number, "n");
    {
      auto guard = rt.acquire(n.write());
      rt.submit("look", [&](const int& v) { seen = v; }, n.read());
      guard.view() = 7;
    }
    rt.wait();
    CHECK(seen == 7);
  }
}

TEST_CASE("the views of a guard are those of a task") {
  Runtime rt(with_workers(1));
  int number = 1;
  std::vector<double> values(6, 1.0);
  auto n = rt.data(number, "n");
  auto v = rt.data(values, "v");
  auto a = rt.tiled(values.data(), 2, 3, 2, 2, 2, "A");
  {
    auto read = rt.acquire(n.read());
    STATIC_REQUIRE(std::is_same_v<decltype(read.view()), const int&>);
  }
  {
    auto write = rt.acquire(n.write());
    STATIC_REQUIRE(std::is_same_v<decltype(write.view()), int&>);
  }
  {
    auto read = rt.acquire(v.read());
    STATIC_REQUIRE(std::is_same_v<decltype(read.view()), View<const double>>);
  }
  {
    auto tile = rt.acquire(a(0, 1).readwrite());
    STATIC_REQUIRE(std::is_same_v<decltype(tile.view()), Tile<double>>);
    CHECK(tile.view().cols() == 1);
    tile.view()(1, 0) = 9.0;
  }
  CHECK(values[5] == 9.0);
}

TEST_CASE("a released guard lends nothing") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  auto guard = rt.acquire(n.readwrite());
  guard.release();
  guard.release();
  rt.submit("add", [](int& v) { ++v; }, n.readwrite());
  CHECK_NOTHROW(rt.wait());
  CHECK(number == 1);
}

TEST_CASE("a guard that was moved ends once, with its new owner") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  {
    auto first = rt.acquire(n.write());
    auto second = std::move(first);
    second.view() = 3;
  }
  rt.submit("add", [](int& v) { ++v; }, n.readwrite());
  rt.wait();
  CHECK(number == 4);
}

TEST_CASE("readers run beside a guard that reads") {
  test::Gate seen;
  Runtime rt(with_workers(2));
  int number = 5;
  auto n = rt.data(number, "n");
  const auto guard = rt.acquire(n.read());
  rt.submit("reader", [&](const int&) { seen.open(); }, n.read());
  CHECK_NOTHROW(seen.pass());  // by the other worker, while this thread holds the guard
}

TEST_CASE("several guards on different data are held at once") {
  Runtime rt(with_workers(2));
  int a = 1, b = 2;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  rt.submit("swap", [](int& p, int& q) { std::swap(p, q); }, x.readwrite(), y.readwrite());
  {
    auto gx = rt.acquire(x.read());
    auto gy = rt.acquire(y.readwrite());
    auto gx2 = rt.acquire(x.read());
    CHECK(gx.view() == 2);
    CHECK(gx2.view() == 2);
    gy.view() += 10;
  }
  rt.wait();
  CHECK(b == 11);
}

TEST_CASE("a holder may submit more tasks on the datum than the window holds") {
  for (const unsigned workers : {1U, 2U}) {
    Config config = with_workers(workers);
    config.window = 8;
    Runtime rt(config);
    int number = 0;
    auto n = rt.data(number, "n");
    {
      auto guard = rt.acquire(n.write());
      for (int i = 0; i < 100; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      guard.view() = 1000;
    }
    rt.wait();
    CHECK(number == 1100);
  }
}

TEST_CASE("a token is acquired like data") {
  Runtime rt(with_workers(2));
  auto t = rt.token("t");
  int plain = 0;
  for (int i = 0; i < 50; ++i) {
    rt.submit("add", [&] { ++plain; }, t.readwrite());
    const auto guard = rt.acquire(t.readwrite());
    ++plain;
  }
  rt.wait();
  CHECK(plain == 100);
}

TEST_CASE("data that Mitra allocates are acquired before and after tasks use them") {
  Runtime rt(with_workers(2));
  auto v = rt.vector<int>(10, "v");
  {
    auto guard = rt.acquire(v.write());
    for (int& e : guard.view()) e = 4;
  }
  rt.submit("add", [](View<int> x) { ++x[9]; }, v.readwrite());
  const auto guard = rt.acquire(v.read());
  CHECK(guard.view()[0] == 4);
  CHECK(guard.view()[9] == 5);
}

TEST_CASE("threads acquire the same datum one after the other") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  std::atomic<int> inside{0}, overlaps{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        auto guard = rt.acquire(n.readwrite());
        overlaps += inside.fetch_add(1) != 0;
        ++guard.view();
        inside.fetch_sub(1);
        guard.release();
        rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      }
    });
  for (std::thread& t : threads) t.join();
  rt.wait();
  CHECK(number == 800);
  CHECK(overlaps == 0);
}

TEST_CASE("a guard may be released by another thread, and counts for the one that acquired it until then") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0;
    auto n = rt.data(number, "n");
    for (int i = 0; i < 20; ++i) {
      auto guard = std::make_unique<decltype(rt.acquire(n.readwrite()))>(rt.acquire(n.readwrite()));
      rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      CHECK_THROWS_AS(rt.wait(), MisuseError);
      std::thread([&rt, guard = std::move(guard)]() mutable {
        guard->view() += 10;
        guard.reset();
        CHECK_NOTHROW(rt.wait());  // this thread has acquired nothing, and gives back no more than it took
      }).join();
      CHECK_NOTHROW(rt.wait());
      CHECK(number == 11 * (i + 1));
      CHECK_NOTHROW(rt.acquire(n.readwrite()));
    }
  }
}

TEST_CASE("a guard that a task acquires may be released by the application after the body's end") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0, seen = 0;
    auto n = rt.data(number, "n");
    using Guard = decltype(rt.acquire(n.readwrite()));
    for (int i = 0; i < 20; ++i) {
      std::unique_ptr<Guard> guard;
      test::Gate begun;
      const Task parent = rt.submit("parent", [&](int&) {
        guard = std::make_unique<Guard>(rt.acquire(n.readwrite()));
        rt.submit("child", [](int& v) { v += 100; }, n.readwrite());
        begun.open();
      }, n.readwrite());
      rt.submit("after", [&seen](const int& v) { seen = v; }, n.read());
      if (workers == 1) rt.submit("unrelated", [] {}).wait();  // this thread is the only one to run the parent
      begun.pass();
      CHECK(parent.status() == TaskStatus::pending);  // the loan is a child of it
      guard->view() += 1;
      guard.reset();
      CHECK_NOTHROW(rt.wait());
      CHECK(seen == 101 * (i + 1));
      CHECK_NOTHROW(rt.acquire(n.readwrite()));
    }
  }
}

TEST_CASE("a guard of the application may be released inside of a task") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0;
    auto n = rt.data(number, "n");
    using Guard = decltype(rt.acquire(n.readwrite()));
    for (int i = 0; i < 20; ++i) {
      std::unique_ptr<Guard> guard = std::make_unique<Guard>(rt.acquire(n.readwrite()));
      rt.submit("blocked", [](int& v) { ++v; }, n.readwrite());
      rt.submit("release", [&rt, held = std::move(guard)]() mutable {
        held.reset();
        rt.submit("child", [] {});
        rt.wait();  // the task itself has acquired nothing
      });
      std::thread([&rt] { rt.wait(); }).join();
      CHECK_NOTHROW(rt.wait());
      CHECK(number == i + 1);
    }
  }
}

TEST_CASE("threads hand guards to each other while all of them submit and wait") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    constexpr int kThreads = 4, kRounds = 50;
    std::vector<long> numbers(kThreads, 0);
    std::vector<Object<long>> data;
    for (long& number : numbers) data.push_back(rt.data(number, "number"));
    using Guard = decltype(rt.acquire(data[0].readwrite()));
    std::mutex mutex;
    std::vector<std::unique_ptr<Guard>> on_their_way;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kRounds; ++i) {
          rt.submit("add", [](long& v) { ++v; }, data[t].readwrite());
          auto mine = std::make_unique<Guard>(rt.acquire(data[t].readwrite()));
          std::unique_ptr<Guard> other;
          {
            const std::lock_guard lock(mutex);
            if (!on_their_way.empty()) other = std::move(on_their_way.back()), on_their_way.pop_back();
            on_their_way.push_back(std::move(mine));
          }
          if (other != nullptr) other->view() += 1000;
          other.reset();
          while (true) {  // until somebody has released this thread's guard, itself at last
            {
              const std::lock_guard lock(mutex);
              if (!on_their_way.empty()) other = std::move(on_their_way.front()), on_their_way.erase(on_their_way.begin());
            }
            if (other != nullptr) other->view() += 1000;
            other.reset();
            try {
              rt.submit("one", [] {}).wait();
              break;
            } catch (const MisuseError&) {  // its guard is still in somebody's hands
            }
          }
        }
      });
    for (std::thread& thread : threads) thread.join();
    CHECK_NOTHROW(rt.wait());
    for (const long number : numbers) CHECK(number == 1001L * kRounds);
  }
}
