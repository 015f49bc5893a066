// Data lent to code that is not a task, in order with the tasks.
#include <atomic>
#include <mitra/mitra.hpp>
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
