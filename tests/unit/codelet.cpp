// Codelets: implementations, lifetimes, costs.
#include <atomic>
#include <memory>
#include <mitra/mitra.hpp>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {

auto axpy() {
  return codelet("axpy")
      .cpu([](View<const double> x, View<double> y, double a) {
        for (std::size_t i = 0; i < x.size(); ++i) y[i] += a * x[i];
      })
      .hip([](HipStream, View<const double>, View<double>, double) {})
      .cost([](auto x, auto, double) {
        return Work{.flops = 2.0 * static_cast<double>(x.size()), .bytes = 24.0 * static_cast<double>(x.size())};
      });
}

}  // namespace

TEST_CASE("a codelet's task runs the implementation of its worker") {
  Runtime rt(with_workers(2));
  std::vector<double> x(10, 1.0), y(10, 2.0);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y");
  const auto scaled_add = axpy();
  CHECK(scaled_add.name() == "axpy");
  for (int i = 0; i < 10; ++i) rt.submit(scaled_add, X.read(), Y.readwrite(), 3.0);
  rt.submit({.priority = 1}, scaled_add, X.read(), Y.readwrite(), 3.0);
  rt.wait();
  CHECK(y == std::vector<double>(10, 35.0));
}

TEST_CASE("a codelet may die before its tasks run") {
  Runtime rt(with_workers(1));
  double sum = 0.0;
  for (int i = 0; i < 100; ++i) {
    auto weight = std::make_shared<double>(i);
    rt.submit(codelet("add").cpu([weight, &sum] { sum += *weight; }));
  }
  rt.wait();
  CHECK(sum == 4950.0);
}

TEST_CASE("one codelet serves several Runtimes, one after the other and at once") {
  std::atomic<int> ran{0};
  const auto count = codelet("count").cpu([&ran] { ++ran; });
  Runtime a(with_workers(2)), b(with_workers(2));
  for (int i = 0; i < 50; ++i) {
    a.submit(count);
    b.submit(count);
  }
  std::thread other([&] { for (int i = 0; i < 50; ++i) a.submit(count); });
  for (int i = 0; i < 50; ++i) b.submit(count);
  other.join();
  a.wait();
  b.wait();
  CHECK(ran == 200);
}

TEST_CASE("a codelet outlives the Runtimes that used it") {
  int ran = 0;
  const auto count = codelet("count").cpu([&ran] { ++ran; });
  for (int i = 0; i < 5; ++i) {
    Runtime rt(with_workers(1));
    rt.submit(count);
    rt.wait();
  }
  CHECK(ran == 5);
}

TEST_CASE("implementations and cost are given in any order, and derived codelets share nothing") {
  Runtime rt(with_workers(1));
  int ran = 0;
  const auto base = codelet("base");
  const auto one = base.cost([](int) { return Work{.flops = 1.0}; }).cpu([&](int n) { ran += n; });
  const auto two = base.cpu([&](int n) { ran += 10 * n; });
  rt.submit(one, 1);
  rt.submit(two, 2);
  rt.wait();
  CHECK(ran == 21);
}

TEST_CASE("a task's cost is its codelet's, for the shapes of its data") {
  Runtime rt(with_workers(1));
  std::vector<double> x(100), y(100);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y");
  auto lazy = rt.vector<double>(1000, "lazy");
  const auto graph = rt.record([&] {
    rt.submit(axpy(), X.read(), Y.readwrite(), 3.0);
    rt.submit(axpy(), lazy.read(), lazy.readwrite(), 3.0);
    rt.submit("unknown", [](View<double>) {}, Y.readwrite());
  });
  REQUIRE(graph.size() == 3);
  CHECK(graph.task(0).work().known);
  CHECK(graph.task(0).work().flops == 200.0);
  CHECK(graph.task(0).work().bytes == 2400.0);
  CHECK(graph.task(1).work().flops == 2000.0);
  CHECK_FALSE(graph.task(2).work().known);
}

TEST_CASE("a recorded task shows a policy its name, place, priority, kinds and accesses") {
  Runtime rt(with_workers(1));
  std::vector<double> x(100), y(50);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y");
  const unsigned line = __LINE__ + 2;
  const auto graph = rt.record([&] {
    rt.submit({.priority = 7}, axpy(), X.read(), Y.readwrite(), 1.0);
    rt.submit("body", [](View<const double>) {}, X.read());
  });
  const TaskRef task = graph.task(0);
  CHECK(std::string(task.name()) == "axpy");
  CHECK(task.where().line == line);
  CHECK_THAT(task.where().file, test::contains("codelet.cpp"));
  CHECK(task.priority() == 7);
  CHECK(task.runs_on(WorkerKind::cpu));
  CHECK(task.runs_on(WorkerKind::hip));
  REQUIRE(task.access_count() == 2);
  CHECK(task.access(0).mode() == AccessMode::read);
  CHECK(task.access(0).bytes() == Bytes(800));
  CHECK(task.access(1).mode() == AccessMode::readwrite);
  CHECK(task.access(0).datum() == graph.task(1).access(0).datum());
  CHECK(task.access(0).datum() != task.access(1).datum());
  CHECK_FALSE(graph.task(1).runs_on(WorkerKind::hip));
  CHECK(std::string(graph.task(1).name()) == "body");
}
