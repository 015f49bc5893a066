// Reductions: private copies that start at the identity, folded into the datum before its next other access.
#include <atomic>
#include <limits>
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {

/// An operation of the application's own, for elements: addition modulo 1009.
struct ModularSum {
  template <class T> static T identity() { return T(0); }
  template <class T> T operator()(T a, T b) const { return (a + b) % T(1009); }
};

struct Interval {
  double low, high;
};
/// One for a structure as a whole.
struct Hull {
  template <class T> static T identity() { return {std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest()}; }
  Interval operator()(const Interval& a, const Interval& b) const {
    return {b.low < a.low ? b.low : a.low, a.high < b.high ? b.high : a.high};
  }
};

template <class Operation, class Body>
long reduced(unsigned workers, long initial, int tasks, Body body) {
  Runtime rt(with_workers(workers));
  long value = initial;
  auto v = rt.data(value, "v");
  for (int i = 1; i <= tasks; ++i) rt.submit("contribute", [i, body](long& copy) { body(copy, i); }, v.reduce(Operation{}));
  rt.wait();
  return value;
}

}  // namespace

TEST_CASE("each operation folds all contributions and what the datum held before") {
  for (const unsigned workers : {1U, 2U, 8U, 64U}) {
    CHECK(reduced<Sum>(workers, 1000, 100, [](long& c, int i) { c += i; }) == 6050);
    CHECK(reduced<Product>(workers, 3, 20, [](long& c, int) { c *= 2; }) == 3L << 20);
    CHECK(reduced<Minimum>(workers, 50, 100, [](long& c, int i) { c = std::min<long>(c, 60 - i); }) == -40);
    CHECK(reduced<Minimum>(workers, -99, 100, [](long& c, int i) { c = std::min<long>(c, 60 - i); }) == -99);
    CHECK(reduced<Maximum>(workers, 50, 100, [](long& c, int i) { c = std::max<long>(c, i); }) == 100);
    CHECK(reduced<Maximum>(workers, 500, 100, [](long& c, int i) { c = std::max<long>(c, i); }) == 500);
    CHECK(reduced<ModularSum>(workers, 1008, 100, [](long& c, int i) { c += i; }) == (1008 + 5050) % 1009);
  }
}

TEST_CASE("one contribution is a reduction too") {
  for (const unsigned workers : {1U, 2U})
    CHECK(reduced<Sum>(workers, 5, 1, [](long& c, int) { c += 7; }) == 12);
}

TEST_CASE("every element of a vector is reduced") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    std::vector<double> values(1000, 0.5);
    auto v = rt.data(values, "v");
    for (int i = 0; i < 64; ++i)
      rt.submit("add", [](View<double> copy) {
        for (std::size_t e = 0; e < copy.size(); ++e) copy[e] += static_cast<double>(e);
      }, v.reduce(Sum{}));
    rt.wait();
    for (std::size_t e = 0; e < values.size(); ++e) REQUIRE(values[e] == 0.5 + 64.0 * static_cast<double>(e));
  }
}

TEST_CASE("tiles are reduced within their leading dimension") {
  Runtime rt(with_workers(2));
  const std::size_t n = 5, ld = 8;
  std::vector<float> memory(ld * n, 1.0F);
  auto a = rt.tiled(memory.data(), n, n, ld, 3, 3, "A");
  for (int i = 0; i < 10; ++i)
    rt.submit("add", [](Tile<float> t) {
      for (std::size_t c = 0; c < t.cols(); ++c)
        for (std::size_t r = 0; r < t.rows(); ++r) t(r, c) += 2.0F;
    }, a(1, 0).reduce(Sum{}));
  rt.wait();
  for (std::size_t c = 0; c < n; ++c)
    for (std::size_t r = 0; r < ld; ++r) CHECK(memory[r + c * ld] == (r >= 3 && r < 5 && c < 3 ? 21.0F : 1.0F));
}

