// The table of access.hpp, pair by pair: which accesses to one datum are ordered, exclude each other, or are free.
//
// One worker under `priority` tells without a clock: of two tasks, the later one with the higher priority runs first,
// unless it depends on the earlier one. That free accesses really run at the same time needs two threads that meet.
#include <atomic>
#include <mitra/mitra.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::foreseeable;

namespace {

struct Read { static auto of(const Object<long>& x) { return x.read(); } };
struct Write { static auto of(const Object<long>& x) { return x.write(); } };
struct ReadWrite { static auto of(const Object<long>& x) { return x.readwrite(); } };
struct Commute { static auto of(const Object<long>& x) { return x.commute(); } };
struct ReduceSum { static auto of(const Object<long>& x) { return x.reduce(Sum{}); } };
struct ReduceMaximum { static auto of(const Object<long>& x) { return x.reduce(Maximum{}); } };

/// Is a task that makes access `Second` ordered after an earlier one that makes `First`?
template <class First, class Second>
bool ordered() {
  Runtime rt(foreseeable());
  long value = 0;
  auto x = rt.data(value, "x");
  std::vector<int> ran;
  rt.submit({.priority = 0}, [&](auto&&...) { ran.push_back(1); }, First::of(x));
  rt.submit({.priority = 1}, [&](auto&&...) { ran.push_back(2); }, Second::of(x));
  rt.wait();
  REQUIRE(ran.size() == 2);
  return ran.front() == 1;
}

template <class... Modes, class Use>
void each(Use use) {
  (use(Modes{}), ...);
}

/// Do two tasks with this access run at the same time?
template <class Mode>
void meets() {
  Runtime rt(test::with_workers(2));
  long value = 0;
  auto x = rt.data(value, "x");
  test::Rendezvous both(2);
  rt.submit("one", [&](auto&&...) { both.meet(); }, Mode::of(x));
  rt.submit("two", [&](auto&&...) { both.meet(); }, Mode::of(x));
  CHECK_NOTHROW(rt.wait());
}

}  // namespace

TEST_CASE("reads are not ordered among themselves") {
  CHECK_FALSE(ordered<Read, Read>());
  meets<Read>();
}

TEST_CASE("reductions with one operation are not ordered among themselves") {
  CHECK_FALSE(ordered<ReduceSum, ReduceSum>());
  meets<ReduceSum>();
}

TEST_CASE("reductions with different operations are ordered") {
  CHECK(ordered<ReduceSum, ReduceMaximum>());
  CHECK(ordered<ReduceMaximum, ReduceSum>());
}

