// What a Runtime counts, and that the memory of task records depends on the window, not on the number of tasks.
#include <mitra/mitra.hpp>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::with_workers;

namespace {

std::uint64_t sum(const std::vector<std::uint64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}

}  // namespace

TEST_CASE("submitted and executed tasks are counted, in all and by worker") {
  for (const unsigned workers : {1U, 2U, 5U}) {
    Runtime rt(with_workers(workers));
    CHECK(rt.statistics().submitted == 0);
    CHECK(rt.statistics().executed == 0);
    int number = 0;
    auto n = rt.data(number, "n");
    for (int i = 0; i < 100; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite());
    rt.wait();
    Statistics statistics = rt.statistics();
    CHECK(statistics.submitted == 100);
    CHECK(statistics.executed == 100);
    CHECK(statistics.executed_by_worker.size() == workers);
    CHECK(sum(statistics.executed_by_worker) == 100);

    rt.submit("parent", [&] { for (int i = 0; i < 10; ++i) rt.submit("child", [] {}); });
    rt.wait();
    statistics = rt.statistics();
    CHECK(statistics.submitted == 111);
    CHECK(statistics.executed == 111);
  }
}

TEST_CASE("each node of a replay counts once a replay, recording counts nothing") {
  Runtime rt(with_workers(2));
  const auto graph = rt.record([&] { for (int i = 0; i < 7; ++i) rt.submit("node", [] {}); });
  CHECK(rt.statistics().submitted == 0);
  for (int i = 0; i < 3; ++i) rt.replay(graph);
  rt.wait();
  CHECK(rt.statistics().submitted == 21);
  CHECK(rt.statistics().executed == 21);
}

TEST_CASE("waits, guards and what the engine inserts are not counted as submitted") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  Task last;
  for (int i = 0; i < 10; ++i) rt.submit("reader", [](const int&) {}, n.read());
  for (int i = 0; i < 10; ++i) last = rt.submit("commuter", [](int& v) { ++v; }, n.commute());
  last.wait();
  rt.wait(n);
  { const auto guard = rt.acquire(n.read()); }
  rt.wait();
  CHECK(rt.statistics().submitted == 20);
}

TEST_CASE("folds of reductions are among the executed") {
  Runtime rt(with_workers(2));
  long value = 0;
  auto v = rt.data(value, "v");
  for (int i = 0; i < 10; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
  rt.wait();
  CHECK(rt.statistics().submitted == 10);
  CHECK(rt.statistics().executed >= 10);
}

TEST_CASE("cancelled tasks are submitted, not executed") {
  Runtime rt(with_workers(1));
  rt.submit("task", [] {}).cancel();
  rt.submit("task", [] {});
  rt.wait();
  CHECK(rt.statistics().submitted == 2);
  CHECK(rt.statistics().executed == 1);
}

TEST_CASE("a million tasks need no more records than the window holds, and what the threads keep") {
  const std::size_t few = test::scaled(100'000);
  for (const unsigned workers : {1U, 2U}) {
    Config config = with_workers(workers);
    config.window = 2048;
    Runtime rt(config);
    std::vector<long> values(64, 0);
    std::vector<Object<long>> handles;
    for (long& v : values) handles.push_back(rt.data(v));
    const auto run = [&](std::size_t tasks) {
      for (std::size_t i = 0; i < tasks; ++i)
        rt.submit("step", [](const long&, long& v) { ++v; }, handles[(i + 1) % 64].read(), handles[i % 64].readwrite());
      rt.wait();
      return rt.statistics().record_bytes;
    };
    // How full the window is, is a matter of time: fewer records are no promise.
    const std::uint64_t of_window = config.window * 256, of_threads = 4 * 65'536;  // bytes
    CHECK(run(few) > 0);
    CHECK(run(10 * few) <= of_window + of_threads);
    CHECK(sum({rt.statistics().submitted}) == 11 * few);
  }
}

TEST_CASE("graphs with many successors and edges return their memory, too") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto run = [&](int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<Task> readers;
      for (int i = 0; i < 50; ++i) readers.push_back(rt.submit("reader", [](const int&) {}, n.read()));
      rt.submit({.after = readers}, [](int& v) { ++v; }, n.readwrite());
    }
    rt.wait();
    return rt.statistics().record_bytes;
  };
  const std::uint64_t first = run(200);  // enough to fill the window
  const std::uint64_t second = run(static_cast<int>(test::scaled(5000)));
  CHECK(second <= first + first / 2);
}

TEST_CASE("a task in flight with four accesses takes at most 256 bytes") {
  const std::size_t tasks = 60'000;
  Config config = with_workers(1);
  config.window = 65'536;
  Runtime rt(config);
  std::vector<long> values(256, 0);
  std::vector<Object<long>> handles;
  for (long& v : values) handles.push_back(rt.data(v));
  for (std::size_t i = 0; i < tasks; ++i)
    rt.submit("four", [](const long&, const long&, const long&, long& v) { ++v; }, handles[i % 256].read(),
              handles[(i + 1) % 256].read(), handles[(i + 2) % 256].read(), handles[(i + 3) % 256].readwrite());
  CHECK(rt.statistics().executed == 0);
  CHECK(rt.statistics().record_bytes <= 256 * config.window);
  rt.wait();
  CHECK(std::accumulate(values.begin(), values.end(), 0L) == static_cast<long>(tasks));
}
