// Commuting accesses: exclusive, in any order, several of them at once, without a deadlock.
#include <atomic>
#include <deque>
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::with_workers;

namespace {

/// Data that notice when two tasks are inside at once.
class Table {
 public:
  Table(Runtime& rt, std::size_t places) : values_(places, 0), inside_(places) {
    for (long& v : values_) handles.push_back(rt.data(v, "place"));
  }
  void use(std::size_t place) {
    overlaps_ += inside_[place].fetch_add(1) != 0;
    ++values_[place];
    inside_[place].fetch_sub(1);
  }
  long value(std::size_t place) const { return values_[place]; }
  int overlaps() const { return overlaps_; }

  std::vector<Object<long>> handles;

 private:
  std::vector<long> values_;
  std::deque<std::atomic<int>> inside_;
  std::atomic<int> overlaps_{0};
};

}  // namespace

TEST_CASE("commuting tasks add up without losing one") {
  for (const unsigned workers : {1U, 2U, 8U, 64U}) {
    Runtime rt(with_workers(workers));
    Table table(rt, 1);
    for (int i = 0; i < 2000; ++i) rt.submit("add", [&](long&) { table.use(0); }, table.handles[0].commute());
    rt.wait();
    CHECK(table.value(0) == 2000);
    CHECK(table.overlaps() == 0);
  }
}

TEST_CASE("philosophers eat with two forks each, and none starves") {
  const int meals = static_cast<int>(test::scaled(200));
  for (const unsigned workers : {1U, 2U, 8U})
    for (const std::size_t seats : {std::size_t{2}, std::size_t{5}, std::size_t{64}}) {
      Runtime rt(with_workers(workers));
      Table forks(rt, seats);
      for (int meal = 0; meal < meals; ++meal)
        for (std::size_t seat = 0; seat < seats; ++seat) {
          const std::size_t left = seat, right = (seat + 1) % seats;
          rt.submit("eat", [&forks, left, right](long&, long&) { forks.use(left); forks.use(right); },
                    forks.handles[left].commute(), forks.handles[right].commute());
        }
      rt.wait();
      for (std::size_t fork = 0; fork < seats; ++fork) CHECK(forks.value(fork) == 2 * meals);
      CHECK(forks.overlaps() == 0);
    }
}

TEST_CASE("overlapping sets of commuting data, named in any order, do not deadlock") {
  for (const std::uint64_t seed : test::seeds(10)) {
    MITRA_INFO_SEED(seed);
    for (const unsigned workers : {1U, 2U, 8U}) {
      test::Random random(seed);
      Runtime rt(with_workers(workers));
      const std::size_t places = 8;
      Table table(rt, places);
      std::vector<long> expected(places, 0);
      std::vector<std::size_t> all(places);
      for (std::size_t i = 0; i < places; ++i) all[i] = i;
      for (int task = 0; task < 200; ++task) {
        random.shuffle(all);
        const std::vector<std::size_t> chosen(all.begin(), all.begin() + 1 + static_cast<long>(random.below(places)));
        AccessList<ObjectKind<long>, AccessMode::commute> list;
        for (const std::size_t place : chosen) {
          list.data.push_back(table.handles[place].header());
          ++expected[place];
        }
        rt.submit("use", [&table, chosen](auto) { for (const std::size_t place : chosen) table.use(place); }, list);
      }
      rt.wait();
      for (std::size_t place = 0; place < places; ++place) CHECK(table.value(place) == expected[place]);
      CHECK(table.overlaps() == 0);
    }
  }
}

TEST_CASE("groups of commuting tasks are ordered with what comes before and after") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long number = 0;
    auto n = rt.data(number, "n");
    std::vector<long> seen;
    for (int group = 0; group < 50; ++group) {
      rt.submit("set", [group](long& v) { v = 1000 * group; }, n.write());
      for (int i = 0; i < 10; ++i) rt.submit("add", [](long& v) { ++v; }, n.commute());
      rt.submit("look", [&](const long& v) { seen.push_back(v); }, n.read());
    }
    rt.wait();
    REQUIRE(seen.size() == 50);
    for (std::size_t group = 0; group < seen.size(); ++group) CHECK(seen[group] == static_cast<long>(1000 * group + 10));
  }
}

TEST_CASE("a task that waits for one of its commuting data does not hold the others") {
  Runtime rt(test::foreseeable());
  long a = 0, b = 0, c = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y"), z = rt.data(c, "z");
  std::vector<int> ran;
  rt.submit({.priority = -1}, [&](long&) { ran.push_back(2); }, z.write());
  rt.submit({.priority = 9}, [&](auto&&...) { ran.push_back(3); }, x.commute(), y.commute(), z.read());
  rt.submit({.priority = 0}, [&](long&) { ran.push_back(1); }, y.commute());
  rt.wait();
  CHECK(ran == std::vector<int>{1, 2, 3});
}

TEST_CASE("commuting tasks also read, write and wait for edges") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long sum = 0, factor = 1;
    auto s = rt.data(sum, "sum"), f = rt.data(factor, "factor");
    Task last;
    for (int i = 0; i < 100; ++i) {
      rt.submit("scale", [](long& v) { v = 3 - v; }, f.readwrite());  // 2, 1, 2, 1, ...
      last = rt.submit({.after = {last}}, [](long& v, const long& k) { v += k; }, s.commute(), f.read());
    }
    rt.wait();
    CHECK(sum == 150);
  }
}

TEST_CASE("tokens commute") {
  Runtime rt(with_workers(8));
  auto turn = rt.token("turn");
  int plain = 0;  // not atomic: the token protects it
  for (int i = 0; i < 3000; ++i) rt.submit("add", [&] { ++plain; }, turn.commute());
  rt.wait();
  CHECK(plain == 3000);
}