TEST_CASE("a structure is reduced by an operation of its own") {
  Runtime rt(with_workers(2));
  Interval hull{0.0, 0.0};
  auto h = rt.data(hull, "hull");
  for (int i = 0; i < 100; ++i)
    rt.submit("widen", [](Interval& copy, double x) { copy = Hull{}(copy, Interval{x, x}); }, h.reduce(Hull{}), 50.0 - i);
  rt.wait();
  CHECK(hull.low == -49.0);
  CHECK(hull.high == 50.0);
}

TEST_CASE("minimum and maximum of floating point numbers start beyond every number") {
  CHECK(Minimum::identity<double>() == std::numeric_limits<double>::max());
  CHECK(Maximum::identity<double>() == std::numeric_limits<double>::lowest());
  CHECK(Maximum::identity<float>() < -1.0e30F);
  CHECK(Sum::identity<int>() == 0);
  CHECK(Product::identity<int>() == 1);
}

TEST_CASE("a copy starts at the identity") {
  Runtime rt(with_workers(1));
  long value = 77, product = 5, first = -1, second = -1;
  auto v = rt.data(value, "v"), p = rt.data(product, "p");
  rt.submit("sum", [&](long& copy) { first = copy; }, v.reduce(Sum{}));
  rt.submit("product", [&](long& copy) { second = copy; }, p.reduce(Product{}));
  rt.wait();
  CHECK(first == 0);
  CHECK(second == 1);
  CHECK(value == 77);
  CHECK(product == 5);
}

TEST_CASE("the next access of another mode sees the sum") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 0;
    auto v = rt.data(value, "v");
    std::vector<long> seen;
    const auto contribute = [&](int tasks) {
      for (int i = 0; i < tasks; ++i) rt.submit("add", [](long& copy) { ++copy; }, v.reduce(Sum{}));
    };
    contribute(10);
    rt.submit("read", [&](const long& x) { seen.push_back(x); }, v.read());
    contribute(5);
    rt.submit("readwrite", [&](long& x) { seen.push_back(x); x *= 2; }, v.readwrite());
    contribute(1);
    rt.submit("commute", [&](long& x) { seen.push_back(x); x += 100; }, v.commute());
    contribute(3);
    const long acquired = rt.acquire(v.read()).view();
    contribute(4);
    rt.submit("write", [&](long& x) { x = 7; }, v.write());
    contribute(2);
    rt.wait();
    CHECK(seen == std::vector<long>{10, 15, 31});
    CHECK(acquired == 134);
    CHECK(value == 9);
  }
}

TEST_CASE("reductions by different operations follow each other in order") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 1;
    auto v = rt.data(value, "v");
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 8; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
      rt.submit("double", [](long& c) { c *= 2; }, v.reduce(Product{}));
      for (int i = 0; i < 8; ++i) rt.submit("cap", [](long& c) { c = std::min(c, 100L); }, v.reduce(Minimum{}));
    }
    long expected = 1;
    for (int round = 0; round < 10; ++round) expected = std::min(100L, 2 * (expected + 8));
    rt.wait();
    CHECK(value == expected);
  }
}

TEST_CASE("many groups of reductions on many data") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    const std::size_t data = 10;
    const long groups = 40, members = 6;
    std::vector<long> values(data, 0);
    std::vector<Object<long>> handles;
    for (long& v : values) handles.push_back(rt.data(v));
    std::atomic<int> wrong{0};
    for (long g = 1; g <= groups; ++g)
      for (std::size_t d = 0; d < data; ++d) {
        for (long m = 0; m < members; ++m) rt.submit("add", [](long& c) { ++c; }, handles[d].reduce(Sum{}));
        rt.submit("check", [&wrong, g](const long& v) { wrong += v != g * members; }, handles[d].read());
      }
    rt.wait();
    CHECK(wrong == 0);
    for (const long v : values) CHECK(v == groups * members);
  }
}

