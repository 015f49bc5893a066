// Storms of tiny tasks: many at once, from many threads, commuting, nested, failing; with few workers and many.
#include <atomic>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::scaled;
using test::with_workers;

namespace {

constexpr unsigned kWorkers[] = {1, 2, 8, 64};

template <class Body>
void in_threads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&body, t] { body(t); });
  for (std::thread& t : threads) t.join();
}

template <class Test>
void under_every_policy(Test test) {
  for (const PolicyInfo* policy : schedulers())
    for (const unsigned workers : kWorkers) {
      INFO(policy->name << ", " << workers << " workers");
      test(with_workers(workers, policy->name));
    }
}

}  // namespace

TEST_CASE("a storm of independent tasks") {
  const std::size_t tasks = scaled(200'000);
  under_every_policy([&](const Config& config) {
    Runtime rt(config);
    std::atomic<std::size_t> ran{0};
    for (std::size_t i = 0; i < tasks; ++i) rt.submit("tiny", [&] { ran.fetch_add(1, std::memory_order_relaxed); });
    rt.wait();
    CHECK(ran == tasks);
  });
}

TEST_CASE("a storm on a stencil of data, each cell counting its visits") {
  const std::size_t width = 64, steps = scaled(1000);
  under_every_policy([&](const Config& config) {
    Runtime rt(config);
    std::vector<std::size_t> cells[2] = {std::vector<std::size_t>(width, 0), std::vector<std::size_t>(width, 0)};
    std::vector<Object<std::size_t>> handles[2];
    for (int side = 0; side < 2; ++side)
      for (std::size_t& cell : cells[side]) handles[side].push_back(rt.data(cell));
    std::atomic<int> wrong{0};
    for (std::size_t s = 0; s < steps; ++s) {
      const auto& from = handles[s % 2];
      const auto& to = handles[(s + 1) % 2];
      for (std::size_t i = 0; i < width; ++i)
        rt.submit("cell", [&wrong, s](const std::size_t& l, const std::size_t& c, const std::size_t& r, std::size_t& out) {
          wrong += l != s || c != s || r != s;
          out = s + 1;
        }, from[(i + width - 1) % width].read(), from[i].read(), from[(i + 1) % width].read(), to[i].write());
    }
    rt.wait();
    CHECK(wrong == 0);
    CHECK(cells[steps % 2] == std::vector<std::size_t>(width, steps));
  });
}

TEST_CASE("a storm from many threads at once") {
  const std::size_t each = scaled(10'000);
  under_every_policy([&](const Config& config) {
    Runtime rt(config);
    std::atomic<std::size_t> ran{0};
    std::size_t shared = 0;
    auto s = rt.data(shared, "shared");
    in_threads(8, [&](int t) {
      std::size_t own = 0;
      auto o = rt.data(own, "own");
      for (std::size_t i = 0; i < each; ++i) {
        rt.submit("own", [](std::size_t& v) { ++v; }, o.readwrite());
        if (i % 16 == 0) rt.submit("shared", [](std::size_t& v) { ++v; }, s.readwrite());
        if (i % 1024 == 0 && t % 2 == 0) rt.wait(o);
      }
      rt.wait(o);
      ran += own;
    });
    rt.wait();
    CHECK(ran == 8 * each);
    CHECK(shared == 8 * ((each + 15) / 16));
  });
}

TEST_CASE("a storm of commuting tasks on few data") {
  const std::size_t tasks = scaled(20'000);
  for (const unsigned workers : kWorkers) {
    Runtime rt(with_workers(workers));
    std::vector<std::size_t> values(3, 0);
    std::vector<Object<std::size_t>> handles;
    for (std::size_t& v : values) handles.push_back(rt.data(v));
    test::Random random(1);
    for (std::size_t i = 0; i < tasks; ++i) {
      const std::size_t first = random.below(3), second = (first + 1 + random.below(2)) % 3;
      rt.submit("both", [](std::size_t& a, std::size_t& b) { ++a, ++b; }, handles[first].commute(), handles[second].commute());
    }
    rt.wait();
    CHECK(values[0] + values[1] + values[2] == 2 * tasks);
  }
}

TEST_CASE("a storm of reductions, each group read once") {
  const std::size_t groups = scaled(2000);
  for (const unsigned workers : kWorkers) {
    Runtime rt(with_workers(workers));
    std::size_t value = 0;
    auto v = rt.data(value, "v");
    std::atomic<int> wrong{0};
    for (std::size_t g = 1; g <= groups; ++g) {
      for (int i = 0; i < 8; ++i) rt.submit("add", [](std::size_t& c) { ++c; }, v.reduce(Sum{}));
      rt.submit("check", [&wrong, g](const std::size_t& x) { wrong += x != 8 * g; }, v.read());
    }
    rt.wait();
    CHECK(wrong == 0);
  }
}

TEST_CASE("a storm of tasks in tasks in tasks") {
  const std::size_t parents = scaled(300);
  under_every_policy([&](const Config& config) {
    Runtime rt(config);
    std::atomic<std::size_t> ran{0};
    for (std::size_t p = 0; p < parents; ++p)
      rt.submit("parent", [&, p] {
        for (int c = 0; c < 6; ++c)
          rt.submit("child", [&, c] {
            for (int g = 0; g < 4; ++g) rt.submit("grandchild", [&] { ++ran; });
            if (c % 2 == 0) rt.wait();
            ++ran;
          });
        if (p % 3 == 0) rt.wait();
        ++ran;
      });
    rt.wait();
    CHECK(ran == parents * (1 + 6 + 24));
  });
}

TEST_CASE("a storm of failures among tasks that depend on them and tasks that do not") {
  const int rounds = static_cast<int>(scaled(100));
  for (const unsigned workers : kWorkers) {
    Runtime rt(with_workers(workers));
    std::atomic<int> free{0}, bound{0};
    std::vector<int> values(4, 0);
    std::vector<Object<int>> handles;
    for (int& v : values) handles.push_back(rt.data(v));
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < 4; ++i) {
        rt.submit("fail", [](int&) { throw std::runtime_error("storm"); }, handles[i].write());
        for (int k = 0; k < 20; ++k) {
          rt.submit("bound", [&](const int&) { ++bound; }, handles[i].read());
          rt.submit("free", [&] { ++free; });
        }
      }
      CHECK_THROWS_AS(rt.wait(), TaskError);
    }
    CHECK(free == rounds * 80);
    CHECK(bound == 0);
  }
}

TEST_CASE("a storm of cancellations: a task is cancelled or has run, never both") {
  const std::size_t rounds = scaled(300);
  for (const unsigned workers : kWorkers) {
    Runtime rt(with_workers(workers));
    test::Random random(workers);
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<std::size_t> values(4, 0);
      std::vector<Object<std::size_t>> handles;
      for (std::size_t& v : values) handles.push_back(rt.data(v));
      std::vector<std::atomic<int>> ran(40);
      std::vector<Task> tasks;
      for (std::size_t i = 0; i < ran.size(); ++i) {
        const auto& handle = random.pick(handles);
        const auto body = [&ran, i](auto&&...) { ++ran[i]; };
        switch (random.below(5)) {
          case 0: tasks.push_back(rt.submit("commute", body, handle.commute())); break;
          case 1: tasks.push_back(rt.submit("reduce", body, handle.reduce(Sum{}))); break;
          case 2: tasks.push_back(rt.submit("write", body, handle.write())); break;
          case 3:
            tasks.push_back(rt.submit("parent", [&rt, &ran, i] {
              ++ran[i];
              rt.submit("child", [] {});
            }));
            break;
          default: tasks.push_back(rt.submit("free", body)); break;
        }
        if (random.chance(0.2)) random.pick(tasks).cancel();
      }
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        tasks[i].wait();
        REQUIRE(tasks[i].status() == (ran[i] == 1 ? TaskStatus::done : TaskStatus::cancelled));
      }
      REQUIRE_NOTHROW(rt.wait());
      for (const auto& count : ran) REQUIRE(count <= 1);
    }
  }
}

