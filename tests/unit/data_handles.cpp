// Handles: what they say of their data, which views tasks receive, and how long memory and handles live.
#include <array>
#include <cstdint>
#include <mitra/mitra.hpp>
#include <numeric>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {
struct Particle {
  double position[3];
  int charge;
};
}  // namespace

TEST_CASE("a vector of the application is lent, not copied") {
  Runtime rt(with_workers(2));
  std::vector<double> values{1.0, 2.0, 3.0};
  auto x = rt.data(values, "x");
  CHECK(x.size() == 3);
  CHECK(x.rows() == 3);
  CHECK(x.cols() == 1);
  CHECK(x.bytes() == Bytes(24));
  const double* seen = nullptr;
  std::size_t size = 0;
  rt.submit("double", [&](View<double> v) {
    seen = v.data();
    size = v.size();
    for (double& e : v) e *= 2.0;
  }, x.readwrite());
  rt.wait();
  CHECK(seen == values.data());
  CHECK(size == 3);
  CHECK(values == std::vector<double>{2.0, 4.0, 6.0});
}

TEST_CASE("a part of an array is lent by pointer and size") {
  Runtime rt(with_workers(1));
  std::array<int, 6> values{};
  auto middle = rt.vector(values.data() + 2, 2, "middle");
  rt.submit("fill", [](View<int> v) { std::fill(v.begin(), v.end(), 7); }, middle.write());
  rt.wait();
  CHECK(values == std::array<int, 6>{0, 0, 7, 7, 0, 0});
}

TEST_CASE("an object is received by reference") {
  Runtime rt(with_workers(2));
  Particle particle{{0.0, 0.0, 0.0}, 1};
  auto p = rt.data(particle, "p");
  CHECK(p.size() == 1);
  CHECK(p.bytes() == Bytes(sizeof(Particle)));
  int charge = 0;
  rt.submit("move", [](Particle& q) { q.position[1] = 2.5; }, p.readwrite());
  rt.submit("look", [&](const Particle& q) { charge = q.charge; }, p.read());
  rt.wait();
  CHECK(particle.position[1] == 2.5);
  CHECK(charge == 1);
}

TEST_CASE("a body may take a small object that it reads by value") {
  Runtime rt(with_workers(1));
  int number = 5, seen = 0;
  auto n = rt.data(number, "n");
  rt.submit("copy", [&](int value) { seen = value; }, n.read());
  rt.wait();
  CHECK(seen == 5);
}

TEST_CASE("a matrix with a leading dimension gives its own elements and no others") {
  Runtime rt(with_workers(2));
  const std::size_t rows = 3, cols = 4, ld = 5;
  std::vector<double> memory(ld * cols, -1.0);
  auto a = rt.matrix(memory.data(), rows, cols, ld, "a");
  CHECK(a.rows() == 3);
  CHECK(a.cols() == 4);
  CHECK(a.size() == 12);
  rt.submit("number", [](Tile<double> t) {
    for (std::size_t j = 0; j < t.cols(); ++j)
      for (std::size_t i = 0; i < t.rows(); ++i) t(i, j) = static_cast<double>(10 * i + j);
  }, a.write());
  rt.wait();
  for (std::size_t j = 0; j < cols; ++j)
    for (std::size_t i = 0; i < ld; ++i)
      CHECK(memory[i + j * ld] == (i < rows ? static_cast<double>(10 * i + j) : -1.0));
}

TEST_CASE("tiles of a lent matrix cover it once, the last ones being smaller") {
  Runtime rt(with_workers(2));
  const std::size_t rows = 7, cols = 5, ld = 9;
  std::vector<int> memory(ld * cols, 0);
  auto a = rt.tiled(memory.data(), rows, cols, ld, 3, 2, "A");
  CHECK(a.grid_rows() == 3);
  CHECK(a.grid_cols() == 3);
  CHECK(a.rows() == 7);
  CHECK(a.cols() == 5);
  CHECK(a.tile_rows() == 3);
  CHECK(a.tile_cols() == 2);
  CHECK(a(2, 2).rows() == 1);
  CHECK(a(2, 2).cols() == 1);
  CHECK(a(0, 0).rows() == 3);
  CHECK(a(0, 2).cols() == 1);
  for (std::size_t j = 0; j < a.grid_cols(); ++j)
    for (std::size_t i = 0; i < a.grid_rows(); ++i)
      rt.submit("count", [](Tile<int> t, int id) {
        for (std::size_t c = 0; c < t.cols(); ++c)
          for (std::size_t r = 0; r < t.rows(); ++r) t(r, c) += id;
      }, a(i, j).readwrite(), static_cast<int>(1 + i + 10 * j));
  rt.wait();
  for (std::size_t j = 0; j < cols; ++j)
    for (std::size_t i = 0; i < ld; ++i)
      CHECK(memory[i + j * ld] == (i < rows ? static_cast<int>(1 + i / 3 + 10 * (j / 2)) : 0));
}