TEST_CASE("two reductions, or a reduction and other accesses, in one task") {
  Runtime rt(with_workers(2));
  long sum = 0, largest = 0, number = 0;
  auto s = rt.data(sum, "sum"), m = rt.data(largest, "largest"), n = rt.data(number, "n");
  for (int i = 0; i < 100; ++i) {
    rt.submit("next", [](long& v) { ++v; }, n.readwrite());
    rt.submit("both", [](const long& v, long& a, long& b, long k) {
      a += v;
      b = std::max(b, v * k);
    }, n.read(), s.reduce(Sum{}), m.reduce(Maximum{}), 2L);
  }
  rt.wait();
  CHECK(sum == 5050);
  CHECK(largest == 200);
}

TEST_CASE("reductions in children end with their parent") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 0, seen = -1, within = -1;
    auto v = rt.data(value, "v");
    rt.submit("parent", [&](long& x) {
      x = 10;
      for (int i = 0; i < 50; ++i) rt.submit("child", [](long& c) { ++c; }, v.reduce(Sum{}));
      rt.wait();
      within = x;
      for (int i = 0; i < 50; ++i) rt.submit("child", [](long& c) { ++c; }, v.reduce(Sum{}));
    }, v.readwrite());
    rt.submit("after", [&](const long& x) { seen = x; }, v.read());
    rt.wait();
    CHECK(within == 60);
    CHECK(seen == 110);
  }
}

TEST_CASE("a copy belongs to one body, also while the body waits for its children") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 0;
    auto v = rt.data(value, "v");
    for (int i = 0; i < 200; ++i)
      rt.submit("add", [&rt](long& copy) {
        const long before = copy;
        rt.submit("child", [] {});
        rt.wait();  // other tasks of this reduction may run here
        copy = before + 1;
      }, v.reduce(Sum{}));
    rt.wait();
    CHECK(value == 200);
  }
}

TEST_CASE("a handle's end and a wait for a handle fold, too") {
  Runtime rt(with_workers(2));
  long value = 0;
  {
    auto v = rt.data(value, "v");
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
    rt.wait(v);
    CHECK(value == 20);
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
  }
  CHECK(value == 40);
}

TEST_CASE("contributions to data that Mitra allocates are folded into what was written") {
  Runtime rt(with_workers(2));
  auto v = rt.vector<int>(64, "v");
  long sum = 0;
  rt.submit("zero", [](View<int> x) { for (int& e : x) e = 1; }, v.write());
  for (int i = 0; i < 10; ++i) rt.submit("add", [](View<int> c) { for (int& e : c) ++e; }, v.reduce(Sum{}));
  rt.submit("sum", [&](View<const int> x) { for (const int e : x) sum += e; }, v.read());
  rt.wait();
  CHECK(sum == 64 * 11);
}

TEST_CASE("what was contributed to a reduction that failed is not in the next one") {
  for (const char* emu : {"", "1:mem=1 MB,bw=1000 GB/s,latency=0 s,speed=0.01,poison=1"}) {
    for (const bool task_fails : {true, false}) {
      Config config = test::with_workers(2, "eager");
      config.emu = emu;
      Runtime rt(config);
      double x = 0.0;
      auto X = rt.data(x, "x");
      const auto add = codelet("add").cpu([](double& v, double a) {
        if (a < 0.0) throw std::runtime_error("on purpose");
        v += a;
      });
      for (int i = 0; i < 4; ++i) rt.submit(add, X.reduce(Sum{}), 5.0);
      if (task_fails)
        rt.submit(add, X.reduce(Sum{}), -1.0);
      else
        rt.submit("fails before", [](double&) { throw std::runtime_error("on purpose"); }, X.readwrite());
      if (!task_fails)
        for (int i = 0; i < 4; ++i) rt.submit(add, X.reduce(Sum{}), 5.0);
      CHECK_THROWS_AS(rt.wait(), TaskError);
      rt.submit("again from zero", [](double& v) { v = 0.0; }, X.write());
      for (int i = 0; i < 2; ++i) rt.submit(add, X.reduce(Sum{}), 1.0);
      rt.wait();
      INFO("devices: " << emu);
      CHECK(x == 2.0);
    }
  }
}
