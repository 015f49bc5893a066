// Parts of data in the wrong hands, cuts that cannot be, levels that cannot be current at once.
#include <mitra/mitra.hpp>
#include <optional>
#include <vector>

#include "expect.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

TEST_CASE("parts without rows, columns or elements are refused by the name of the whole") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(64), values(10);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  auto x = rt.data(values, "x");
  EXPECT_MISUSE(A.tiled(0, 2), "'A'", "at least one row");
  EXPECT_MISUSE(A.tiled(2, 0), "'A'", "at least one row");
  EXPECT_MISUSE(rt.tiled(A.tiled(4, 4)(1, 0), 2, 0), "'A(1,0)'", "at least one row");
  EXPECT_MISUSE(x.blocked(0), "'x'", "at least one row");
  EXPECT_MISUSE(x.windows(0, 1), "'x'", "at least one row");
  EXPECT_MISUSE(A.windows(0, 1, 1), "'A'", "at least one row");
}

TEST_CASE("a cut of an empty handle, or of one that outlives its Runtime, is refused") {
  const Vector<double> empty;
  EXPECT_MISUSE(empty.blocked(2), "no datum", "empty");
  std::vector<double> values(10);
  std::optional<Runtime> rt(with_workers(1));
  auto x = rt->data(values, "x");
  auto B = x.blocked(5);
  rt.reset();
  EXPECT_MISUSE(x.blocked(2), "Runtime has ended", "");
  CHECK(B(1).size() == 5);
  Runtime other(with_workers(1));
  EXPECT_MISUSE(other.submit("use", [](View<const double>) {}, B(1).read()), "x(1)", "ended");
}

TEST_CASE("a part outside of its partition is refused with the grid") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(64), values(10);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  auto x = rt.data(values, "x");
  EXPECT_MISUSE(A.tiled(4, 4)(2, 0), "(2, 0)", "2 x 2");
  EXPECT_MISUSE(x.blocked(3)(4), "block 4", "4 blocks");
  EXPECT_MISUSE(x.windows(3, 1)(-1), "-1", "4 x 1 windows");
  EXPECT_MISUSE(A.windows(4, 4, 1)(0, 2), "(0, 2)", "2 x 2 windows");
}

TEST_CASE("one task does not write a datum and access what lies in it, or a part of another partition") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(64), values(10);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  auto x = rt.data(values, "x");
  auto T = A.tiled(4, 4);
  const auto nothing = [](auto&&...) {};
  EXPECT_MISUSE(rt.submit("t", nothing, A.read(), T(0, 0).readwrite()), "'A(0,0)'", "one lies in the other");
  EXPECT_MISUSE(rt.submit("t", nothing, T(1, 1).tiled(2, 2)(0, 0).read(), A.write()), "'A(1,1)(0,0)'", "one lies in the other");
  EXPECT_MISUSE(rt.submit("t", nothing, T(1, 1).read(), A.tiled(2, 8)(0, 0).commute()), "'A(1,1)'", "different partitions");
  EXPECT_MISUSE(rt.submit("t", nothing, x.windows(5, 1)(0).read(), x.blocked(5)(1).reduce(Sum{})), "'x(1)'", "different partitions");
  // What is only read may be read twice; different parts of one partition may be written.
  CHECK_NOTHROW(rt.submit("t", nothing, A.read(), T(0, 0).read(), A.tiled(2, 8)(0, 0).read()));
  CHECK_NOTHROW(rt.submit("t", nothing, T(0, 0).write(), T(1, 1).tiled(2, 2)(0, 0).readwrite(), T(0, 1).read()));
  rt.wait();
}

TEST_CASE("a thread does not acquire a part of what it holds, if one of the guards writes") {
  Runtime rt(with_workers(1));
  std::vector<double> values(10);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  {
    const auto whole = rt.acquire(x.readwrite());
    EXPECT_MISUSE(rt.acquire(B(0).read()), "guard on 'x'", "'x(0)'");
    EXPECT_MISUSE(rt.wait(B(0)), "guard on 'x'", "'x(0)'");
  }
  {
    const auto part = rt.acquire(B(0).write());
    EXPECT_MISUSE(rt.acquire(x.read()), "guard on 'x(0)'", "'x'");
    EXPECT_MISUSE(rt.acquire(x.blocked(2)(4).read()), "guard on 'x(0)'", "release");
    CHECK_NOTHROW(rt.acquire(B(1).readwrite()));
  }
  const auto part = rt.acquire(B(0).read());
  CHECK_NOTHROW(rt.acquire(x.read()));
  EXPECT_MISUSE(rt.acquire(x.write()), "guard on 'x(0)'", "release");
}

TEST_CASE("children do not go beyond the part that their parent has declared") {
  Runtime rt(with_workers(1));
  std::vector<double> values(10);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  rt.submit("parent", [&](View<double>) {
    EXPECT_MISUSE(rt.submit("child", [](View<const double>) {}, x.read()), "'x'", "declare the access on the parent");
    EXPECT_MISUSE(rt.submit("child", [](View<const double>) {}, B(1).read()), "'x(1)'", "declare the access on the parent");
    EXPECT_MISUSE(rt.submit("child", [](View<const double>) {}, x.windows(5, 0)(0).read()), "'x(0)'", "declare");
    CHECK_NOTHROW(rt.submit("child", [](View<double>) {}, B(0).blocked(2)(0).readwrite()));
  }, B(0).readwrite());
  rt.wait();
  rt.submit("reader", [&](View<const double>) {
    EXPECT_MISUSE(rt.submit("child", [](View<double>) {}, B(0).blocked(2)(0).readwrite()), "'x(0)(0)'", "read() of 'x(0)'");
  }, B(0).read());
  rt.wait();
}

TEST_CASE("memory moves as a whole") {
  Runtime rt(with_workers(1));
  std::vector<double> values(10), other(10);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  test::Gate gate;
  Runtime busy(with_workers(2));
  auto y = busy.data(values, "y");
  busy.submit("use", [&](View<double>) { gate.pass(); }, y.blocked(5)(1).readwrite());
  EXPECT_MISUSE(busy.rebind(y, other.data()), "'y'", "in use");
  gate.open();
  busy.wait();
  const Vector<double> part(std::shared_ptr<detail::DataHeader>(x.owner(), B(1).header()));
  EXPECT_MISUSE(rt.rebind(part, other.data()), "'x(1)'", "a part of 'x'");
}

TEST_CASE("windows are not cut into parts that can be written") {
  Runtime rt(with_workers(1));
  std::vector<double> values(10);
  auto x = rt.data(values, "x");
  const VectorRef<double> window(x.windows(5, 1)(0).header());
  EXPECT_MISUSE(window.blocked(2), "'x(0)'", "is a window");
  EXPECT_MISUSE(rt.submit("t", [](View<double>) {}, window.readwrite()), "'x(0)'", "window");
}

TEST_CASE("a tree that its host cannot hold is refused with both sizes") {
  Config config;
  config.backend = "sim";
  config.machine = "alice-recoque-unified";
  Runtime rt(config);
  Matrix<double> A = rt.matrix<double>(1'000'000, 1'000'000, "A");
  EXPECT_MISUSE(A.tiled(1000, 1000), "'A'", "8000000000000");
}
