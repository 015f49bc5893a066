// The queue of one owner and many thieves: order, batches, wrap-around, and nothing lost or doubled among threads.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mitra/work_stealing_queue.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

using Queue = mitra::WorkStealingQueue<std::uintptr_t>;

TEST_CASE("what is pushed is popped, the oldest first") {
  Queue queue(128);
  CHECK(queue.empty());
  CHECK(queue.pop() == 0);
  for (std::uintptr_t i = 1; i <= 100; ++i) REQUIRE(queue.push(i));
  CHECK(queue.size() == 100);
  CHECK_FALSE(queue.empty());
  for (std::uintptr_t i = 1; i <= 100; ++i) REQUIRE(queue.pop() == i);
  CHECK(queue.pop() == 0);
  CHECK(queue.empty());
}

TEST_CASE("a full queue refuses, until there is room again") {
  Queue queue(64);
  std::uintptr_t held = 0;
  while (queue.push(held + 1)) REQUIRE(++held < 1000);
  CHECK(held >= 64);
  CHECK(queue.pop() == 1);
  CHECK(queue.push(held + 1));
  CHECK_FALSE(queue.push(held + 2));
  for (std::uintptr_t i = 2; i <= held + 1; ++i) REQUIRE(queue.pop() == i);
}

TEST_CASE("a capacity that is no power of two holds at least what was asked for") {
  Queue queue(100);
  for (std::uintptr_t i = 1; i <= 100; ++i) REQUIRE(queue.push(i));
}

TEST_CASE("a thief takes the older half, and at most a batch") {
  for (const std::size_t held : {1U, 2U, 3U, 7U, 64U, 127U, 200U}) {
    Queue victim(256), own(256);
    for (std::uintptr_t i = 1; i <= held; ++i) victim.push(i);
    const std::size_t taken = std::min<std::size_t>((held + 1) / 2, Queue::kLargestBatch);
    REQUIRE(victim.steal_half(own) == 1);
    CHECK(own.size() == taken - 1);
    CHECK(victim.size() == held - taken);
    for (std::uintptr_t i = 2; i <= taken; ++i) REQUIRE(own.pop() == i);
    for (std::uintptr_t i = taken + 1; i <= held; ++i) REQUIRE(victim.pop() == i);
  }
  Queue empty(64), own(64);
  CHECK(empty.steal_half(own) == 0);
  CHECK(own.empty());
}

TEST_CASE("a queue behaves like a list through many turns of its ring") {
  for (const std::uint64_t seed : mitra::test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    mitra::test::Random random(seed);
    Queue queue(64), other(64);
    std::deque<std::uintptr_t> model, other_model;
    std::uintptr_t next = 1;
    for (int step = 0; step < 5000; ++step) {
      const std::size_t action = random.below(5);
      if (action < 2) {
        const bool room = queue.push(next);
        REQUIRE(room == (model.size() < 64));
        if (room) model.push_back(next);
        ++next;
      } else if (action == 2) {
        const std::uintptr_t expected = model.empty() ? 0 : model.front();
        if (!model.empty()) model.pop_front();
        REQUIRE(queue.pop() == expected);
      } else if (action == 3 && other_model.empty()) {
        const std::size_t taken = (model.size() + 1) / 2;
        const std::uintptr_t expected = model.empty() ? 0 : model.front();
        REQUIRE(queue.steal_half(other) == expected);
        for (std::size_t i = 0; i < taken; ++i) {
          if (i > 0) other_model.push_back(model.front());
          model.pop_front();
        }
      } else {
        const std::uintptr_t expected = other_model.empty() ? 0 : other_model.front();
        if (!other_model.empty()) other_model.pop_front();
        REQUIRE(other.pop() == expected);
      }
      REQUIRE(queue.size() == model.size());
      REQUIRE(other.size() == other_model.size());
    }
  }
}

TEST_CASE("an owner and thieves take each element once") {
  const std::uintptr_t elements = mitra::test::scaled(200'000);
  const int thieves = 3;
  for (const std::size_t capacity : {std::size_t{64}, std::size_t{1024}}) {
    Queue queue(capacity);
    std::vector<std::atomic<int>> taken(elements + 1);
    std::atomic<std::uintptr_t> left{elements};
    const auto take = [&](std::uintptr_t element) {
      taken[element].fetch_add(1);
      left.fetch_sub(1);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < thieves; ++t)
      threads.emplace_back([&] {
        Queue own(capacity);
        while (left != 0) {
          if (const std::uintptr_t element = queue.steal_half(own)) take(element);
          while (const std::uintptr_t element = own.pop()) take(element);
        }
      });
    for (std::uintptr_t element = 1; element <= elements;) {
      if (queue.push(element)) ++element;
      if (element % 3 == 0)
        if (const std::uintptr_t mine = queue.pop()) take(mine);
    }
    while (left != 0)
      if (const std::uintptr_t mine = queue.pop()) take(mine);
    for (std::thread& t : threads) t.join();
    int wrong = 0;
    for (std::uintptr_t element = 1; element <= elements; ++element) wrong += taken[element] != 1;
    CHECK(wrong == 0);
  }
}

TEST_CASE("thieves steal from each other's spoils without losing any") {
  const std::uintptr_t elements = mitra::test::scaled(100'000);
  const std::size_t threads = 4;
  std::vector<std::unique_ptr<Queue>> queues;
  for (std::size_t t = 0; t < threads; ++t) queues.push_back(std::make_unique<Queue>(256));
  std::vector<std::atomic<int>> taken(elements + 1);
  std::atomic<std::uintptr_t> left{elements}, next{1};
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      mitra::test::Random random(t + 1);
      Queue& own = *queues[t];
      const auto take = [&](std::uintptr_t element) {
        taken[element].fetch_add(1);
        left.fetch_sub(1);
      };
      while (left != 0) {
        if (random.chance(0.3))
          for (int i = 0; i < 20 && own.size() < 200; ++i) {
            const std::uintptr_t element = next.fetch_add(1);
            if (element > elements) break;
            if (!own.push(element)) take(element);
          }
        std::uintptr_t element = own.pop();
        if (element == 0) element = queues[random.below(threads)]->steal_half(own);
        if (element != 0) take(element);
      }
    });
  for (std::thread& w : workers) w.join();
  int wrong = 0;
  for (std::uintptr_t element = 1; element <= elements; ++element) wrong += taken[element] != 1;
  CHECK(wrong == 0);
}

TEST_CASE("what the owner wrote before a push is visible to the thief") {
  struct Item { std::uint64_t plain; };
  const std::size_t items = mitra::test::scaled(100'000);
  std::vector<Item> storage(items + 1);
  mitra::WorkStealingQueue<Item*> queue(256);
  std::atomic<std::size_t> left{items};
  std::atomic<int> wrong{0};
  std::thread thief([&] {
    mitra::WorkStealingQueue<Item*> own(256);
    const auto look = [&](const Item* item) {
      wrong += item->plain != static_cast<std::uint64_t>(item - storage.data());
      left.fetch_sub(1);
    };
    while (left != 0) {
      if (const Item* item = queue.steal_half(own)) look(item);
      while (const Item* item = own.pop()) look(item);
    }
  });
  for (std::size_t i = 1; i <= items; ++i) {
    storage[i].plain = i;
    while (!queue.push(&storage[i])) std::this_thread::yield();
  }
  thief.join();
  CHECK(wrong == 0);
}
