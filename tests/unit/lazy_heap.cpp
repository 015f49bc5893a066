// Data structures of policies that look at few of many candidates: LazyHeap, TaskPlaces.
#include <algorithm>
#include <random>
#include <vector>

#include <mitra/lazy_heap.hpp>
#include <mitra/task_places.hpp>

#include "conformance/fake_graph.hpp"
#include "support/catch.hpp"

using namespace mitra;

TEST_CASE("a lazy heap gives what is worth most at the moment, the smallest number among equals") {
  std::mt19937 random(7);
  constexpr std::uint32_t kThings = 40;
  std::vector<double> worth(kThings, 0.0);
  LazyHeap heap;
  for (int step = 0; step < 20000; ++step) {
    const auto thing = static_cast<std::uint32_t>(random() % kThings);
    const double before = worth[thing];
    worth[thing] = static_cast<double>(random() % 8);
    if (worth[thing] > before) heap.offer(thing, worth[thing]);
    if (step % 3 != 0) continue;
    const auto best = std::max_element(worth.begin(), worth.end());
    const std::uint32_t taken = heap.take([&](std::uint32_t t) { return worth[t]; });
    if (*best == 0.0) {
      REQUIRE(taken == LazyHeap::kNone);
      continue;
    }
    REQUIRE(taken == static_cast<std::uint32_t>(best - worth.begin()));
    worth[taken] = 0.0;
  }
}

TEST_CASE("a lazy heap forgets what it has given until it is offered again") {
  LazyHeap heap;
  const auto worth = [](std::uint32_t) { return 1.0; };
  heap.offer(3, 1.0);
  heap.offer(3, 1.0);
  CHECK(heap.take(worth) == 3);
  CHECK(heap.take(worth) == LazyHeap::kNone);
  heap.offer(3, 1.0);
  CHECK(heap.take(worth) == 3);
}

TEST_CASE("places of tasks: the most urgent that suits stays, those before it are dropped") {
  conformance::FakeGraph graph;
  graph.nodes.resize(3);
  const conformance::FakeTask first(graph, 0), second(graph, 1), third(graph, 2);
  TaskPlaces places;
  places.push(third.ref(), 30);
  places.push(first.ref(), 10);
  places.push(second.ref(), 20);
  const auto all = [](std::uint32_t, TaskId) { return true; };
  CHECK(places.top(all) == 10);
  CHECK(places.top(all) == 10);
  CHECK(places.top([](std::uint32_t place, TaskId) { return place != 10; }) == 20);
  CHECK(places.top(all) == 20);
  CHECK(places.top([&](std::uint32_t, TaskId id) { return id == third.ref().id(); }) == 30);
  CHECK(places.top([](std::uint32_t, TaskId) { return false; }) == TaskPlaces::kNone);
  CHECK(places.top(all) == TaskPlaces::kNone);
}
