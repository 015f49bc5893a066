// Submissions, waits and recordings that their contracts forbid.
#include <atomic>
#include <functional>
#include <mitra/mitra.hpp>
#include <string>
#include <utility>
#include <vector>

#include "expect.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::contains;
using test::with_workers;

namespace {

/// Makes the call inside a task with access `given`, and returns the message of the MisuseError that it throws there.
template <class Access>
std::string misuse_inside(Runtime& rt, Access given, const std::function<void()>& call) {
  std::string message = "nothing was thrown";
  rt.submit("parent", [&](auto&&...) {
    try {
      call();
    } catch (const MisuseError& error) {
      message = error.what();
    }
  }, given);
  CHECK_NOTHROW(rt.wait());
  return message;
}

/// As many different operations as one likes.
template <int Number>
struct NumberedSum {
  template <class T> static T identity() { return T(0); }
  template <class T> T operator()(T a, T b) const { return a + b; }
};

}  // namespace

TEST_CASE("a codelet that no worker implements is refused with its name and the workers") {
  Runtime rt(with_workers(2));
  const auto gpu_only = codelet("fft_on_gpu").hip([](HipStream) {});
  CHECK_THROWS_AS(rt.submit(gpu_only), SubmitError);
  CHECK_THROWS_WITH(rt.submit(gpu_only), contains("fft_on_gpu") && contains("cpu") && contains("2"));
  CHECK_THROWS_AS(rt.submit({.priority = 1}, gpu_only), SubmitError);
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("an edge from a task of another Runtime is refused") {
  Runtime rt(with_workers(1)), other(with_workers(1));
  const Task foreign = other.submit("foreign", [] {});
  EXPECT_MISUSE(rt.submit({.name = "mine", .after = {foreign}}, [] {}), "mine", "another Runtime");
  other.wait();
  EXPECT_MISUSE(rt.submit({.name = "mine", .after = {foreign}}, [] {}), "mine", "another Runtime");
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a child that waits for its parent or grandparent is refused as a cycle") {
  for (const unsigned workers : {1U, 2U}) {
    Runtime rt(with_workers(workers));
    std::string parent_message, grandparent_message;
    test::Gate submitted;
    Task grandparent;
    const auto refused = [&](const Task& before) -> std::string {
      try {
        rt.submit({.name = "child", .after = {before}}, [] {});
      } catch (const MisuseError& error) {
        return error.what();
      }
      return "nothing was thrown";
    };
    grandparent = rt.submit("grandparent", [&] {
      submitted.pass();
      grandparent_message = refused(grandparent);
      rt.submit("parent", [&] { parent_message = refused(grandparent); });
    });
    submitted.open();
    CHECK_NOTHROW(rt.wait());
    CHECK_THAT(grandparent_message, contains("cycle") && contains("grandparent") && contains("child"));
    CHECK_THAT(parent_message, contains("cycle") && contains("grandparent"));
  }
}

TEST_CASE("a child that waits for a task which waits for its parent is refused as a cycle") {
  Config config = with_workers(1);
  config.watchdog = Seconds(1.0);
  Runtime rt(config);
  auto x = rt.token("x");
  std::string message = "nothing was thrown";
  Task later;
  rt.submit("parent", [&] {
    try {
      rt.submit({.name = "child", .after = {later}}, [] {});
    } catch (const MisuseError& error) {
      message = error.what();
    }
  }, x.write());
  later = rt.submit("later", [] {}, x.read());
  CHECK_NOTHROW(rt.wait());
  CHECK_THAT(message, contains("cycle") && contains("child"));
}

TEST_CASE("a child may access only what its parent has declared") {
  Runtime rt(with_workers(1));
  int a = 0, b = 0;
  auto x = rt.data(a, "declared"), y = rt.data(b, "undeclared");
  const auto none = [](auto&&...) {};
  const auto write_x = [&] { rt.submit("child", none, x.write()); };
  const auto commute_x = [&] { rt.submit("child", none, x.commute()); };
  const auto reduce_x = [&] { rt.submit("child", none, x.reduce(Sum{})); };
  const auto read_x = [&] { rt.submit("child", none, x.read()); };
  const auto read_y = [&] { rt.submit("child", none, y.read()); };

  CHECK_THAT(misuse_inside(rt, x.readwrite(), read_y), contains("undeclared") && contains("parent") && contains("declare"));
  for (const auto& call : {std::function<void()>(write_x), std::function<void()>(commute_x), std::function<void()>(reduce_x)})
    CHECK_THAT(misuse_inside(rt, x.read(), call), contains("declared") && contains("read") && contains("readwrite"));
  CHECK_THAT(misuse_inside(rt, x.reduce(Sum{}), read_x), contains("declared") && contains("reduce"));
  CHECK_THAT(misuse_inside(rt, x.reduce(Sum{}), reduce_x), contains("declared") && contains("reduce"));
  CHECK_THAT(misuse_inside(rt, rt.token("t").write(), [&] { rt.acquire(y.read()); }), contains("undeclared"));
  CHECK_THAT(misuse_inside(rt, rt.token("t").write(), [&] { rt.wait(y); }), contains("undeclared"));
}

TEST_CASE("a task that lets its child's refusal through fails with that message") {
  Runtime rt(with_workers(2));
  int a = 0;
  auto x = rt.data(a, "x");
  rt.submit("parent", [&] { rt.submit("child", [](const int&) {}, x.read()); });
  CHECK_THROWS_WITH(rt.wait(), contains("parent") && contains("'x'"));
}

TEST_CASE("a task does not wait for a task that is not its child") {
  for (const unsigned workers : {1U, 2U}) {
    Runtime rt(with_workers(workers));
    auto x = rt.token("x");
    std::string message = "nothing was thrown";
    test::Gate submitted;
    Task other;
    rt.submit("impatient", [&] {
      submitted.pass();
      try {
        other.wait();
      } catch (const MisuseError& error) {
        message = error.what();
      }
    }, x.write());
    other = rt.submit("other", [] {}, x.read());
    submitted.open();
    CHECK_NOTHROW(rt.wait());
    CHECK_THAT(message, contains("impatient") && contains("not its child"));
  }
}

TEST_CASE("waiting for a datum is refused in its own name") {
  Runtime rt;
  auto x = rt.vector<double>(4, "x");
  const auto guard = rt.acquire(x.read());
  CHECK_THROWS_WITH(rt.wait(x), Catch::StartsWith("wait: this thread holds a guard on 'x' already, with read()"));
  CHECK_THROWS_WITH(rt.acquire(x.write()), Catch::StartsWith("acquire: this thread holds a guard on 'x' already, with read()"));
}

TEST_CASE("a thread that holds a guard does not wait") {
  Runtime rt(with_workers(2));
  int a = 0;
  auto x = rt.data(a, "x");
  {
    const auto guard = rt.acquire(x.readwrite());
    const Task blocked = rt.submit("blocked", [](int& v) { v = 1; }, x.write());
    EXPECT_MISUSE(rt.wait(), "guard", "wait()");
    EXPECT_MISUSE(blocked.wait(), "guard", "wait()");
  }
  CHECK_NOTHROW(rt.wait());
  CHECK(a == 1);
}

TEST_CASE("record() takes submissions only") {
  Runtime rt(with_workers(2));
  int a = 0, ran = 0;
  auto x = rt.data(a, "x");
  const Task live = rt.submit("live", [](int& v) { v = 1; }, x.write());
  const auto graph = rt.record([&] { rt.submit("node", [&] { ++ran; }); });
  EXPECT_MISUSE(rt.record([&] { rt.wait(); }), "wait()", "record");
  EXPECT_MISUSE(rt.record([&] { rt.wait(x); }), "record", "");
  EXPECT_MISUSE(rt.record([&] { auto guard = rt.acquire(x.read()); }), "acquire()", "record");
  EXPECT_MISUSE(rt.record([&] { rt.replay(graph); }), "replay()", "record");
  EXPECT_MISUSE(rt.record([&] { live.wait(); }), "wait()", "record");
  EXPECT_MISUSE(rt.record([&] { rt.record([] {}); }), "record()", "");
  CHECK_NOTHROW(rt.wait());
  rt.replay(graph);
  rt.wait();
  CHECK(ran == 1);
}

TEST_CASE("misuse in record() is refused like elsewhere, and the recording may go on") {
  Runtime rt(with_workers(1)), other(with_workers(1));
  int a = 0, b = 0;
  auto x = rt.data(a, "x"), foreign = other.data(b, "foreign");
  const Object<int> empty;
  const auto graph = rt.record([&] {
    rt.submit("good", [](int& v) { v += 1; }, x.readwrite());
    EXPECT_MISUSE(rt.submit("bad", [](const int&) {}, empty.read()), "no datum", "bad");
    EXPECT_MISUSE(rt.submit("bad", [](const int&) {}, foreign.read()), "foreign", "another Runtime");
    EXPECT_MISUSE(rt.submit("bad", [](auto&&...) {}, x.read(), x.commute()), "'x'", "commute");
    CHECK_THROWS_AS(rt.submit(codelet("gpu_only").hip([](HipStream) {})), SubmitError);
    rt.submit("good", [](int& v) { v += 10; }, x.readwrite());
  });
  CHECK(graph.size() == 2);
  rt.replay(graph);
  CHECK_NOTHROW(rt.wait());
  CHECK(a == 11);
}

TEST_CASE("edges do not lead into or out of a recording") {
  Runtime rt(with_workers(1));
  const Task live = rt.submit("live", [] {});
  EXPECT_MISUSE(rt.record([&] { rt.submit({.name = "node", .after = {live}}, [] {}); }), "node", ".after");
  Task recorded;
  const auto graph = rt.record([&] {
    for (int i = 0; i < 10; ++i) recorded = rt.submit("node", [] {});
  });
  EXPECT_MISUSE(rt.submit({.name = "outside", .after = {recorded}}, [] {}), "outside", ".after");
  EXPECT_MISUSE(rt.record([&] { rt.submit({.name = "other", .after = {recorded}}, [] {}); }), "other", ".after");
  EXPECT_MISUSE(recorded.wait(), "record", "");
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a graph is replayed by the Runtime that recorded it") {
  Runtime rt(with_workers(1)), other(with_workers(1));
  const auto graph = other.record([&] { other.submit("node", [] {}); });
  EXPECT_MISUSE(rt.replay(graph), "another Runtime", "replay");
  EXPECT_MISUSE(rt.replay(RecordedGraph()), "replay", "empty");
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a datum is reduced by a few different operations, not by any number") {
  Runtime rt(with_workers(1));
  int a = 0;
  auto x = rt.data(a, "x");
  const auto reduce_by = [&]<int N>(std::integral_constant<int, N>) {
    rt.submit("reduce", [](int& c) { ++c; }, x.reduce(NumberedSum<N>{}));
  };
  CHECK_NOTHROW([&]<int... N>(std::integer_sequence<int, N...>) {
    (reduce_by(std::integral_constant<int, N>{}), ...);
  }(std::make_integer_sequence<int, 8>{}));
  EXPECT_MISUSE(reduce_by(std::integral_constant<int, 8>{}), "'x'", "operations");
  CHECK_NOTHROW(rt.wait());
  CHECK(a == 8);
}

TEST_CASE("a task has at most 65535 accesses") {
  Runtime rt(with_workers(1));
  int a = 0;
  const std::vector<Object<int>> many(70'000, rt.data(a, "a"));
  EXPECT_MISUSE(rt.submit("wide", [](auto) {}, read_all(many)), "65535", "70000");
  CHECK_NOTHROW(rt.wait());
}
