// Data in parts: wholes and parts lie in one memory, their tasks are ordered as if there were one datum, and nothing more is
// ordered or inserted than that takes.
#include <atomic>
#include <mitra/mitra.hpp>
#include <numeric>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::foreseeable;
using test::with_workers;

namespace {

/// @returns Transitions that the calls have caused.
template <class F>
std::uint64_t transitions_of(Runtime& rt, F&& calls) {
  const std::uint64_t before = rt.statistics().transitions;
  calls();
  rt.wait();
  return rt.statistics().transitions - before;
}

void set(Tile<double> t, double value) {
  for (std::size_t j = 0; j < t.cols(); ++j)
    for (std::size_t i = 0; i < t.rows(); ++i) t(i, j) = value;
}
double sum(Tile<const double> t) {
  double s = 0.0;
  for (std::size_t j = 0; j < t.cols(); ++j)
    for (std::size_t i = 0; i < t.rows(); ++i) s += t(i, j);
  return s;
}

}  // namespace

TEST_CASE("tiles lie where their matrix lies, with its leading dimension, also tiles of tiles") {
  std::vector<double> memory(20 * 12);
  std::iota(memory.begin(), memory.end(), 0.0);
  Runtime rt(with_workers(1));  // assertions in bodies
  auto A = rt.matrix(memory.data(), 17, 12, 20, "A");
  auto T = A.tiled(5, 4);
  CHECK(T.grid_rows() == 4);
  CHECK(T.grid_cols() == 3);
  CHECK(T(3, 2).rows() == 2);
  CHECK(T(3, 2).cols() == 4);
  rt.submit("look", [&](Tile<const double> t) {
    CHECK(t.data() == memory.data() + 15 + 8 * 20);
    CHECK(t.ld() == 20);
  }, T(3, 2).read());
  rt.submit("look", [&](Tile<const double> t) {
    CHECK(t.data() == memory.data() + 5 + 3 + (4 + 2) * 20);
    CHECK(t.rows() == 2);
    CHECK(t.cols() == 2);
    CHECK(t(1, 1) == 5 + 3 + 1 + (4 + 2 + 1) * 20);
  }, T(1, 1).tiled(3, 2)(1, 1).read());
  rt.wait();
}

TEST_CASE("the first task on a part allocates the memory of a whole that is Mitra's") {
  Runtime rt(with_workers(2));
  Matrix<double> A = rt.matrix<double>(8, 8, "A");
  auto T = rt.tiled(A, 4, 4);
  const double* first = nullptr;
  rt.submit("one", [](Tile<double> t) { set(t, 1.0); }, T(1, 1).write());
  rt.submit("two", [&](Tile<double> t) { set(t, 2.0); first = t.data(); }, T(0, 0).write());
  rt.submit("three", [](Tile<double> t) { set(t, 3.0); }, T(1, 0).write());
  rt.submit("four", [](Tile<double> t) { set(t, 4.0); }, T(0, 1).write());
  rt.submit("whole", [&](Tile<const double> a) {
    CHECK(a.data() == first);
    CHECK(sum(a) == 16 * 10.0);
    CHECK(a(7, 7) == 1.0);
  }, A.read());
  rt.wait();
  // Cut once more when the memory is there.
  rt.submit("row", [&](Tile<const double> r) { CHECK(r.data() == first + 2); }, A.tiled(2, 8)(1, 0).read());
  rt.wait();
}

TEST_CASE("the same cut of the same datum is the same partition") {
  Runtime rt(with_workers(1));
  std::vector<double> memory(64), values(10);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  CHECK(A.tiled(4, 4)(0, 1).header() == A.tiled(4, 4)(0, 1).header());
  CHECK(A.tiled(4, 4)(0, 1).header() != A.tiled(4, 8)(0, 0).header());
  CHECK(A.tiled(4, 4)(1, 1).tiled(2, 2)(0, 0).header() == rt.tiled(A.tiled(4, 4)(1, 1), 2, 2)(0, 0).header());
  auto x = rt.data(values, "x");
  CHECK(x.blocked(3).size() == 4);
  CHECK(x.blocked(3)(3).size() == 1);
  CHECK(x.blocked(3)(1).header() == x.blocked(3)(1).header());
  CHECK(x.windows(3, 0)(1).header() != x.blocked(3)(1).header());
  CHECK(x.windows(3, 2)(0).size() == 5);
  CHECK(x.windows(3, 2)(1).size() == 7);
  CHECK(x.windows(3, 2)(3).size() == 3);
  CHECK(x.windows(3, 2).rows_before(0) == 0);
  CHECK(x.windows(3, 2).rows_before(1) == 2);
}

