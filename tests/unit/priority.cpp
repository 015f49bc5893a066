// The policy `priority` with one worker: the most urgent ready task first, ties in the order of submission.
#include <algorithm>
#include <limits>
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"

using namespace mitra;

TEST_CASE("independent tasks run by priority, and in the order of submission among equals") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    Runtime rt(test::foreseeable());
    struct Entry { int priority, number; bool operator==(const Entry&) const = default; };
    std::vector<Entry> expected, ran;
    for (int i = 0; i < 200; ++i) {
      const int priority = random.between(-5, 5);
      expected.push_back({priority, i});
      rt.submit({.priority = priority}, [&ran, priority, i] { ran.push_back({priority, i}); });
    }
    std::ranges::stable_sort(expected, std::greater{}, &Entry::priority);
    rt.wait();
    CHECK((ran == expected));
  }
}

TEST_CASE("the whole range of priorities is told apart") {
  Runtime rt(test::foreseeable());
  const int low = std::numeric_limits<int>::min(), high = std::numeric_limits<int>::max();
  std::vector<int> ran;
  for (const int priority : {0, low, high, low + 1, high - 1})
    rt.submit({.priority = priority}, [&ran, priority] { ran.push_back(priority); });
  rt.wait();
  CHECK(ran == std::vector<int>{high, high - 1, 0, low + 1, low});
}

TEST_CASE("a task that becomes ready overtakes less urgent ones that wait longer") {
  Runtime rt(test::foreseeable());
  std::vector<char> ran;
  auto token = rt.token();
  rt.submit({.priority = 5}, [&] { ran.push_back('a'); }, token.write());
  for (int i = 0; i < 3; ++i) rt.submit({.priority = 3}, [&] { ran.push_back('b'); });
  rt.submit({.priority = 4}, [&] { ran.push_back('c'); }, token.read());
  rt.submit({.priority = 1}, [&] { ran.push_back('d'); }, token.read());
  rt.wait();
  CHECK(ran == std::vector<char>{'a', 'c', 'b', 'b', 'b', 'd'});
}

TEST_CASE("a codelet's task has the priority of its submission") {
  Runtime rt(test::foreseeable());
  std::vector<int> ran;
  const auto note = codelet("note").cpu([&ran](int n) { ran.push_back(n); });
  rt.submit({.priority = 1}, note, 1);
  rt.submit({.priority = 2}, note, 2);
  rt.submit(note, 0);
  rt.wait();
  CHECK(ran == std::vector<int>{2, 1, 0});
}