TEST_CASE("tiles that Mitra allocates are contiguous, aligned, and keep what tasks write") {
  Runtime rt(with_workers(2));
  auto a = rt.matrix<double>(5, 4, "A").tiled(2, 3);
  REQUIRE(a.grid_rows() == 3);
  REQUIRE(a.grid_cols() == 2);
  struct Seen { std::size_t rows, cols, ld; std::uintptr_t address; double first; };
  std::vector<Seen> seen(6);
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 3; ++i) {
      rt.submit("write", [](Tile<double> t, double v) { t(0, 0) = v; }, a(i, j).write(), 10.0 * i + j);
      rt.submit("read", [&seen, at = static_cast<std::size_t>(3 * j + i)](Tile<const double> t) {
        seen[at] = {t.rows(), t.cols(), t.ld(), reinterpret_cast<std::uintptr_t>(t.data()), t(0, 0)};
      }, a(i, j).read());
    }
  rt.wait();
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 3; ++i) {
      const Seen& tile = seen[static_cast<std::size_t>(3 * j + i)];
      CHECK(tile.rows == (i < 2 ? 2U : 1U));
      CHECK(tile.cols == (j < 1 ? 3U : 1U));
      CHECK(tile.ld == tile.rows);
      CHECK(tile.address % 64 == 0);
      CHECK(tile.first == 10.0 * i + j);
    }
}

TEST_CASE("an untiled matrix and a vector that Mitra allocates are data like others") {
  Runtime rt(with_workers(2));
  Matrix<float> a = rt.matrix<float>(3, 2, "a");
  Vector<long> v = rt.vector<long>(100, "v");
  CHECK(a.size() == 6);
  CHECK(v.bytes() == Bytes(100 * sizeof(long)));
  long sum = 0;
  rt.submit("fill", [](View<long> x, Tile<float> t) {
    std::iota(x.begin(), x.end(), 0L);
    t(2, 1) = 4.0F;
  }, v.write(), a.write());
  rt.submit("sum", [&](View<const long> x, Tile<const float> t) {
    sum = std::accumulate(x.begin(), x.end(), static_cast<long>(t(2, 1)));
  }, v.read(), a.read());
  rt.wait();
  CHECK(sum == 4954);
}

TEST_CASE("empty data are data too") {
  Runtime rt(with_workers(1));
  std::vector<int> none;
  auto x = rt.data(none, "none");
  CHECK(x.size() == 0);
  std::size_t size = 1;
  rt.submit("look", [&](View<const int> v) { size = v.size(); }, x.read());
  CHECK_NOTHROW(rt.wait());
  CHECK(size == 0);
  auto tiles = rt.matrix<double>(0, 0).tiled(4, 4);
  CHECK(tiles.grid_rows() == 0);
  CHECK(tiles.grid_cols() == 0);
}

TEST_CASE("a token has no bytes") {
  Runtime rt(with_workers(1));
  auto t = rt.token("t");
  CHECK(t.size() == 0);
  CHECK(t.bytes() == Bytes(0));
}

TEST_CASE("copies of a handle mean the same datum") {
  Runtime rt(test::foreseeable());
  int number = 0;
  auto a = rt.data(number, "n");
  auto b = a;
  std::vector<int> ran;
  rt.submit({.priority = 0}, [&](int&) { ran.push_back(1); }, a.readwrite());
  rt.submit({.priority = 1}, [&](int&) { ran.push_back(2); }, b.readwrite());
  rt.wait();
  CHECK(ran == std::vector<int>{1, 2});
}

TEST_CASE("the last handle waits for the tasks that use the datum") {
  for (const unsigned workers : {1U, 2U}) {
    Runtime rt(with_workers(workers));
    std::vector<int> values(10, 0);
    {
      auto x = rt.data(values, "x");
      auto copy = x;
      for (int i = 0; i < 50; ++i)
        rt.submit("add", [](View<int> v) { for (int& e : v) ++e; }, x.readwrite());
    }
    CHECK(values == std::vector<int>(10, 50));
  }
}

TEST_CASE("a handle that lives as long as one submission is enough") {
  Runtime rt(with_workers(2));
  int number = 1;
  rt.submit("add", [](int& n) { n += 41; }, rt.data(number, "n").readwrite());
  CHECK(number == 42);
}

TEST_CASE("the last handle keeps the errors of its tasks for wait()") {
  Runtime rt(with_workers(2));
  int number = 0;
  {
    auto n = rt.data(number, "n");
    rt.submit("fail", [](int&) { throw std::runtime_error("broken"); }, n.write());
  }
  CHECK_THROWS_WITH(rt.wait(), test::contains("broken"));
}

TEST_CASE("the Runtime's destructor waits for all tasks") {
  int number = 0;
  std::optional<Object<int>> handle;
  {
    Runtime rt(with_workers(2));
    handle = rt.data(number, "n");
    for (int i = 0; i < 100; ++i) rt.submit("add", [](int& n) { ++n; }, handle->readwrite());
  }
  CHECK(number == 100);
  handle.reset();  // after its Runtime: nothing to wait for
}

TEST_CASE("a handle says its size after its Runtime has ended") {
  std::vector<int> values(5);
  std::optional<Runtime> rt(with_workers(1));
  auto x = rt->data(values, "x");
  rt.reset();
  CHECK(x.size() == 5);
}

TEST_CASE("a datum is used again after its memory served another handle") {
  Runtime rt(with_workers(2));
  std::vector<int> values(4, 0);
  for (int round = 0; round < 200; ++round) {
    auto x = rt.data(values, "x");
    rt.submit("add", [](View<int> v) { ++v[3]; }, x.readwrite());
    rt.wait();
  }
  CHECK(values[3] == 200);
}

TEST_CASE("rebind moves a lent vector to other memory") {
  Runtime rt(with_workers(2));
  std::vector<int> one{1, 1}, two{2, 2};
  auto x = rt.data(one, "x");
  const auto add = [&] { rt.submit("add", [](View<int> v) { v[0] += 10; }, x.readwrite()); };
  add();
  rt.wait();
  rt.rebind(x, two.data());
  add();
  rt.wait();
  CHECK(one[0] == 11);
  CHECK(two[0] == 12);
}