TEST_CASE("a handle of a partition keeps its whole, and the end of the last handle waits for tasks on parts") {
  Runtime rt(with_workers(2));
  test::Gate gate;
  std::vector<double> memory(64, 1.0);
  std::atomic<bool> ran{false};
  {
    std::optional<TiledMatrix<double>> T;
    {
      auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
      T = A.tiled(4, 4);
    }
    rt.submit("set", [&](Tile<double> t) {
      gate.pass();
      set(t, 2.0);
      ran = true;
    }, (*T)(1, 1).readwrite());
    gate.open();
  }
  CHECK(ran);
  CHECK(memory[63] == 2.0);
  rt.wait();
}

TEST_CASE("accesses to a whole and to its parts are ordered as they were submitted") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> memory(64, 0.0);
    auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
    auto T = A.tiled(4, 4);
    auto rows = A.tiled(2, 8);
    for (int round = 0; round < 20; ++round) {
      for (int j = 0; j < 2; ++j)
        for (int i = 0; i < 2; ++i)
          rt.submit("add", [](Tile<double> t) { for (std::size_t c = 0; c < 4; ++c) for (std::size_t r = 0; r < 4; ++r) t(r, c) += 1.0; }, T(i, j).readwrite());
      rt.submit("twice", [](Tile<double> a) { for (std::size_t c = 0; c < 8; ++c) for (std::size_t r = 0; r < 8; ++r) a(r, c) *= 2.0; }, A.readwrite());
      for (int i = 0; i < 4; ++i)
        rt.submit("less", [](Tile<double> t) { for (std::size_t c = 0; c < 8; ++c) for (std::size_t r = 0; r < 2; ++r) t(r, c) -= 1.0; }, rows(i, 0).commute());
      rt.submit("quarters", [](Tile<double> t) { for (std::size_t c = 0; c < 2; ++c) for (std::size_t r = 0; r < 2; ++r) t(r, c) /= 2.0; },
                T(1, 1).tiled(2, 2)(1, 1).readwrite());
      rt.submit("again", [](Tile<double> t) { for (std::size_t c = 0; c < 2; ++c) for (std::size_t r = 0; r < 2; ++r) t(r, c) *= 2.0; },
                T(1, 1).tiled(2, 2)(1, 1).readwrite());
    }
    rt.wait();
    double expected = 0.0;
    for (int round = 0; round < 20; ++round) expected = (expected + 1.0) * 2.0 - 1.0;
    for (const double value : memory) REQUIRE(value == expected);
  }
}

TEST_CASE("nothing is inserted as long as one level alone is used") {
  Runtime rt(with_workers(2));
  std::vector<double> memory(64), values(12);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  auto x = rt.data(values, "x");
  auto T = A.tiled(4, 4);
  auto B = x.blocked(4);
  CHECK(transitions_of(rt, [&] {
          for (int round = 0; round < 3; ++round) {
            rt.submit("set", [](Tile<double> t) { set(t, 1.0); }, T(0, 0).write());
            rt.submit("read", [](Tile<const double>, Tile<double>) {}, T(0, 0).read(), T(1, 1).readwrite());
            rt.submit("fine", [](Tile<double>) {}, T(1, 0).tiled(2, 2)(0, 0).readwrite());
            rt.submit("block", [](View<double>) {}, B(2).readwrite());
          }
        }) == 0);
  // One datum of a whole that has no task on its parts yet.
  auto C = rt.matrix(memory.data(), 8, 8, 8, "C");
  auto U = C.tiled(2, 2);
  CHECK(transitions_of(rt, [&] {
          rt.submit("whole", [](Tile<double>) {}, C.readwrite());
          rt.submit("whole", [](Tile<const double>) {}, C.read());
        }) == 0);
  CHECK(transitions_of(rt, [&] { rt.submit("part", [](Tile<const double>) {}, U(0, 0).read()); }) == 1);
  CHECK(transitions_of(rt, [&] {
          rt.submit("part", [](Tile<const double>) {}, U(3, 3).read());
          rt.submit("whole", [](Tile<const double>) {}, C.read());
        }) == 0);
}

TEST_CASE("only the part of a tree that is concerned takes part in a transition") {
  Runtime rt(with_workers(3));
  std::vector<double> memory(64);
  auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
  auto T = A.tiled(4, 4);
  auto fine = T(1, 1).tiled(2, 2);
  test::Gate gate;
  rt.submit("fine", [](Tile<double> t) { set(t, 1.0); }, fine(0, 0).write());
  rt.submit("held", [&](Tile<double>) { gate.pass(); }, T(0, 0).write());
  // Gathers (1, 1), and does not wait for (0, 0).
  rt.submit("coarse", [&](Tile<const double>) { gate.open(); }, T(1, 1).read());
  rt.wait();
  CHECK(rt.statistics().transitions == 1);
  CHECK(transitions_of(rt, [&] { rt.submit("root", [](Tile<double>) {}, A.readwrite()); }) == 2);
  CHECK(transitions_of(rt, [&] { rt.submit("root", [](Tile<double>) {}, A.readwrite()); }) == 0);
}

