// Cancelling tasks: what no longer runs, what still does, and what the Runtime says of it.
#include <atomic>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <mitra/scheduling_policy.hpp>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

TEST_CASE("a cancelled task does not run, nor do the tasks that depend on it: others do") {
  Runtime rt(with_workers(1));
  int number = 0, other = 0;
  auto n = rt.data(number, "n"), o = rt.data(other, "o");
  const Task first = rt.submit("first", [](int& v) { v += 1; }, n.readwrite());
  const Task second = rt.submit("second", [](int& v) { v += 10; }, n.readwrite());
  const Task third = rt.submit("third", [](const int& v, int& w) { w += v; }, n.read(), o.readwrite());
  const Task edge = rt.submit({.after = {third}}, [] {});
  const Task free = rt.submit("free", [] {});
  second.cancel();
  CHECK_NOTHROW(rt.wait());
  CHECK(number == 1);
  CHECK(other == 0);
  CHECK(rt.statistics().executed == 2);
  (void)first, (void)edge, (void)free;
}

TEST_CASE("statuses tell which tasks were cancelled") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const Task first = rt.submit("first", [](int& v) { ++v; }, n.readwrite());
  const Task second = rt.submit("second", [](int& v) { ++v; }, n.readwrite());
  const Task third = rt.submit("third", [](int& v) { ++v; }, n.readwrite());
  second.cancel();
  third.wait();
  CHECK(first.status() == TaskStatus::done);
  CHECK(second.status() == TaskStatus::cancelled);
  CHECK(third.status() == TaskStatus::cancelled);
  rt.wait();
  CHECK(second.done());
  CHECK(third.done());
}

TEST_CASE("waiting for a task that was cancelled by its user returns") {
  Runtime rt(with_workers(2));
  test::Gate release;
  int number = 0;
  auto n = rt.data(number, "n");
  rt.submit("hold", [&](int&) { release.pass(); }, n.readwrite());
  const Task task = rt.submit("task", [](int& v) { v = 1; }, n.readwrite());
  const Task successor = rt.submit("successor", [](int& v) { v = 2; }, n.readwrite());
  task.cancel();
  release.open();
  CHECK_NOTHROW(task.wait());
  CHECK_NOTHROW(successor.wait());
  CHECK_NOTHROW(rt.wait());
  CHECK(number == 0);
}

TEST_CASE("a task submitted after the cancellation depends on it, until the next wait") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  rt.submit("cancelled", [](int& v) { v += 1; }, n.readwrite()).cancel();
  rt.submit("late", [](int& v) { v += 10; }, n.readwrite());
  rt.wait();
  CHECK(number == 0);
  rt.submit("new", [](int& v) { v += 100; }, n.readwrite());
  rt.wait();
  CHECK(number == 100);
}

TEST_CASE("readers beside a cancelled reader run") {
  Runtime rt(with_workers(1));
  int number = 5, seen = 0;
  auto n = rt.data(number, "n");
  rt.submit("one", [&](const int& v) { seen += v; }, n.read()).cancel();
  rt.submit("two", [&](const int& v) { seen += v; }, n.read());
  rt.wait();
  CHECK(seen == 5);
}

TEST_CASE("a writer after a cancelled reader is cancelled") {
  Runtime rt(with_workers(1));
  int number = 5;
  auto n = rt.data(number, "n");
  rt.submit("reader", [](const int&) {}, n.read()).cancel();
  rt.submit("reader", [](const int&) {}, n.read());
  rt.submit("writer", [](int& v) { v = 6; }, n.write());
  rt.wait();
  CHECK(number == 5);
}

TEST_CASE("commuting and reducing tasks beside a cancelled one run, what comes after does not") {
  Runtime rt(with_workers(1));
  long a = 0, b = 0, read = 0;
  auto x = rt.data(a, "x"), y = rt.data(b, "y");
  for (int i = 0; i < 5; ++i) {
    const Task commuting = rt.submit("commute", [](long& v) { ++v; }, x.commute());
    const Task reducing = rt.submit("reduce", [](long& c) { ++c; }, y.reduce(Sum{}));
    if (i == 2) {
      commuting.cancel();
      reducing.cancel();
    }
  }
  rt.submit("read", [&](const long&) { ++read; }, x.read());
  rt.submit("read", [&](const long&) { ++read; }, y.read());
  CHECK_NOTHROW(rt.wait());
  CHECK(a == 4);
  CHECK(read == 0);
}

TEST_CASE("cancelling a task that runs or has run does nothing") {
  Runtime rt(with_workers(2));
  test::Gate started, release;
  int number = 0;
  auto n = rt.data(number, "n");
  const Task running = rt.submit("running", [&](int& v) { started.open(); release.pass(); v = 1; }, n.readwrite());
  const Task next = rt.submit("next", [](int& v) { v += 10; }, n.readwrite());
  started.pass();
  running.cancel();
  release.open();
  rt.wait();
  CHECK(number == 11);
  CHECK(running.status() == TaskStatus::done);
  running.cancel();
  next.cancel();
  rt.submit("later", [](int& v) { v += 100; }, n.readwrite());
  rt.wait();
  CHECK(number == 111);
}

