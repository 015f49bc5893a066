// Handles in the wrong hands, shapes that cannot be, memory that must not move.
#include <mitra/mitra.hpp>
#include <optional>
#include <vector>

#include "expect.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::contains;
using test::with_workers;

namespace {

/// After a refused call the Runtime works.
void expect_usable(Runtime& rt) {
  int ran = 0;
  rt.submit("fine", [&] { ++ran; });
  CHECK_NOTHROW(rt.wait());
  CHECK(ran == 1);
}

}  // namespace

TEST_CASE("an empty handle is refused by every call that takes one") {
  Runtime rt(with_workers(1));
  const Object<int> empty;
  EXPECT_MISUSE(rt.submit("use", [](const int&) {}, empty.read()), "no datum", "use");
  EXPECT_MISUSE(rt.submit("use", [](int&) {}, empty.reduce(Sum{})), "no datum", "use");
  EXPECT_MISUSE(rt.submit("use", [](int&) {}, empty.commute()), "no datum", "use");
  EXPECT_MISUSE(rt.submit("list", [](auto) {}, read_all(std::vector{empty})), "no datum", "list");
  EXPECT_MISUSE(rt.acquire(empty.read()), "no datum", "acquire");
  EXPECT_MISUSE(rt.wait(empty), "no datum", "");
  const Vector<int> none;
  std::vector<int> memory(3);
  EXPECT_MISUSE(rt.rebind(none, memory.data()), "no datum", "rebind");
  expect_usable(rt);
}

TEST_CASE("a handle that was moved from is refused") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto moved = std::move(n);
  EXPECT_MISUSE(rt.submit("use", [](const int&) {}, n.read()), "no datum", "use");  // NOLINT: that is the test
  rt.submit("use", [](int& v) { v = 3; }, moved.write());
  rt.wait();
  CHECK(number == 3);
}

TEST_CASE("a moved-from scratch handle is refused") {
  Runtime rt(with_workers(1));
  auto buffer = rt.scratch<int>(4, "buffer");
  const auto moved = std::move(buffer);
  EXPECT_MISUSE(rt.submit("use", [](View<int>) {}, buffer.scratch()), "no datum", "use");  // NOLINT: that is the test
}

TEST_CASE("a handle of another Runtime is refused by name") {
  Runtime rt(with_workers(1)), other(with_workers(1));
  int number = 0;
  std::vector<int> values(3), memory(3);
  auto n = other.data(number, "temperature");
  auto v = other.data(values, "field");
  EXPECT_MISUSE(rt.submit("use", [](const int&) {}, n.read()), "temperature", "another Runtime");
  EXPECT_MISUSE(rt.acquire(n.read()), "temperature", "another Runtime");
  EXPECT_MISUSE(rt.wait(n), "temperature", "another Runtime");
  EXPECT_MISUSE(rt.rebind(v, memory.data()), "field", "another Runtime");
  EXPECT_MISUSE(rt.submit("list", [](auto) {}, read_all(std::vector{n})), "temperature", "another Runtime");
  expect_usable(rt);
}

TEST_CASE("a handle that outlives its Runtime is refused by others, and ends without harm") {
  std::optional<Runtime> first(with_workers(2));
  int number = 0;
  std::vector<int> values(3), memory(3);
  auto n = first->data(number, "old");
  auto v = first->data(values, "values");
  first->submit("use", [](int& x) { ++x; }, n.readwrite());
  first.reset();
  CHECK(number == 1);
  Runtime rt(with_workers(1));
  EXPECT_MISUSE(rt.submit("use", [](const int&) {}, n.read()), "old", "ended");
  EXPECT_MISUSE(rt.acquire(n.read()), "old", "ended");
  EXPECT_MISUSE(rt.rebind(v, memory.data()), "values", "ended");
}

TEST_CASE("a leading dimension smaller than the rows is refused with both numbers") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(100);
  EXPECT_MISUSE(rt.matrix(memory.data(), 7, 3, 5), "5", "7");
  EXPECT_MISUSE(rt.tiled(memory.data(), 7, 3, 5, 2, 2), "5", "7");
}

TEST_CASE("tiles without rows or columns are refused") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(100);
  EXPECT_MISUSE(rt.matrix<double>(4, 4).tiled(0, 2), "tile", "at least one");
  EXPECT_MISUSE(rt.matrix<double>(4, 4).tiled(2, 0), "tile", "at least one");
  EXPECT_MISUSE(rt.tiled(memory.data(), 4, 4, 4, 0, 0), "tile", "at least one");
}

TEST_CASE("a tile outside of the grid is refused with its place and the grid") {
  Runtime rt(with_workers(1));
  auto a = rt.matrix<double>(4, 6, "A").tiled(2, 2);
  EXPECT_MISUSE(a(2, 0), "(2, 0)", "2 x 3");
  EXPECT_MISUSE(a(0, 3), "(0, 3)", "2 x 3");
  EXPECT_MISUSE(a(-1, 0), "-1", "2 x 3");
  CHECK_NOTHROW(a(1, 2));
}

TEST_CASE("an empty handle has no shape to ask for") {
  const Vector<int> empty;
  EXPECT_MISUSE(empty.size(), "no datum", "");
  EXPECT_MISUSE(empty.rows(), "no datum", "");
  EXPECT_MISUSE(empty.bytes(), "no datum", "");
}

TEST_CASE("memory that tasks use, a guard holds, or Mitra allocated does not move") {
  test::Gate release;
  Runtime rt(with_workers(2));
  std::vector<int> values(3), memory(3);
  auto v = rt.data(values, "field");
  rt.submit("use", [&](View<int>) { release.pass(); }, v.write());
  EXPECT_MISUSE(rt.rebind(v, memory.data()), "field", "use");
  release.open();
  rt.wait();
  {
    const auto guard = rt.acquire(v.read());
    EXPECT_MISUSE(rt.rebind(v, memory.data()), "field", "");
  }
  CHECK_NOTHROW(rt.rebind(v, memory.data()));
  auto own = rt.vector<int>(3, "own");
  EXPECT_MISUSE(rt.rebind(own, memory.data()), "own", "allocated");
  rt.submit("use", [](View<int> x) { x[0] = 1; }, own.write());
  rt.wait();
  EXPECT_MISUSE(rt.rebind(own, memory.data()), "own", "allocated");
  EXPECT_MISUSE(rt.rebind(v, static_cast<int*>(nullptr)), "field", "null");
}

TEST_CASE("one task does not commute or reduce on a datum that it also accesses otherwise") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.commute(), n.read()), "'n'", "commute");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.write(), n.commute()), "'n'", "commute");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.reduce(Sum{}), n.read()), "'n'", "reduce");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.readwrite(), n.reduce(Sum{})), "'n'", "reduce");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.commute(), n.reduce(Sum{})), "'n'", "");
  EXPECT_MISUSE(rt.submit("t", [](auto&&...) {}, n.reduce(Sum{}), n.reduce(Maximum{})), "'n'", "reduce");
  expect_usable(rt);
}

TEST_CASE("a datum is not acquired twice by one thread if one of the guards writes") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  {
    const auto writer = rt.acquire(n.write());
    EXPECT_MISUSE(rt.acquire(n.read()), "'n'", "guard");
    EXPECT_MISUSE(rt.wait(n), "'n'", "guard");
  }
  {
    const auto reader = rt.acquire(n.read());
    EXPECT_MISUSE(rt.acquire(n.readwrite()), "'n'", "guard");
  }
  expect_usable(rt);
}