TEST_CASE("tasks on different parts run at the same time, after the whole was written and after it was read") {
  Runtime rt(with_workers(3));
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  for (int round = 0; round < 2; ++round) {
    if (round == 0)
      rt.submit("whole", [](View<double> v) { v[0] = 2.0; }, x.readwrite());
    else
      rt.submit("whole", [](View<const double>) {}, x.read());
    test::Rendezvous both(2);
    rt.submit("left", [&](View<double>) { both.meet(); }, B(0).readwrite());
    rt.submit("right", [&](View<double>) { both.meet(); }, B(1).readwrite());
    rt.wait();
  }
}

TEST_CASE("readers of a whole, of its parts and of windows run at the same time") {
  Runtime rt(with_workers(4));
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  auto W = x.windows(5, 2);
  rt.submit("block", [](View<double> v) { v[0] = 3.0; }, B(1).readwrite());
  test::Rendezvous all(3);
  std::atomic<int> right{0};  // Catch's assertions are for one thread
  rt.submit("whole", [&](View<const double> v) { right += v[5] == 3.0, all.meet(); }, x.read());
  rt.submit("block", [&](View<const double> v) { right += v[0] == 3.0, all.meet(); }, B(1).read());
  rt.submit("window", [&](View<const double> v) { right += v[5] == 3.0, all.meet(); }, W(0).read());
  rt.wait();
  CHECK(right == 3);
}

TEST_CASE("a reader of one part does not hold up who writes another") {
  Runtime rt(with_workers(3));
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  rt.submit("whole", [](View<const double>) {}, x.read());
  test::Gate gate;
  rt.submit("reader", [&](View<const double>) { gate.pass(); }, B(1).read());
  rt.submit("writer", [&](View<double> v) {
    v[0] = 4.0;
    gate.open();
  }, B(0).readwrite());
  rt.wait();
  CHECK(values[0] == 4.0);
}

