// Bodies that throw: what runs all the same, what does not, and what wait() says.
#include <atomic>
#include <mitra/mitra.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::contains;
using test::with_workers;

namespace {

struct OwnError {
  int code;
};

void fail(const char* text) { throw std::runtime_error(text); }

/// What wait() throws. @pre it does throw a TaskError
template <class Wait>
TaskError failure_of(Wait wait) {
  try {
    wait();
  } catch (const TaskError& error) {
    return error;
  }
  throw std::logic_error("test: nothing was thrown");
}

}  // namespace

TEST_CASE("wait() names the task, the place of its submission and what its body said") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    const unsigned line = __LINE__ + 1;
    const Task task = rt.submit("factorise", [] { fail("not positive definite"); });
    const TaskError error = failure_of([&] { rt.wait(); });
    CHECK_THAT(error.what(), contains("factorise"));
    CHECK_THAT(error.what(), contains("errors.cpp:" + std::to_string(line)));
    CHECK_THAT(error.what(), contains("not positive definite"));
    CHECK(error.name == "factorise");
    CHECK(error.id == task.id());
    CHECK(error.where.line == line);
    CHECK_THAT(error.where.file, contains("errors.cpp"));
    CHECK_THROWS_AS(std::rethrow_exception(error.cause), std::runtime_error);
  }
}

TEST_CASE("the place of a submission with options, of a codelet, and of a codelet without accesses") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto broken = codelet("broken").cpu([](const int&) { fail("no"); });
  const auto alone = codelet("alone").cpu([] { fail("no"); });

  unsigned line = __LINE__ + 1;
  rt.submit({.priority = 3}, [] { fail("no"); });
  CHECK(failure_of([&] { rt.wait(); }).where.line == line);

  line = __LINE__ + 1;
  rt.submit({.name = "named", .priority = 3}, [] { fail("no"); });
  const TaskError named = failure_of([&] { rt.wait(); });
  CHECK(named.where.line == line);
  CHECK(named.name == "named");

  line = __LINE__ + 1;
  rt.submit(broken, n.read());
  const TaskError error = failure_of([&] { rt.wait(); });
  CHECK(error.where.line == line);
  CHECK(error.name == "broken");

  line = __LINE__ + 1;
  rt.submit({.priority = 3}, alone);
  CHECK(failure_of([&] { rt.wait(); }).where.line == line);

  rt.submit(alone);
  CHECK_THAT(failure_of([&] { rt.wait(); }).what(), contains("alone"));
}

TEST_CASE("anything may be thrown") {
  Runtime rt(with_workers(2));
  rt.submit("own", [] { throw OwnError{42}; });
  const TaskError error = failure_of([&] { rt.wait(); });
  CHECK_THAT(error.what(), contains("own"));
  int code = 0;
  try {
    std::rethrow_exception(error.cause);
  } catch (const OwnError& own) {
    code = own.code;
  }
  CHECK(code == 42);
  rt.submit("bad_alloc", [] { throw std::bad_alloc(); });
  CHECK_THROWS_AS(rt.wait(), TaskError);
}

TEST_CASE("after a failure independent tasks run, dependent ones do not, and then the Runtime is as new") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int a = 0, b = 0;
    auto x = rt.data(a, "x"), y = rt.data(b, "y");
    std::atomic<int> dependent{0}, independent{0};
    const Task failing = rt.submit("fail", [](int&) { fail("broken"); }, x.write());
    const Task reader = rt.submit("reader", [&](const int&) { ++dependent; }, x.read());
    rt.submit("onward", [&](const int&, int&) { ++dependent; }, x.read(), y.write());
    rt.submit("further", [&](const int&) { ++dependent; }, y.read());
    rt.submit({.after = {reader}}, [&] { ++dependent; });
    for (int i = 0; i < 100; ++i) rt.submit("free", [&] { ++independent; });
    CHECK_THROWS_WITH(rt.wait(), contains("broken"));
    CHECK(independent == 100);
    CHECK(dependent == 0);
    CHECK(failing.done());
    rt.submit("again", [&](int& v, int& w) { v = w = 7; }, x.write(), y.write());
    rt.submit("again", [&](const int&) { ++dependent; }, x.read());
    CHECK_NOTHROW(rt.wait());
    CHECK(a == 7);
    CHECK(b == 7);
    CHECK(dependent == 1);
  }
}