TEST_CASE("a storm in which each task follows all of the step before: more edges than a record holds") {
  const std::size_t steps = scaled(12'000);
  for (const std::size_t width : {std::size_t{6}, std::size_t{12}, std::size_t{40}})
    for (const unsigned workers : kWorkers) {
      Runtime rt(with_workers(workers));
      std::vector<std::size_t> values[2] = {std::vector<std::size_t>(width, 0), std::vector<std::size_t>(width, 0)};
      std::vector<Object<std::size_t>> handles[2];
      for (int side = 0; side < 2; ++side)
        for (std::size_t& v : values[side]) handles[side].push_back(rt.data(v));
      std::atomic<int> wrong{0};
      for (std::size_t s = 0; s < steps * 6 / width; ++s)
        for (std::size_t i = 0; i < width; ++i)
          rt.submit("all", [&wrong, s](std::size_t& out, auto before) {
            for (std::size_t k = 0; k < before.size(); ++k) wrong += before[k] != s;
            out = s + 1;
          }, handles[(s + 1) % 2][i].write(), read_all(handles[s % 2]));
      rt.wait();
      CHECK(wrong == 0);
    }
}

TEST_CASE("a storm of replays") {
  const std::size_t replays = scaled(2000);
  for (const unsigned workers : kWorkers) {
    Runtime rt(with_workers(workers));
    std::vector<std::size_t> values(200, 0);
    std::vector<Object<std::size_t>> handles;
    for (std::size_t& v : values) handles.push_back(rt.data(v));
    const auto graph = rt.record([&] {
      for (std::size_t i = 0; i < handles.size(); ++i)
        rt.submit("step", [](const std::size_t& left, std::size_t& v) { v = left + 1 > v ? left + 1 : v + 1; },
                  handles[i == 0 ? handles.size() - 1 : i - 1].read(), handles[i].readwrite());
    });
    std::vector<std::size_t> expected(values);
    for (std::size_t r = 0; r < replays; ++r) {
      rt.replay(graph);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::size_t left = expected[i == 0 ? expected.size() - 1 : i - 1];
        expected[i] = left + 1 > expected[i] ? left + 1 : expected[i] + 1;
      }
    }
    rt.wait();
    CHECK(values == expected);
  }
}
