// Several threads submit to one Runtime, and several Runtimes live in one process.
#include <atomic>
#include <memory>
#include <sched.h>

#include <mitra/driver.hpp>
#include <mitra/mitra.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::with_workers;

namespace {

template <class Body>
void in_threads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&body, t] { body(t); });
  for (std::thread& t : threads) t.join();
}

}  // namespace

TEST_CASE("threads submit at once, and every task runs once") {
  const int each = static_cast<int>(test::scaled(5000));
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<int> ran{0};
    long shared = 0;
    auto s = rt.data(shared, "shared");
    in_threads(4, [&](int) {
      for (int i = 0; i < each; ++i) {
        rt.submit("free", [&] { ++ran; });
        rt.submit("shared", [](long& v) { ++v; }, s.readwrite());
      }
    });
    rt.wait();
    CHECK(ran == 4 * each);
    CHECK(shared == 4 * each);
  }
}

TEST_CASE("each thread's tasks on its own datum keep the order in which it submitted them") {
  const int each = static_cast<int>(test::scaled(2000));
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<int> wrong{0};
    in_threads(4, [&](int) {
      long digest = 0, expected = 0;
      auto d = rt.data(digest, "digest");
      for (long i = 0; i < each; ++i) {
        rt.submit("fold", [i](long& v) { v = 31 * v % 1'000'003 + i; }, d.readwrite());
        expected = 31 * expected % 1'000'003 + i;
      }
      rt.wait(d);
      wrong += digest != expected;
    });
    rt.wait();
    CHECK(wrong == 0);
  }
}

TEST_CASE("what a thread wrote before submit() is visible to the body") {
  Runtime rt(with_workers(2));
  std::atomic<int> wrong{0};
  in_threads(3, [&](int t) {
    for (int i = 0; i < 500; ++i) {
      auto plain = std::make_unique<int>(1000 * t + i);
      const int* address = plain.get();
      rt.submit("look", [&wrong, address, t, i, keep = std::move(plain)] { wrong += *address != 1000 * t + i; });
    }
  });
  rt.wait();
  CHECK(wrong == 0);
}

TEST_CASE("what a task wrote is visible to the thread that waited for it") {
  Runtime rt(with_workers(2));
  std::atomic<int> wrong{0};
  in_threads(3, [&](int) {
    for (int i = 0; i < 300; ++i) {
      int plain = 0;
      const Task task = rt.submit("write", [&plain, i] { plain = i; });
      task.wait();
      wrong += plain != i;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("threads register and end data while others submit") {
  Runtime rt(with_workers(2));
  std::atomic<int> wrong{0};
  in_threads(4, [&](int) {
    for (int i = 0; i < 300; ++i) {
      std::vector<int> values(8, 0);
      {
        auto v = rt.data(values, "v");
        for (int k = 0; k < 3; ++k) rt.submit("add", [](View<int> x) { ++x[7]; }, v.readwrite());
      }
      wrong += values[7] != 3;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("several Runtimes run at once and share nothing") {
  std::vector<std::unique_ptr<Runtime>> runtimes;
  for (const char* scheduler : {"eager", "priority", "random", "work_stealing", "locality_ws"})
    runtimes.push_back(std::make_unique<Runtime>(with_workers(2, scheduler)));
  std::vector<long> numbers(runtimes.size(), 0);
  std::vector<Object<long>> handles;
  for (std::size_t r = 0; r < runtimes.size(); ++r) handles.push_back(runtimes[r]->data(numbers[r], "n"));
  for (int i = 0; i < 500; ++i)
    for (std::size_t r = 0; r < runtimes.size(); ++r)
      runtimes[r]->submit("add", [r](long& v) { v += static_cast<long>(r); }, handles[r].readwrite());
  for (auto& rt : runtimes) rt->wait();
  for (std::size_t r = 0; r < runtimes.size(); ++r) {
    CHECK(numbers[r] == static_cast<long>(500 * r));
    CHECK(runtimes[r]->statistics().submitted == 500);
  }
}

TEST_CASE("a failure stays in its own Runtime") {
  Runtime a(with_workers(2)), b(with_workers(2));
  a.submit("fail", [] { throw std::runtime_error("broken"); });
  int ran = 0;
  b.submit("fine", [&] { ++ran; });
  CHECK_NOTHROW(b.wait());
  CHECK(ran == 1);
  CHECK_THROWS_AS(a.wait(), TaskError);
}

TEST_CASE("a task of one Runtime uses another") {
  for (const unsigned workers : {1U, 2U}) {
    Runtime outer(with_workers(workers)), inner(with_workers(workers));
    std::atomic<int> ran{0};
    std::atomic<int> short_waits{0};
    for (int i = 0; i < 20; ++i)
      outer.submit("outer", [&] {
        long number = 0;
        auto n = inner.data(number, "n");
        for (int k = 0; k < 10; ++k)
          inner.submit("inner", [&](long& v) { ++v; ++ran; }, n.readwrite());
        inner.wait(n);
        short_waits += number != 10;
        outer.submit("child", [&] { ++ran; });
      });
    outer.wait();
    inner.wait();
    CHECK(ran == 220);
    CHECK(short_waits == 0);
  }
}

TEST_CASE("a Runtime moves, and its handles and tasks go with it") {
  int number = 0;
  Runtime first(with_workers(2));
  auto n = first.data(number, "n");
  const Task task = first.submit("add", [](int& v) { ++v; }, n.readwrite());
  Runtime second(std::move(first));
  second.submit("add", [](int& v) { ++v; }, n.readwrite());
  task.wait();
  second.wait();
  CHECK(number == 2);
}

TEST_CASE("Runtimes come and go, idle and busy, with few workers and many") {
  const int rounds = static_cast<int>(test::scaled(60));
  for (int round = 0; round < rounds; ++round)
    for (const unsigned workers : {1U, 2U, 3U, 17U}) {
      { const Runtime idle(with_workers(workers)); }
      std::atomic<int> ran{0};
      {
        Runtime busy(with_workers(workers));
        for (int i = 0; i < 20; ++i) busy.submit("count", [&] { ++ran; });
      }
      REQUIRE(ran == 20);
    }
}

TEST_CASE("a thread's Runtime may end in another thread") {
  std::atomic<int> ran{0};
  auto rt = std::make_unique<Runtime>(with_workers(2));
  for (int i = 0; i < 100; ++i) rt->submit("count", [&] { ++ran; });
  std::thread([moved = std::move(rt)]() mutable { moved.reset(); }).join();
  CHECK(ran == 100);
}

TEST_CASE("a thread that is moved to a processor may still run where it could") {
  const std::unique_ptr<Driver> driver = make_cpu_driver();
  cpu_set_t before, after;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  int moved = 0;
  for (int processor = 0; processor < CPU_SETSIZE && moved < 8; ++processor) {
    if (!CPU_ISSET(static_cast<std::size_t>(processor), &before)) continue;
    driver->move_to(processor);
    ++moved;
    // The system may move it on at once, if somebody else is there: not on each of many attempts.
    bool there = false;
    for (int attempt = 0; attempt < 100 && !there; ++attempt) {
      driver->move_to(processor);
      there = driver->processor() == processor;
    }
    CHECK(there);
    REQUIRE(sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
  }
  // Where it may not run, it is not moved to.
  cpu_set_t one;
  CPU_ZERO(&one);
  const int here = driver->processor();
  CPU_SET(static_cast<std::size_t>(here), &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  for (int processor = 0; processor < 4; ++processor) driver->move_to(processor);
  CHECK(driver->processor() == here);
  REQUIRE(sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&one, &after));
  sched_setaffinity(0, sizeof before, &before);
}
