// The queue of virtual time against a sorted list: order, ties, withdrawal, other times.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "backends/sim/event_queue.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using mitra::Seconds;
using mitra::sim::EventId;
using mitra::sim::EventQueue;

TEST_CASE("events come by time, and at the same time in the order of their push") {
  EventQueue queue;
  CHECK(queue.empty());
  CHECK(queue.next_time().value == std::numeric_limits<double>::infinity());
  queue.push(Seconds(2.0), {20, 1});
  queue.push(Seconds(1.0), {10, 2});
  queue.push(Seconds(2.0), {21, 3});
  queue.push(Seconds(-0.0), {0, 4});
  queue.push(Seconds(0.0), {1, 5});
  CHECK(queue.size() == 5);
  CHECK(queue.next_time() == Seconds(0.0));
  std::vector<std::uint64_t> tokens;
  std::vector<std::uint32_t> kinds;
  while (!queue.empty()) {
    const mitra::sim::Event event = queue.pop();
    tokens.push_back(event.token);
    kinds.push_back(event.kind);
  }
  CHECK(tokens == std::vector<std::uint64_t>{0, 1, 10, 20, 21});
  CHECK(kinds == std::vector<std::uint32_t>{4, 5, 2, 1, 3});
}

TEST_CASE("an event that has another time keeps its place among those of that time") {
  EventQueue queue;
  const EventId first = queue.push(Seconds(1.0), {1});
  queue.push(Seconds(5.0), {2});
  const EventId third = queue.push(Seconds(9.0), {3});
  CHECK(queue.retime(first, Seconds(5.0)));
  CHECK(queue.retime(third, Seconds(5.0)));
  CHECK(queue.pop().token == 1);
  CHECK(queue.pop().token == 2);
  CHECK(queue.pop().token == 3);
}

TEST_CASE("an event that is gone cannot be withdrawn, though its slot is in use again") {
  EventQueue queue;
  CHECK_FALSE(queue.contains(EventId{}));
  CHECK_FALSE(queue.cancel(EventId{}));
  const EventId gone = queue.push(Seconds(1.0), {1});
  queue.pop();
  CHECK_FALSE(queue.contains(gone));
  const EventId present = queue.push(Seconds(1.0), {2});
  CHECK_FALSE(queue.cancel(gone));
  CHECK_FALSE(queue.retime(gone, Seconds(7.0)));
  CHECK(queue.contains(present));
  CHECK(queue.cancel(present));
  CHECK_FALSE(queue.cancel(present));
  CHECK(queue.empty());
}

TEST_CASE("a queue of events behaves like a sorted list") {
  struct Known {
    double time;
    std::uint64_t order;
    EventId id;
    bool operator<(const Known& other) const { return std::pair(time, order) < std::pair(other.time, other.order); }
  };
  for (const std::uint64_t seed : mitra::test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    mitra::test::Random random(seed);
    EventQueue queue;
    std::vector<Known> model;
    std::uint64_t pushed = 0;
    const int growth = random.between(30, 60);  // Of 100 operations, the pushes.
    for (int step = 0; step < 3000; ++step) {
      const int what = random.between(0, 99);
      const double time = 0.5 * random.between(0, 40);  // Few values: many ties.
      if (what < growth || model.empty()) {
        model.push_back({time, pushed, queue.push(Seconds(time), {pushed})});
        ++pushed;
      } else if (what < 80) {
        const auto first = std::ranges::min_element(model, std::less<>{});
        REQUIRE(queue.next_time() == Seconds(first->time));
        REQUIRE(queue.pop().token == first->order);
        model.erase(first);
      } else {
        const std::size_t chosen = random.below(model.size());
        if (what < 90) {
          REQUIRE(queue.cancel(model[chosen].id));
          model.erase(model.begin() + static_cast<std::ptrdiff_t>(chosen));
        } else {
          REQUIRE(queue.retime(model[chosen].id, Seconds(time)));
          model[chosen].time = time;
        }
      }
      REQUIRE(queue.size() == model.size());
    }
  }
}
