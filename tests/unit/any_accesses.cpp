// Accesses whose modes are known only at run time: the same order and the same memory as typed ones.
#include <mitra/mitra.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;

TEST_CASE("a body of any accesses sees memory, shape and mode of each") {
  Runtime rt(test::with_workers(2));
  std::vector<int> x{1, 2, 3}, y{4, 5, 6, 7};
  auto X = rt.data(x, "x");
  auto Y = rt.matrix(y.data(), 2, 2, 2, "y");
  auto token = rt.token();
  AnyAccesses accesses;
  accesses.add(X.read());
  accesses.add(Y.readwrite());
  accesses.add(token.write());
  accesses.add(X.header(), AccessMode::read);
  rt.submit("any", [](const AnyViews& views, int factor) {
    REQUIRE(views.size() == 4);
    CHECK(views[0].mode() == AccessMode::read);
    CHECK(views[0].shape().rows == 3);
    CHECK(views[0].shape().element_size == sizeof(int));
    CHECK(views[1].mode() == AccessMode::readwrite);
    CHECK(views[1].shape().cols == 2);
    CHECK(views[2].shape().bytes() == Bytes(0));
    CHECK(views[3].data() == views[0].data());
    const int* from = reinterpret_cast<const int*>(views[0].data());
    int* to = reinterpret_cast<int*>(views[1].data());
    for (std::size_t i = 0; i < 3; ++i) to[i] += factor * from[i];
  }, std::move(accesses), 10);
  rt.wait();
  CHECK(y == std::vector<int>{14, 25, 36, 7});
}

TEST_CASE("any accesses order tasks as typed ones do") {
  Runtime rt(test::with_workers(4));
  constexpr int kTasks = 2000;
  long sum = 0, product = 1;
  auto S = rt.data(sum), P = rt.data(product);
  for (int i = 0; i < kTasks; ++i) {
    AnyAccesses accesses;
    accesses.add(S.header(), i % 3 == 0 ? AccessMode::readwrite : AccessMode::read);
    accesses.add(P.header(), AccessMode::readwrite);
    if (i % 2 == 0)
      rt.submit("any", [i](const AnyViews& views) {
        long& s = *reinterpret_cast<long*>(views[0].data());
        long& p = *reinterpret_cast<long*>(views[1].data());
        if (views[0].mode() == AccessMode::readwrite) s = s * 3 % 1000003 + i;
        p = (p * 7 + s) % 1000003;
      }, accesses);
    else
      rt.submit("typed", [](const long& s, long& p) { p = (p * 7 + s) % 1000003; }, S.read(), P.readwrite());
  }
  rt.wait();
  long s = 0, p = 1;
  for (int i = 0; i < kTasks; ++i) {
    if (i % 2 == 0 && i % 3 == 0) s = s * 3 % 1000003 + i;
    p = (p * 7 + s) % 1000003;
  }
  CHECK(sum == s);
  CHECK(product == p);
}

TEST_CASE("typed accesses and lists stand beside any accesses") {
  Runtime rt(test::with_workers(2));
  int a = 1, b = 2, c = 3, d = 0;
  auto A = rt.data(a), B = rt.data(b), C = rt.data(c), D = rt.data(d);
  AnyAccesses any;
  any.add(C.read());
  any.add(D.write());
  const std::vector<Object<int>> list{A, B};
  rt.submit("all", [](Views<ObjectKind<int>, AccessMode::read> both, const AnyViews& views, int& first) {
    first += 100;
    *reinterpret_cast<int*>(views[1].data()) = both[0] + both[1] + *reinterpret_cast<const int*>(views[0].data());
  }, read_all(std::vector<Object<int>>{B, C}), any, A.readwrite());
  rt.wait();
  CHECK(a == 101);
  CHECK(d == 2 + 3 + 3);
}

TEST_CASE("any accesses reduce, commute and scratch") {
  Runtime rt(test::with_workers(4));
  long sum = 5, count = 0;
  auto S = rt.data(sum), N = rt.data(count);
  auto buffer = rt.scratch<long>(16);
  for (int i = 1; i <= 500; ++i) {
    AnyAccesses accesses;
    accesses.add(S.reduce(Sum{}));
    accesses.add(N.commute());
    accesses.add(buffer.scratch());
    rt.submit("any", [i](const AnyViews& views) {
      long* scratch = reinterpret_cast<long*>(views[2].data());
      CHECK(views[2].shape().rows == 16);
      scratch[15] = i;
      *reinterpret_cast<long*>(views[0].data()) += scratch[15];
      ++*reinterpret_cast<long*>(views[1].data());
    }, std::move(accesses));
  }
  rt.wait();
  CHECK(sum == 5 + 500 * 501 / 2);
  CHECK(count == 500);
}

TEST_CASE("an empty list of any accesses is allowed, an empty handle is not") {
  Runtime rt(test::with_workers(1));
  bool ran = false;
  rt.submit("none", [&ran](const AnyViews& views) { ran = views.size() == 0; }, AnyAccesses());
  rt.wait();
  CHECK(ran);
  AnyAccesses accesses;
  accesses.add(nullptr, AccessMode::read);
  CHECK_THROWS_WITH(rt.submit("bad", [](const AnyViews&) {}, accesses), test::contains("access 0 has no datum"));
}

TEST_CASE("the cost of a task may look at the shapes of any accesses") {
  Runtime rt(test::with_workers(1));
  std::vector<double> x(7);
  auto X = rt.data(x);
  double bytes = 0;
  const auto c = codelet("c").cpu([](const AnyViews&) {}).cost([](const AnyViews& views) {
    return Work{.bytes = static_cast<double>(views[0].shape().bytes().value)};
  });
  AnyAccesses accesses;
  accesses.add(X.read());
  const auto graph = rt.record([&] { rt.submit(c, accesses); });
  bytes = TaskRef(&graph.storage()->nodes[0]).work().bytes;
  CHECK(bytes == 56.0);
}
