// The way to sleep and back: one task at a time, with pauses that let workers spin, announce themselves, or sleep. A
// wake-up that is lost stops the test, and its time limit says so.
#include <atomic>
#include <chrono>
#include <memory>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::scaled;
using test::with_workers;

namespace {

/// Nothing, a few turns of a loop, or a sleep: as long as workers take to go to sleep, about.
void pause(test::Random& random) {
  switch (random.below(8)) {
    case 0: std::this_thread::sleep_for(std::chrono::microseconds(random.below(100))); break;
    case 1: std::this_thread::yield(); break;
    case 2:
    case 3:
    case 4:
      for (std::size_t i = random.below(20'000); i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
      break;
    default: break;
  }
}

}  // namespace

TEST_CASE("one task, one wait, many times") {
  const std::size_t rounds = scaled(20'000);
  for (const unsigned workers : {1U, 2U, 3U, 8U}) {
    test::Random random(workers);
    Runtime rt(with_workers(workers));
    std::size_t ran = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
      rt.submit("one", [&] { ++ran; });
      rt.wait();
      if (i % 4 == 0) pause(random);
    }
    CHECK(ran == rounds);
  }
}

TEST_CASE("one task, waited for by its handle or its datum, many times") {
  const std::size_t rounds = scaled(10'000);
  for (const unsigned workers : {2U, 8U}) {
    test::Random random(workers);
    Runtime rt(with_workers(workers));
    std::size_t number = 0;
    auto n = rt.data(number, "n");
    for (std::size_t i = 0; i < rounds; ++i) {
      const Task task = rt.submit("one", [](std::size_t& v) { ++v; }, n.readwrite());
      if (i % 3 == 0) task.wait();
      if (i % 3 == 1) rt.wait(n);
      if (i % 3 == 2) { const auto guard = rt.acquire(n.read()); }
      REQUIRE(number == i + 1);
      if (i % 4 == 0) pause(random);
    }
  }
}

TEST_CASE("a worker runs what nobody waits for, many times") {
  const std::size_t rounds = scaled(10'000);
  for (const PolicyInfo* policy : schedulers())
    for (const unsigned workers : {2U, 4U}) {
      INFO(policy->name);
      test::Random random(workers);
      Runtime rt(with_workers(workers, policy->name));
      std::atomic<std::size_t> ran{0};
      for (std::size_t i = 0; i < rounds / 4; ++i) {
        rt.submit("one", [&] { ++ran; });
        while (ran <= i) std::this_thread::yield();  // this thread does not help
        if (i % 2 == 0) pause(random);
      }
      CHECK(ran == rounds / 4);
    }
}

TEST_CASE("two tasks that need two workers at once, many times") {
  const std::size_t rounds = scaled(3000);
  for (const unsigned workers : {2U, 3U, 8U}) {
    test::Random random(workers);
    Runtime rt(with_workers(workers));
    for (std::size_t i = 0; i < rounds; ++i) {
      std::atomic<int> here{0};
      const auto meet = [&here] {
        ++here;
        while (here < 2) std::this_thread::yield();
      };
      rt.submit("one", meet);
      rt.submit("two", meet);
      rt.wait();
      if (i % 4 == 0) pause(random);
    }
    CHECK(rt.statistics().executed == 2 * rounds);
  }
}

TEST_CASE("several threads submit one task and wait, many times") {
  const std::size_t rounds = scaled(3000);
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        test::Random random(t);
        for (std::size_t i = 0; i < rounds; ++i) {
          int plain = 0;
          const Task task = rt.submit("one", [&] { plain = 1; });
          task.wait();
          wrong += plain != 1;
          if (i % 4 == 0) pause(random);
        }
      });
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("after many threads have waited at once, workers still wake for a task that nobody waits for") {
  const std::size_t rounds = scaled(300);
  for (const unsigned workers : {2U, 3U, 8U}) {
    Runtime rt(with_workers(workers));
    for (std::size_t i = 0; i < rounds; ++i) {
      std::vector<std::thread> threads;
      for (int t = 0; t < 12; ++t)
        threads.emplace_back([&] {
          for (int k = 0; k < 40; ++k) {
            rt.submit("one", [] {}).wait();
            if (k % 10 == 0) rt.wait();
          }
        });
      for (std::thread& t : threads) t.join();
      const auto gate = std::make_shared<test::Gate>();
      rt.submit("unattended", [gate] { gate->open(); });
      REQUIRE_NOTHROW(gate->pass());
      rt.wait();
    }
  }
}

TEST_CASE("a thread waits while others come and go") {
  const std::size_t rounds = scaled(300);
  Runtime rt(with_workers(2));
  std::atomic<std::size_t> ran{0};
  for (std::size_t i = 0; i < rounds; ++i) {
    std::thread passer_by([&] {
      for (int k = 0; k < 5; ++k) rt.submit("one", [&] { ++ran; });
      rt.wait();
    });
    rt.submit("one", [&] { ++ran; });
    rt.wait();
    passer_by.join();
  }
  rt.wait();
  CHECK(ran == 6 * rounds);
}

TEST_CASE("Runtimes begin and end, idle, busy, or with their last task still running") {
  const std::size_t rounds = scaled(300);
  for (const PolicyInfo* policy : schedulers())
    for (const unsigned workers : {1U, 2U, 5U}) {
      INFO(policy->name);
      test::Random random(workers);
      for (std::size_t i = 0; i < rounds / 4; ++i) {
        std::atomic<int> ran{0};
        const int tasks = static_cast<int>(random.below(8));
        {
          Runtime rt(with_workers(workers, policy->name));
          for (int t = 0; t < tasks; ++t) rt.submit("one", [&] { ++ran; });
          if (random.chance(0.3)) rt.wait();
          if (random.chance(0.3)) pause(random);
        }
        REQUIRE(ran == tasks);
      }
    }
}

TEST_CASE("Runtimes with many workers begin and end") {
  const std::size_t rounds = scaled(30) + 1;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::atomic<int> ran{0};
    {
      Runtime rt(with_workers(64));
      for (int t = 0; t < 100; ++t) rt.submit("one", [&] { ++ran; });
    }
    REQUIRE(ran == 100);
  }
}

TEST_CASE("guards are taken and given back while workers sleep and wake") {
  const std::size_t rounds = scaled(5000);
  for (const unsigned workers : {1U, 2U, 8U}) {
    test::Random random(workers);
    Runtime rt(with_workers(workers));
    long number = 0;
    auto n = rt.data(number, "n");
    for (std::size_t i = 0; i < rounds; ++i) {
      {
        const auto guard = rt.acquire(n.readwrite());
        rt.submit("add", [](long& v) { v += 1; }, n.readwrite());
        if (i % 8 == 0) pause(random);
        guard.view() += 10;
      }
      if (i % 16 == 0) rt.wait();
    }
    rt.wait();
    CHECK(number == static_cast<long>(11 * rounds));
  }
}