TEST_CASE("a task submitted after the failure is cancelled, if it needs the failed task") {
  Runtime rt(with_workers(2));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  const Task failing = rt.submit("fail", [](const int&, int&) { fail("broken"); }, x.read(), y.write());
  CHECK_THROWS_AS(failing.wait(), TaskError);
  CHECK(failing.status() == TaskStatus::failed);

  int ran = 0;
  const Task reads_y = rt.submit("late", [&](const int&) { ++ran; }, y.read());
  CHECK_THROWS_WITH(reads_y.wait(), contains("broken"));
  CHECK(reads_y.status() == TaskStatus::cancelled);
  const Task writes_x = rt.submit("late", [&](int&) { ++ran; }, x.write());
  CHECK_THROWS_AS(writes_x.wait(), TaskError);
  const Task edge = rt.submit({.after = {failing}}, [&] { ++ran; });
  CHECK_THROWS_AS(edge.wait(), TaskError);
  CHECK(ran == 0);
  CHECK_THROWS_WITH(rt.wait(), contains("broken"));
  CHECK(failing.done());
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a late writer is cancelled by a failed reader, however many readers and other tasks came between") {
  for (const unsigned workers : {1U, 2U}) {
    Runtime rt(with_workers(workers));
    int a = 3, ran = 0;
    std::atomic<int> readers{0};
    auto x = rt.data(a, "x");
    CHECK_THROWS_AS(rt.submit("fail", [](const int&) { fail("broken"); }, x.read()).wait(), TaskError);
    for (int i = 0; i < 100; ++i) {
      rt.submit("reader", [&](const int&) { ++readers; }, x.read());
      rt.submit("other", [] {}).wait();
    }
    rt.submit("writer", [&](int&) { ++ran; }, x.write());
    CHECK_THROWS_WITH(rt.wait(), contains("broken"));
    CHECK(readers == 100);
    CHECK(ran == 0);
  }
}

TEST_CASE("each task says what it threw itself, though another failed first") {
  Runtime rt(with_workers(1));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  const Task first = rt.submit("first", [](int&) { fail("broken x"); }, x.write());
  const Task second = rt.submit("second", [](int&) { fail("broken y"); }, y.write());
  const Task after_second = rt.submit("after", [](const int&) {}, y.read());
  CHECK_THROWS_WITH(first.wait(), contains("broken x"));
  CHECK_THROWS_WITH(second.wait(), contains("broken y"));
  CHECK_THROWS_WITH(after_second.wait(), contains("broken y"));
  CHECK_THROWS_WITH(rt.wait(y), contains("broken y"));
  CHECK_THROWS_WITH(rt.acquire(x.read()), contains("broken x"));
  CHECK_THROWS_WITH(rt.wait(), contains("broken x"));
}

TEST_CASE("a reader of what a failed task only read runs") {
  Runtime rt(with_workers(1));
  int a = 3, seen = 0;
  auto x = rt.data(a, "x");
  rt.submit("fail", [](const int&) { fail("broken"); }, x.read());
  rt.submit("reader", [&](const int& v) { seen = v; }, x.read());
  CHECK_THROWS_AS(rt.wait(), TaskError);
  CHECK(seen == 3);
}

