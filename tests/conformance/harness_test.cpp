// The harness itself: policies that break one promise each are caught, with the right sentence.
#include <algorithm>
#include <deque>

#include "harness.hpp"
#include "support/catch.hpp"

using namespace mitra;
using namespace mitra::conformance;

namespace {

/// A correct queue, to be spoiled.
class Queue : public SchedulingPolicy {
 public:
  void ready(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
  TaskRef next(WorkerId, SchedulerView&) override {
    if (tasks_.empty()) return {};
    const TaskRef task = tasks_.front();
    tasks_.pop_front();
    return task;
  }

 protected:
  std::deque<TaskRef> tasks_;
};

struct Loses final : Queue {
  void ready(TaskRef task, SchedulerView& view) override {
    if (count++ != 5) Queue::ready(task, view);
  }
  int count = 0;
};
struct Repeats final : Queue {
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const TaskRef task = Queue::next(worker, view);
    if (task && count++ == 5) tasks_.push_front(task);
    return task;
  }
  int count = 0;
};
/// Keeps each task for one worker, and does not wake it.
struct KeepsForOne final : SchedulingPolicy {
  void start(SchedulerView& view) override { own.resize(view.machine().workers.size()); }
  void ready(TaskRef task, SchedulerView&) override { own[task.id().value % own.size()].push_back(task); }
  TaskRef next(WorkerId worker, SchedulerView&) override {
    auto& mine = own[worker.index()];
    if (mine.empty()) return {};
    const TaskRef task = mine.front();
    mine.pop_front();
    return task;
  }
  std::vector<std::deque<TaskRef>> own;
};
struct OrdersByAddress final : Queue {
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    std::sort(tasks_.begin(), tasks_.end(), [](TaskRef a, TaskRef b) { return a.header() < b.header(); });
    return Queue::next(worker, view);
  }
};
struct PeeksAhead final : Queue {
  bool watches_submissions() const override { return true; }
  void submitted(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
  void ready(TaskRef, SchedulerView&) override {}
};

FakeGraph graph_of(std::uint64_t seed, bool kinds = false) {
  test::Random random(seed);
  return random_graph(random, 100, kinds);
}

template <class Policy>
std::string problem(const Machine& machine, const FakeGraph& graph, HarnessOptions options = {}) {
  Policy policy;
  return Harness(policy, machine, graph, options).run();
}

}  // namespace

TEST_CASE("the harness accepts a queue") {
  CHECK(problem<Queue>(fake_machine(4), graph_of(1)) == "");
  CHECK(problem<Queue>(fake_machine(4), graph_of(1), {.workers_sleep = true}) == "");
}

TEST_CASE("the harness sees a lost task") {
  CHECK_THAT(problem<Loses>(fake_machine(4), graph_of(1)), test::contains("no worker gets one"));
}

TEST_CASE("the harness sees a task that is given twice") {
  CHECK_THAT(problem<Repeats>(fake_machine(4), graph_of(1)), test::contains("twice"));
}

TEST_CASE("the harness sees a task that was not ready") {
  CHECK_THAT(problem<PeeksAhead>(fake_machine(4), graph_of(1)), test::contains("not ready"));
}

TEST_CASE("the harness sees a worker of the wrong kind") {
  CHECK_THAT(problem<Queue>(fake_machine(2, 2), graph_of(1, true)), test::contains("no implementation"));
}

TEST_CASE("the harness sees a missing wake()") {
  FakeGraph chain;
  chain.nodes.resize(100);
  for (std::size_t i = 1; i < chain.nodes.size(); ++i) chain.edge(i - 1, i);
  CHECK(problem<KeepsForOne>(fake_machine(4), chain) == "");
  CHECK_THAT(problem<KeepsForOne>(fake_machine(4), chain, {.workers_sleep = true}), test::contains("all workers sleep"));
}

TEST_CASE("the harness shows an order that depends on addresses") {
  FakeGraph graph;
  graph.nodes.resize(64);
  const Machine machine = fake_machine(1);
  const auto trace = [&](bool backwards) {
    OrdersByAddress policy;
    Harness harness(policy, machine, graph, {.seed = 1, .backwards = backwards});
    CHECK(harness.run() == "");
    return harness.trace();
  };
  CHECK_FALSE((trace(false) == trace(true)));
}