TEST_CASE("commuting accesses are not ordered: one that must wait for something else lets the later ones pass") {
  Runtime rt(foreseeable());
  long a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  std::vector<int> ran;
  rt.submit({.priority = -1}, [&](long&) { ran.push_back(3); }, y.write());
  rt.submit({.priority = 9}, [&](long&, const long&) { ran.push_back(4); }, x.commute(), y.read());
  rt.submit({.priority = 0}, [&](long&) { ran.push_back(1); }, x.commute());
  rt.submit({.priority = 0}, [&](long&) { ran.push_back(2); }, x.commute());
  rt.wait();
  CHECK(ran == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("a read is ordered with every other mode, both ways") {
  each<Write, ReadWrite, Commute, ReduceSum>([](auto other) {
    using Other = decltype(other);
    CHECK(ordered<Read, Other>());
    CHECK(ordered<Other, Read>());
  });
}

TEST_CASE("a write is ordered with every mode, both ways") {
  each<Read, Write, ReadWrite, Commute, ReduceSum>([](auto other) {
    using Other = decltype(other);
    CHECK(ordered<Write, Other>());
    CHECK(ordered<Other, Write>());
    CHECK(ordered<ReadWrite, Other>());
    CHECK(ordered<Other, ReadWrite>());
  });
}

TEST_CASE("a commuting access is ordered with a reduction, both ways") {
  CHECK(ordered<Commute, ReduceSum>());
  CHECK(ordered<ReduceSum, Commute>());
}

TEST_CASE("scratch accesses are never ordered") {
  Runtime rt(foreseeable());
  auto buffer = rt.scratch<long>(4, "buffer");
  std::vector<int> ran;
  rt.submit({.priority = 0}, [&](View<long>) { ran.push_back(1); }, buffer.scratch());
  rt.submit({.priority = 1}, [&](View<long>) { ran.push_back(2); }, buffer.scratch());
  rt.wait();
  CHECK(ran == std::vector<int>{2, 1});
}

TEST_CASE("accesses to different data are not ordered") {
  Runtime rt(foreseeable());
  long a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  std::vector<int> ran;
  rt.submit({.priority = 0}, [&](long&) { ran.push_back(1); }, x.write());
  rt.submit({.priority = 1}, [&](long&) { ran.push_back(2); }, y.write());
  rt.wait();
  CHECK(ran == std::vector<int>{2, 1});
}

TEST_CASE("a write waits for all readers before it, and all readers after it wait for the write") {
  Runtime rt(foreseeable());
  long value = 1;
  auto x = rt.data(value, "x");
  std::vector<long> seen;
  const int readers = 40;
  for (int i = 0; i < readers; ++i) rt.submit({.priority = -1}, [&](const long& v) { seen.push_back(v); }, x.read());
  rt.submit({.priority = 9}, [](long& v) { v = 2; }, x.write());
  for (int i = 0; i < readers; ++i) rt.submit({.priority = 10}, [&](const long& v) { seen.push_back(v); }, x.read());
  rt.wait();
  std::vector<long> expected(readers, 1);
  expected.insert(expected.end(), readers, 2);
  CHECK(seen == expected);
}

TEST_CASE("a chain of readwrites runs in the order of its submission") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(test::with_workers(workers));
    std::vector<int> values;
    auto token = rt.token("values");
    for (int i = 0; i < 2000; ++i) rt.submit("append", [&values, i] { values.push_back(i); }, token.readwrite());
    rt.wait();
    REQUIRE(values.size() == 2000);
    for (int i = 0; i < 2000; ++i) REQUIRE(values[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("tokens order tasks like data") {
  Runtime rt(foreseeable());
  auto token = rt.token("turn");
  std::vector<int> ran;
  rt.submit({.priority = 0}, [&] { ran.push_back(1); }, token.write());
  rt.submit({.priority = 1}, [&] { ran.push_back(2); }, token.read());
  rt.submit({.priority = 2}, [&] { ran.push_back(3); }, token.read());
  rt.submit({.priority = 3}, [&] { ran.push_back(4); }, token.write());
  rt.wait();
  CHECK(ran == std::vector<int>{1, 3, 2, 4});
}

TEST_CASE("the same datum twice in one task counts once, with the stronger mode") {
  const auto after_both = [](auto first, auto second) {
    Runtime rt(foreseeable());
    long value = 0;
    auto x = rt.data(value, "x");
    std::vector<int> ran;
    rt.submit({.priority = 0}, [&](auto&&...) { ran.push_back(1); }, first(x), second(x));
    rt.submit({.priority = 1}, [&](const long&) { ran.push_back(2); }, x.read());
    rt.submit({.priority = 2}, [&](auto&&...) { ran.push_back(3); }, first(x), second(x));
    rt.wait();
    return ran;
  };
  const auto read = [](auto& x) { return x.read(); };
  const auto write = [](auto& x) { return x.write(); };
  const auto readwrite = [](auto& x) { return x.readwrite(); };
  const std::vector<int> in_order{1, 2, 3};
  CHECK(after_both(read, write) == in_order);
  CHECK(after_both(write, read) == in_order);
  CHECK(after_both(read, readwrite) == in_order);
  CHECK(after_both(readwrite, read) == in_order);
  CHECK(after_both(write, readwrite) == in_order);
  CHECK(after_both(readwrite, readwrite) == in_order);
  CHECK(after_both(read, read) == std::vector<int>{3, 2, 1});
}

TEST_CASE("both views of a datum that is accessed twice are the datum itself") {
  Runtime rt(test::with_workers(2));
  std::vector<int> values{1, 2};
  auto x = rt.data(values, "x");
  rt.submit("alias", [](View<const int> in, View<int> out) { out[1] = in[0] + (in.data() == out.data() ? 10 : 0); },
            x.read(), x.readwrite());
  rt.wait();
  CHECK(values[1] == 11);
}

TEST_CASE("commuting tasks never overlap, and leave the other worker free for independent work") {
  Runtime rt(test::with_workers(2));
  long value = 0;
  auto x = rt.data(value, "x");
  test::Gate gate;
  std::atomic<int> inside{0}, overlaps{0};
  const auto enter = [&] { overlaps += inside.fetch_add(1) != 0; };
  rt.submit("holder", [&](long&) { enter(); gate.pass(); inside.fetch_sub(1); }, x.commute());
  for (int i = 0; i < 8; ++i)
    rt.submit("blocked", [&](long&) { enter(); inside.fetch_sub(1); }, x.commute());
  rt.submit("independent", [&] { gate.open(); });
  CHECK_NOTHROW(rt.wait());
  CHECK(overlaps == 0);
}
