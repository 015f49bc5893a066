// Scratch buffers: private to a task while it runs, waits in its body included.
#include <atomic>
#include <cstdint>
#include <mitra/mitra.hpp>
#include <numeric>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

TEST_CASE("a task receives a buffer of the size that was asked for") {
  Runtime rt(with_workers(1));
  auto buffer = rt.scratch<double>(1000, "buffer");
  std::size_t size = 0;
  std::uintptr_t address = 1;
  double sum = 0.0;
  rt.submit("use", [&](View<double> b) {
    size = b.size();
    address = reinterpret_cast<std::uintptr_t>(b.data());
    std::iota(b.begin(), b.end(), 0.0);
    sum = std::accumulate(b.begin(), b.end(), 0.0);
  }, buffer.scratch());
  rt.wait();
  CHECK(size == 1000);
  CHECK(address % 64 == 0);
  CHECK(sum == 499500.0);
}

TEST_CASE("tasks that run at the same time have different buffers") {
  Runtime rt(with_workers(2));
  auto buffer = rt.scratch<int>(16, "buffer");
  test::Rendezvous both(2);
  std::atomic<int> wrong{0};
  const int* address[2] = {};
  for (int i = 0; i < 2; ++i)
    rt.submit("use", [&, i](View<int> b) {
      for (int& e : b) e = i;
      both.meet();
      for (const int e : b) wrong += e != i;
      address[i] = b.data();
    }, buffer.scratch());
  CHECK_NOTHROW(rt.wait());
  CHECK(wrong == 0);
  CHECK(address[0] != address[1]);
}

TEST_CASE("two buffers of one task are different") {
  Runtime rt(with_workers(2));
  auto a = rt.scratch<int>(8, "a"), b = rt.scratch<int>(8, "b");
  bool different = false;
  rt.submit("use", [&](View<int> x, View<int> y, View<int> z) {
    different = x.data() != y.data() && x.data() != z.data() && y.data() != z.data();
  }, a.scratch(), b.scratch(), a.scratch());
  rt.wait();
  CHECK(different);
}

TEST_CASE("a buffer stays its body's own while the body waits and others run on its thread") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    auto buffer = rt.scratch<int>(32, "buffer");
    std::atomic<int> wrong{0};
    const auto fill_and_check = [&wrong](View<int> b, int mark, auto between) {
      for (int& e : b) e = mark;
      between();
      for (const int e : b) wrong += e != mark;
    };
    for (int i = 0; i < 100; ++i)
      rt.submit("outer", [&, i](View<int> b) {
        fill_and_check(b, i, [&] {
          for (int c = 0; c < 3; ++c)
            rt.submit("inner", [&, c](View<int> inner) { fill_and_check(inner, -c - 1, [] {}); }, buffer.scratch());
          rt.wait();
        });
      }, buffer.scratch());
    rt.wait();
    CHECK(wrong == 0);
  }
}

TEST_CASE("a scratch buffer goes with other accesses, in every place of the argument list") {
  Runtime rt(with_workers(2));
  std::vector<int> values{3, 1, 2};
  auto v = rt.data(values, "v");
  auto buffer = rt.scratch<int>(3, "buffer");
  const auto reversed = codelet("reverse").cpu([](View<int> copy, View<int> x) {
    std::copy(x.begin(), x.end(), copy.begin());
    std::copy(std::reverse_iterator(copy.end()), std::reverse_iterator(copy.begin()), x.begin());
  });
  for (int i = 0; i < 101; ++i) rt.submit(reversed, buffer.scratch(), v.readwrite());
  rt.wait();
  CHECK(values == std::vector<int>{2, 1, 3});
}

TEST_CASE("a scratch handle may end before its tasks run") {
  Runtime rt(with_workers(1));
  long sum = 0;
  {
    auto buffer = rt.scratch<long>(10, "buffer");
    rt.submit("use", [&](View<long> b) {
      for (long& e : b) e = 2;
      sum = std::accumulate(b.begin(), b.end(), 0L);
    }, buffer.scratch());
  }
  rt.wait();
  CHECK(sum == 20);
}