TEST_CASE("the first of several failures is reported, once") {
  Runtime rt(test::foreseeable());
  rt.submit({.priority = 1}, [] { fail("second"); });
  rt.submit({.priority = 2}, [] { fail("first"); });
  rt.submit({.priority = 0}, [] { fail("third"); });
  CHECK_THROWS_WITH(rt.wait(), contains("first"));
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("waiting for a datum or acquiring it throws what its tasks threw") {
  Runtime rt(with_workers(2));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  rt.submit("fail", [](int&) { fail("broken x"); }, x.write());
  rt.submit("fine", [](int& v) { v = 1; }, y.write());
  CHECK_THROWS_WITH(rt.wait(x), contains("broken x"));
  CHECK_THROWS_WITH(rt.acquire(x.read()), contains("broken x"));
  CHECK_NOTHROW(rt.wait(y));
  CHECK(rt.acquire(y.read()).view() == 1);
  CHECK_THROWS_WITH(rt.wait(), contains("broken x"));
  CHECK_NOTHROW(rt.acquire(x.read()));
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("the destructor drops failures") {
  CHECK_NOTHROW([] {
    Runtime rt(with_workers(2));
    rt.submit("fail", [] { fail("broken"); });
  }());
}

TEST_CASE("a failed child fails its parent, and what depends on the parent") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int a = 0, ran = 0;
    auto x = rt.data(a, "x");
    std::atomic<int> siblings{0};
    const Task parent = rt.submit("parent", [&](int&) {
      rt.submit("child", [](int&) { fail("broken child"); }, x.write());
      rt.submit("younger", [&](int&) { ++ran; }, x.readwrite());
      for (int i = 0; i < 10; ++i) rt.submit("sibling", [&] { ++siblings; });
    }, x.write());
    rt.submit("after", [&](const int&) { ++ran; }, x.read());
    CHECK_THROWS_WITH(parent.wait(), contains("broken child"));
    CHECK(parent.status() == TaskStatus::failed);
    const TaskError error = failure_of([&] { rt.wait(); });
    CHECK_THAT(error.what(), contains("broken child"));
    CHECK(ran == 0);
    CHECK(siblings == 10);
  }
}

TEST_CASE("a parent that catches its children's failure has handled it") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int a = 0, after = 0;
    auto x = rt.data(a, "x");
    std::string message;
    rt.submit("parent", [&](int& v) {
      rt.submit("child", [](int&) { fail("broken child"); }, x.write());
      try {
        rt.wait();
      } catch (const TaskError& error) {
        message = error.what();
      }
      rt.submit("second try", [](int& w) { w = 5; }, x.write());
      rt.wait();
      v += 1;
    }, x.write());
    rt.submit("after", [&](const int& v) { after = v; }, x.read());
    CHECK_NOTHROW(rt.wait());
    CHECK_THAT(message, contains("broken child"));
    CHECK(after == 6);
  }
}

TEST_CASE("a parent that lets its children's failure through fails with it") {
  Runtime rt(with_workers(2));
  bool passed = false;
  rt.submit("parent", [&] {
    rt.submit("child", [] { fail("broken child"); });
    rt.wait();
    passed = true;
  });
  CHECK_THROWS_WITH(rt.wait(), contains("broken child"));
  CHECK_FALSE(passed);
}

TEST_CASE("wait() tells of the child that failed, whether its parents waited for it or not") {
  for (const int waiting : {0, 1, 2, 3}) {
    INFO("waiting " << waiting);
    Runtime rt(with_workers(2));
    const Task grandparent = rt.submit("grandparent", [&] {
      rt.submit("parent", [&] {
        const Task child = rt.submit("child", [] { fail("broken child"); });
        if (waiting & 1) child.wait();
      });
      if (waiting & 2) rt.wait();
    });
    const TaskError of_task = failure_of([&] { grandparent.wait(); });
    CHECK(of_task.name == "child");
    CHECK(grandparent.status() == TaskStatus::failed);
    const TaskError error = failure_of([&] { rt.wait(); });
    CHECK(error.name == "child");
    CHECK(std::string(error.what()).find("parent") == std::string::npos);
    CHECK_THROWS_WITH(std::rethrow_exception(error.cause), "broken child");
  }
}

TEST_CASE("a parent that throws something of its own about a failed child is told of itself") {
  Runtime rt(with_workers(2));
  rt.submit("parent", [&] {
    rt.submit("child", [] { fail("broken child"); });
    try {
      rt.wait();
    } catch (const TaskError& error) {
      fail("no result");
    }
  });
  const TaskError error = failure_of([&] { rt.wait(); });
  CHECK(error.name == "parent");
  CHECK_THAT(error.what(), contains("no result"));
}

TEST_CASE("a body that throws another Runtime's TaskError has thrown something of its own") {
  Runtime rt(with_workers(2)), other(with_workers(2));
  for (const bool ids_meet : {true, false}) {
    if (!ids_meet) other.submit("one more", [] {});
    rt.submit("outer", [&] {
      other.submit("inner", [] { fail("broken inner"); });
      other.wait();
    });
    const TaskError error = failure_of([&] { rt.wait(); });
    CHECK(error.name == "outer");
    CHECK_THAT(error.what(), contains("inner") && contains("broken inner"));
  }
}

