// What single policies promise of their order: `eager` the oldest first, `priority` the most urgent of all first,
// `locality_ws` the most urgent of a worker's own first.
#include <algorithm>
#include <map>
#include <set>

#include "harness.hpp"
#include "support/catch.hpp"

using namespace mitra;
using namespace mitra::conformance;

namespace {

/// Tasks without edges, ready in the order of their numbers unless `shuffled`.
struct Bench {
  Bench(std::uint64_t seed, std::size_t cpus, std::size_t gpus, std::size_t tasks)
      : random(seed), machine(fake_machine(cpus, gpus)), view(machine, seed) {
    graph.nodes.resize(tasks);
    for (std::size_t i = 0; i < tasks; ++i) {
      graph.nodes[i].priority = random.between(-3, 3);
      if (gpus > 0) graph.nodes[i].kinds = static_cast<std::uint8_t>(random.between(1, 3));
      all.push_back(std::make_unique<FakeTask>(graph, i));
    }
  }
  WorkerId any_worker() { return machine.workers[random.below(machine.workers.size())].id; }
  int priority(std::size_t task) const { return graph.nodes[task].priority; }

  test::Random random;
  Machine machine;
  FakeGraph graph;
  FakeView view;
  std::vector<std::unique_ptr<FakeTask>> all;
};

/// The best of the held tasks that `worker` can run, by `better`.
template <class Better>
const std::size_t* best_for(const Bench& bench, const std::set<std::size_t>& held, WorkerId worker, Better better) {
  const std::size_t* best = nullptr;
  for (const std::size_t& task : held)
    if (bench.all[task]->ref().runs_on(kind_of(bench.machine, worker)) && (best == nullptr || better(task, *best))) best = &task;
  return best;
}

/// Pushes and takes at random; every answer must be the best of those held.
template <class Better>
void expect_global_order(const std::string& name, Better better) {
  for (const std::uint64_t seed : test::seeds(30)) {
    MITRA_INFO_SEED(seed);
    Bench bench(seed, 3, seed % 2 == 0 ? 2 : 0, 200);
    const auto policy = make_scheduler(name);
    policy->start(bench.view);
    std::vector<std::size_t> order(bench.all.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    bench.random.shuffle(order);
    std::vector<std::size_t> became_ready(order.size());
    std::set<std::size_t> held;
    std::size_t pushed = 0;
    while (pushed < order.size() || !held.empty()) {
      const WorkerId worker = bench.any_worker();
      bench.view.act_as(worker);
      if (pushed < order.size() && bench.random.chance(0.55)) {
        became_ready[order[pushed]] = pushed;
        held.insert(order[pushed]);
        policy->ready(bench.all[order[pushed++]]->ref(), bench.view);
        continue;
      }
      const std::size_t* expected = best_for(bench, held, worker, [&](std::size_t a, std::size_t b) {
        return better(bench, became_ready, a, b);
      });
      const TaskRef got = policy->next(worker, bench.view);
      REQUIRE(static_cast<bool>(got) == (expected != nullptr));
      if (!got) continue;
      REQUIRE(FakeTask::number_of(got) == *expected);
      held.erase(*expected);
    }
  }
}

}  // namespace

TEST_CASE("priority: the most urgent task that a worker can run, equal ones in the order of submission") {
  expect_global_order("priority", [](const Bench& bench, const auto&, std::size_t a, std::size_t b) {
    return bench.priority(a) != bench.priority(b) ? bench.priority(a) > bench.priority(b) : a < b;
  });
}

TEST_CASE("eager: the task that a worker can run and that has been ready for longest") {
  expect_global_order("eager", [](const Bench&, const std::vector<std::size_t>& became_ready, std::size_t a, std::size_t b) {
    return became_ready[a] < became_ready[b];
  });
}

TEST_CASE("priority and eager keep no successor back from a more urgent or older task") {
  for (const std::string name : {"priority", "eager"}) {
    Bench bench(1, 2, 0, 2);
    bench.graph.nodes[0].priority = 5;
    bench.graph.nodes[1].priority = 0;
    for (std::size_t i = 0; i < 2; ++i) bench.all[i] = std::make_unique<FakeTask>(bench.graph, i);
    const auto policy = make_scheduler(name);
    policy->start(bench.view);
    bench.view.act_as(WorkerId(0));
    policy->ready(bench.all[0]->ref(), bench.view);
    CHECK_FALSE(policy->runs_next(bench.all[1]->ref(), WorkerId(0)));
  }
}

TEST_CASE("locality_ws: of the tasks that a worker made ready itself it gets the most urgent first") {
  for (const std::uint64_t seed : test::seeds(30)) {
    MITRA_INFO_SEED(seed);
    Bench bench(seed, 4, 0, 100);
    const auto policy = make_scheduler("locality_ws");
    policy->start(bench.view);
    const WorkerId worker = bench.any_worker();
    bench.view.act_as(worker);
    std::vector<int> expected, got;
    for (std::size_t i = 0; i < bench.all.size(); ++i) {
      expected.push_back(bench.priority(i));
      policy->ready(bench.all[i]->ref(), bench.view);
    }
    std::sort(expected.begin(), expected.end(), std::greater{});
    while (const TaskRef task = policy->next(worker, bench.view)) got.push_back(task.priority());
    CHECK(got == expected);
  }
}

TEST_CASE("locality_ws: a successor stays on its worker unless a more urgent task waits there") {
  Bench bench(1, 2, 0, 4);
  const int priorities[] = {2, 1, 2, 3};
  for (std::size_t i = 0; i < 4; ++i) {
    bench.graph.nodes[i].priority = priorities[i];
    bench.all[i] = std::make_unique<FakeTask>(bench.graph, i);
  }
  const auto policy = make_scheduler("locality_ws");
  policy->start(bench.view);
  bench.view.act_as(WorkerId(1));
  CHECK(policy->runs_next(bench.all[1]->ref(), WorkerId(1)));
  policy->ready(bench.all[0]->ref(), bench.view);
  CHECK_FALSE(policy->runs_next(bench.all[1]->ref(), WorkerId(1)));
  CHECK(policy->runs_next(bench.all[3]->ref(), WorkerId(1)));
  CHECK(policy->runs_next(bench.all[1]->ref(), WorkerId(0)));
}

TEST_CASE("locality_ws: an idle worker takes from a near worker before a far one") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    Bench bench(seed, 8, 0, 6);  // workers 0, 1 share a cache; 0 .. 3 a NUMA domain
    for (std::size_t i = 0; i < bench.all.size(); ++i) {
      bench.graph.nodes[i].priority = 0;
      bench.all[i] = std::make_unique<FakeTask>(bench.graph, i);
    }
    const auto policy = make_scheduler("locality_ws");
    policy->start(bench.view);
    const auto give = [&](std::uint32_t worker, std::size_t task) {
      bench.view.act_as(WorkerId(worker));
      policy->ready(bench.all[task]->ref(), bench.view);
    };
    give(7, 0);
    give(3, 1);
    give(1, 2);
    bench.view.act_as(WorkerId(0));
    std::vector<std::size_t> taken;
    while (const TaskRef task = policy->next(WorkerId(0), bench.view)) taken.push_back(FakeTask::number_of(task));
    CHECK(taken == std::vector<std::size_t>{2, 1, 0});
  }
}

TEST_CASE("random: equal seeds deal equally, and every worker gets its share") {
  Bench bench(1, 4, 0, 4000);
  const auto policy = make_scheduler("random");
  policy->start(bench.view);
  bench.view.act_as(WorkerId());
  for (const auto& task : bench.all) policy->ready(task->ref(), bench.view);
  // Each worker takes its own first: the numbers that come back in order were dealt to it.
  std::map<std::uint32_t, std::size_t> dealt;
  for (std::uint32_t w = 0; w < 4; ++w) {
    bench.view.act_as(WorkerId(w));
    std::size_t last = 0;
    for (;;) {
      const TaskRef task = policy->next(WorkerId(w), bench.view);
      if (!task || FakeTask::number_of(task) < last) break;
      last = FakeTask::number_of(task);
      ++dealt[w];
    }
  }
  CHECK(dealt[0] > 500);
  CHECK(dealt[0] < 2000);
}
