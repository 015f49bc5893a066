// Edges by TaskOptions.after, beside those that data give.
#include <atomic>
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::foreseeable;
using test::with_workers;

TEST_CASE("a task runs after the tasks that it names") {
  Runtime rt(foreseeable());
  std::vector<int> ran;
  const Task a = rt.submit({.priority = 1}, [&] { ran.push_back(1); });
  const Task b = rt.submit({.priority = 0}, [&] { ran.push_back(2); });
  rt.submit({.priority = 9, .after = {a, b}}, [&] { ran.push_back(3); });
  rt.submit({.priority = 5}, [&] { ran.push_back(4); });
  rt.wait();
  CHECK(ran == std::vector<int>{4, 1, 2, 3});
}

TEST_CASE("edges and data order together") {
  Runtime rt(foreseeable());
  int number = 0;
  auto n = rt.data(number, "n");
  std::vector<int> ran;
  const Task a = rt.submit({.priority = 0}, [&] { ran.push_back(1); });
  rt.submit({.priority = 1}, [&](int&) { ran.push_back(2); }, n.write());
  rt.submit({.priority = 9, .after = {a}}, [&](const int&) { ran.push_back(3); }, n.read());
  rt.wait();
  CHECK(ran == std::vector<int>{2, 1, 3});
}

TEST_CASE("an edge to a finished task, to none, or twice to the same holds nothing up") {
  Runtime rt(with_workers(2));
  std::atomic<int> ran{0};
  const Task finished = rt.submit("first", [&] { ++ran; });
  rt.wait();
  rt.submit({.after = {finished, Task{}}}, [&] { ++ran; });
  const Task pending = rt.submit("third", [&] { ++ran; });
  rt.submit({.after = {pending, pending, finished, pending}}, [&] { ++ran; });
  rt.wait();
  CHECK(ran == 4);
}

TEST_CASE("an edge to a task of long ago holds nothing up, though its record serves others now") {
  Runtime rt(with_workers(1));
  const Task old = rt.submit("old", [] {});
  rt.wait();
  auto token = rt.token();
  std::vector<int> ran;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 1000; ++i) rt.submit("filler", [] {}, token.readwrite());
    rt.submit({.after = {old}}, [&ran, round] { ran.push_back(round); });
    rt.wait();
  }
  CHECK(ran == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a long chain of edges runs in order") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<int> ran;
    Task last;
    for (int i = 0; i < 3000; ++i) last = rt.submit({.after = {last}}, [&ran, i] { ran.push_back(i); });
    rt.wait();
    REQUIRE(ran.size() == 3000);
    for (std::size_t i = 0; i < ran.size(); ++i) REQUIRE(ran[i] == static_cast<int>(i));
  }
}

TEST_CASE("a task waits for as many others as it names, and as many wait for one") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::atomic<int> before{0}, after{0}, seen{-1}, early{0};
    std::vector<Task> all;
    for (int i = 0; i < 500; ++i) all.push_back(rt.submit("before", [&] { ++before; }));
    const Task middle = rt.submit({.after = all}, [&] { seen = before.load(); });
    for (int i = 0; i < 500; ++i)
      rt.submit({.after = {middle}}, [&] {
        early += seen == -1;
        ++after;
      });
    rt.wait();
    CHECK(seen == 500);
    CHECK(after == 500);
    CHECK(early == 0);
  }
}

TEST_CASE("children name their siblings") {
  Runtime rt(foreseeable());
  std::vector<int> ran;
  rt.submit("parent", [&] {
    const Task first = rt.submit({.priority = 0}, [&] { ran.push_back(1); });
    rt.submit({.priority = 9, .after = {first}}, [&] { ran.push_back(2); });
  });
  rt.wait();
  CHECK(ran == std::vector<int>{1, 2});
}

TEST_CASE("an edge from a replay and to a replay orders its tasks") {
  Runtime rt(foreseeable());
  std::vector<int> ran;
  const auto graph = rt.record([&] { rt.submit({.priority = 5}, [&] { ran.push_back(2); }); });
  const Task before = rt.submit({.priority = -9}, [&] { ran.push_back(1); }, rt.token().read());
  rt.submit({.priority = -9, .after = {before}}, [&] { ran.push_back(10); });
  rt.wait();
  const Task replay = rt.replay(graph);
  rt.submit({.priority = 9, .after = {replay}}, [&] { ran.push_back(3); });
  rt.wait();
  CHECK(ran == std::vector<int>{1, 10, 2, 3});
}