TEST_CASE("a parent that throws still has its children run") {
  Runtime rt(with_workers(2));
  std::atomic<int> children{0};
  const Task parent = rt.submit("parent", [&] {
    for (int i = 0; i < 20; ++i) rt.submit("child", [&] { ++children; });
    fail("broken parent");
  });
  CHECK_THROWS_WITH(parent.wait(), contains("broken parent"));
  CHECK(children == 20);
  CHECK_THROWS_AS(rt.wait(), TaskError);
}

TEST_CASE("a failing reducer and a failing commuter cancel what comes after, not their peers") {
  Runtime rt(with_workers(1));
  long a = 0, b = 0, ran = 0, read = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  for (int i = 0; i < 5; ++i) {
    rt.submit("commute", [&, i](long&) { if (i == 2) fail("broken"); ++ran; }, x.commute());
    rt.submit("reduce", [&, i](long&) { if (i == 2) fail("broken"); ++ran; }, y.reduce(Sum{}));
  }
  rt.submit("read", [&](const long&) { ++read; }, x.read());
  rt.submit("read", [&](const long&) { ++read; }, y.read());
  CHECK_THROWS_AS(rt.wait(), TaskError);
  CHECK(ran == 8);
  CHECK(read == 0);
  b = 0;
  rt.submit("reduce", [](long& c) { c += 3; }, y.reduce(Sum{}));
  CHECK_NOTHROW(rt.wait());
  CHECK(b == 3);
}

namespace {

struct BrokenSum {
  template <class T> static T identity() { return T(0); }
  template <class T> T operator()(T, T) const { throw std::runtime_error("cannot add"); }
};

}  // namespace

TEST_CASE("an operation that throws fails the fold, and what comes after it") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 1;
    int ran = 0;
    auto v = rt.data(value, "v");
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(BrokenSum{}));
    rt.submit("read", [&](const long&) { ++ran; }, v.read());
    CHECK_THROWS_WITH(rt.wait(), contains("cannot add"));
    CHECK(ran == 0);
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
    CHECK_NOTHROW(rt.wait());
    CHECK(value == 21);
  }
}

namespace {

struct NoIdentity {
  template <class T> static T identity() { throw std::runtime_error("cannot begin"); }
  template <class T> T operator()(T a, T b) const { return a + b; }
};

}  // namespace

TEST_CASE("an operation without an identity fails the tasks that reduce, and the datum stays as it was") {
  for (const unsigned workers : {1U, 8U}) {
    Runtime rt(with_workers(workers));
    long value = 1;
    auto v = rt.data(value, "v");
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(NoIdentity{}));
    CHECK_THROWS_WITH(rt.wait(), contains("cannot begin"));
    for (int i = 0; i < 20; ++i) rt.submit("add", [](long& c) { ++c; }, v.reduce(Sum{}));
    CHECK_NOTHROW(rt.wait());
    CHECK(value == 21);
  }
}

TEST_CASE("memory that cannot be had fails the task that asked for it, not the run") {
  if (test::kSanitized) return;  // sanitizers end the program at such a request
  Runtime rt(with_workers(2));
  auto huge = rt.vector<double>(std::size_t{1} << 56, "huge");
  auto small = rt.vector<double>(8, "small");
  int ran = 0;
  rt.submit("small", [&](View<double>) { ++ran; }, small.write());
  rt.submit("huge", [&](View<double>) { ++ran; }, huge.write());
  const TaskError error = failure_of([&] { rt.wait(); });
  CHECK(error.name == "huge");
  CHECK(ran == 1);
}

TEST_CASE("storms of failures leave nothing behind") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(with_workers(workers));
    int number = 0;
    auto n = rt.data(number, "n");
    for (int round = 0; round < 200; ++round) {
      rt.submit("fail", [](int&) { fail("broken"); }, n.write());
      for (int i = 0; i < 5; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      CHECK_THROWS_AS(rt.wait(), TaskError);
    }
    rt.submit("add", [](int& v) { ++v; }, n.readwrite());
    CHECK_NOTHROW(rt.wait());
    CHECK(number == 1);
  }
}