TEST_CASE("cancelling twice is cancelling once") {
  Runtime rt(with_workers(1));
  int ran = 0;
  const Task task = rt.submit("task", [&] { ++ran; });
  task.cancel();
  task.cancel();
  rt.wait();
  rt.submit("other", [&] { ++ran; });
  rt.wait();
  CHECK(ran == 1);
}

TEST_CASE("a cancelled parent has no children: a parent cancels its child") {
  Runtime rt(with_workers(1));
  int ran = 0;
  rt.submit("parent", [&] { rt.submit("child", [&] { ++ran; }); }).cancel();
  rt.wait();
  CHECK(ran == 0);
  rt.submit("parent", [&] {
    rt.submit("child", [&] { ran += 1; }).cancel();
    rt.submit("child", [&] { ran += 10; });
  });
  CHECK_NOTHROW(rt.wait());
  CHECK(ran == 10);
}

TEST_CASE("a cancelled replay runs none of its tasks, the next one all") {
  Runtime rt(with_workers(1));
  int number = 0;
  auto n = rt.data(number, "n");
  const auto graph = rt.record([&] { for (int i = 0; i < 10; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite()); });
  {
    const auto guard = rt.acquire(n.read());  // the replay cannot begin
    rt.replay(graph).cancel();
  }
  CHECK_NOTHROW(rt.wait());
  CHECK(number == 0);
  rt.replay(graph);
  rt.wait();
  CHECK(number == 10);
}

TEST_CASE("tasks are cancelled while workers take them") {
  Runtime rt(with_workers(2));
  std::atomic<int> ran{0};
  int expected_at_least = 0, cancelled = 0;
  for (int i = 0; i < 2000; ++i) {
    const Task task = rt.submit("task", [&] { ++ran; });
    if (i % 2 == 0) {
      task.cancel();
      task.wait();
      cancelled += task.status() == TaskStatus::cancelled;
    } else {
      ++expected_at_least;
    }
  }
  CHECK_NOTHROW(rt.wait());
  CHECK(ran >= expected_at_least);
  CHECK(ran + cancelled == 2000);
}

TEST_CASE("a policy that looks ahead hears of each task that it ran, or that it will not run") {
  struct Books {
    std::set<std::uint64_t> open;
    int cancelled = 0, wrong = 0;
  };
  struct Watching final : SchedulingPolicy {
    explicit Watching(Books& b) : books(b) {}
    void start(SchedulerView& view) override { policy->start(view); }
    void submitted(TaskRef task, SchedulerView&) override { books.wrong += books.open.insert(task.id().value).second ? 0 : 1; }
    void ready(TaskRef task, SchedulerView& view) override { policy->ready(task, view); }
    TaskRef next(WorkerId worker, SchedulerView& view) override { return policy->next(worker, view); }
    void finished(TaskRef task, const Measured&, SchedulerView&) override { books.wrong += books.open.erase(task.id().value) == 1 ? 0 : 1; }
    void cancelled(TaskRef task, SchedulerView&) override {
      ++books.cancelled;
      books.wrong += books.open.erase(task.id().value) == 1 ? 0 : 1;
    }
    bool watches_submissions() const override { return true; }
    bool watches_completions() const override { return true; }
    std::unique_ptr<SchedulingPolicy> policy = make_scheduler("eager");
    Books& books;
  };
  for (const bool simulated : {false, true}) {
    INFO((simulated ? "in virtual time" : "live"));
    Books books;
    Config config = with_workers(simulated ? 0 : 2);
    config.policy = [&] { return std::make_unique<Watching>(books); };
    if (simulated) {
      config.backend = "sim";
      config.machine = "mirage";
      config.execute = true;
      config.unknown = Seconds(0.001);
    }
    {
      Runtime rt(config);
      int number = 0;
      long sum = 0;
      auto n = rt.data(number, "n");
      auto s = rt.data(sum, "s");
      for (int round = 0; round < 20; ++round) {
        const Task first = rt.submit("first", [](int& v) { ++v; }, n.readwrite());
        rt.submit("fails", [round](int&) { if (round % 3 == 0) throw std::runtime_error("no"); }, n.readwrite());
        for (int i = 0; i < 4; ++i) rt.submit("add", [](const int&, long& v) { ++v; }, n.read(), s.reduce(Sum{}));
        rt.submit("after", [](int& v, const long&) { ++v; }, n.readwrite(), s.read());
        if (round % 3 == 1) first.cancel();
        try {
          rt.wait();
        } catch (const TaskError&) {
        }
      }
    }
    CHECK(books.open.empty());
    CHECK(books.cancelled > 20);
    CHECK(books.wrong == 0);
  }
}