TEST_CASE("windows see what was written to the blocks around them, and writers wait for windows") {
  const std::size_t n = 24, block = 4;
  for (const unsigned workers : {1U, 4U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> from(n), to(n), expected(n);
    std::iota(from.begin(), from.end(), 0.0);
    expected = from;
    auto a = rt.data(from, "a"), b = rt.data(to, "b");
    auto windows = a.windows(block, 1);
    auto blocks = a.blocked(block), results = b.blocked(block);
    for (int step = 0; step < 5; ++step) {
      std::vector<double> next(n);
      for (std::size_t i = 0; i < n; ++i) next[i] = expected[i] + (i > 0 ? expected[i - 1] : 0.0) + (i + 1 < n ? expected[i + 1] : 0.0);
      expected = next;
      for (std::size_t w = 0; w < windows.size(); ++w)
        rt.submit("stencil", [first = windows.rows_before(w)](View<const double> in, View<double> out) {
          for (std::size_t i = 0; i < out.size(); ++i) {
            const std::size_t at = first + i;
            out[i] = in[at] + (at > 0 ? in[at - 1] : 0.0) + (at + 1 < in.size() ? in[at + 1] : 0.0);
          }
        }, windows(w).read(), results(w).write());
      for (std::size_t w = 0; w < blocks.size(); ++w)
        rt.submit("copy", [](View<const double> in, View<double> out) { std::copy(in.begin(), in.end(), out.begin()); },
                  results(w).read(), blocks(w).write());
    }
    rt.wait();
    CHECK(from == expected);
  }
}

TEST_CASE("reductions on parts and on wholes are folded before the other level looks") {
  Runtime rt(with_workers(4));
  std::vector<long> values(6, 1);
  auto x = rt.data(values, "x");
  auto B = x.blocked(3);
  const auto add = [](View<long> v) { for (long& e : v) e += 1; };
  for (int i = 0; i < 10; ++i) rt.submit("add", add, x.reduce(Sum{}));
  for (int i = 0; i < 10; ++i) rt.submit("add", add, B(i % 2).reduce(Sum{}));
  for (int i = 0; i < 10; ++i) rt.submit("add", add, x.reduce(Sum{}));
  for (int i = 0; i < 10; ++i) rt.submit("add", add, B(i % 2).commute());
  rt.submit("look", [](View<const long> v) { for (const long e : v) CHECK(e == 31); }, x.read());
  rt.submit("add", add, B(0).reduce(Sum{}));
  rt.wait();
  CHECK(values == std::vector<long>{32, 32, 32, 31, 31, 31});
}

TEST_CASE("acquire and wait order themselves with both levels") {
  Runtime rt(with_workers(2));
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  test::Gate gate;
  rt.submit("write", [&](View<double> v) { gate.pass(); v[0] = 7.0; }, B(1).readwrite());
  gate.open();
  {
    const auto guard = rt.acquire(x.read());
    CHECK(guard.view()[5] == 7.0);
    const auto part = rt.acquire(B(1).read());
    CHECK(part.view()[0] == 7.0);
  }
  rt.submit("write", [](View<double> v) { v[9] = 8.0; }, x.readwrite());
  {
    const auto guard = rt.acquire(B(1).readwrite());
    CHECK(guard.view()[4] == 8.0);
  }
  rt.submit("write", [](View<double> v) { v[4] = 9.0; }, B(0).readwrite());
  rt.wait(x);
  CHECK(values[4] == 9.0);
}

TEST_CASE("children access parts of what their parent has declared, and others see the whole afterwards") {
  for (const unsigned workers : {1U, 4U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> memory(64, 1.0);
    auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
    auto T = A.tiled(4, 4);
    for (int round = 0; round < 5; ++round) {
      rt.submit("parent", [&](Tile<double>) {
        for (int j = 0; j < 2; ++j)
          for (int i = 0; i < 2; ++i) rt.submit("child", [](Tile<double> t) { set(t, t(0, 0) + 1.0); }, T(i, j).readwrite());
        rt.submit("whole", [](Tile<double> a) { set(a, 2.0 * a(7, 7)); }, A.readwrite());
        rt.wait();
        for (int i = 0; i < 4; ++i)
          rt.submit("grandchild", [](Tile<double> t) { set(t, t(0, 0) - 1.0); }, A.tiled(2, 8)(i, 0).readwrite());
      }, A.readwrite());
      rt.submit("tile", [&](Tile<const double>) {
        rt.submit("child", [](Tile<const double>) {}, T(1, 1).tiled(2, 2)(0, 1).read());
      }, T(1, 1).read());
    }
    rt.wait();
    double expected = 1.0;
    for (int round = 0; round < 5; ++round) expected = (expected + 1.0) * 2.0 - 1.0;
    for (const double value : memory) REQUIRE(value == expected);
  }
}

TEST_CASE("a failure is passed on through transitions, and the tree is usable afterwards") {
  Runtime rt(foreseeable());
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  bool ran = false;
  rt.submit("bad", [](View<double>) { throw std::runtime_error("on purpose"); }, B(0).readwrite());
  rt.submit("whole", [&](View<const double>) { ran = true; }, x.read());
  rt.submit("right", [](View<double> v) { v[0] = 5.0; }, B(1).readwrite());
  CHECK_THROWS_AS(rt.wait(), TaskError);
  CHECK(!ran);
  rt.submit("whole", [&](View<const double>) { ran = true; }, x.read());
  rt.submit("left", [](View<double> v) { v[0] = 6.0; }, B(0).readwrite());
  rt.wait();
  CHECK(ran);
  CHECK(values[0] == 6.0);
}

TEST_CASE("a cancelled task on a part cancels who reads the whole") {
  Runtime rt(foreseeable());
  std::vector<double> values(10, 1.0);
  auto x = rt.data(values, "x");
  auto B = x.blocked(5);
  const Task part = rt.submit("part", [](View<double>) {}, B(0).readwrite());
  const Task whole = rt.submit("whole", [](View<const double>) {}, x.read());
  part.cancel();
  rt.wait();
  CHECK(whole.status() == TaskStatus::done);  // told, and forgotten, by the wait
  rt.submit("whole", [](View<double>) {}, x.readwrite());
  rt.wait();
}

TEST_CASE("lent memory that moves takes its parts along") {
  Runtime rt(with_workers(2));
  std::vector<double> first(10, 1.0), second(10, 2.0);
  auto x = rt.vector(first.data(), 10, "x");
  auto B = x.blocked(5);
  rt.submit("write", [](View<double> v) { v[0] = 3.0; }, B(1).readwrite());
  rt.wait();
  rt.rebind(x, second.data());
  rt.submit("write", [](View<double> v) { v[0] = 4.0; }, B(1).readwrite());
  rt.wait();
  CHECK(first[5] == 3.0);
  CHECK(second[5] == 4.0);
}
