// The contract of a scheduling policy, on random graphs and machines, one call at a time.
#include "harness.hpp"
#include "support/catch.hpp"

using namespace mitra;
using namespace mitra::conformance;

namespace {

struct Situation {
  Machine machine;
  FakeGraph graph;
};

Situation situation(std::uint64_t seed) {
  test::Random random(seed);
  static constexpr std::size_t kCpus[] = {1, 2, 3, 8, 17, 64};
  const std::size_t cpus = kCpus[random.below(6)];
  const std::size_t gpus = random.chance(0.5) ? 1 + random.below(4) : 0;
  return {fake_machine(cpus, gpus, 1 + random.below(8)), random_graph(random, 1 + random.below(300), gpus > 0)};
}

/// Runs one policy on the situation of a seed. @returns What went wrong, or nothing.
std::string problem_of(const std::string& name, HarnessOptions options) {
  const Situation s = situation(options.seed);
  const auto policy = make_scheduler(name);
  const std::string problem = Harness(*policy, s.machine, s.graph, options).run();
  return problem.empty() ? problem : s.machine.name + ": " + problem;
}

}  // namespace

TEST_CASE("every ready task comes back once, on a worker that can run it, and none is lost") {
  for (const std::string& name : policies_under_test())
    for (const std::uint64_t seed : test::seeds(60)) {
      MITRA_INFO_SEED(seed);
      INFO(name);
      CHECK(problem_of(name, {.seed = seed}) == "");
      CHECK(problem_of(name, {.seed = seed, .uses_runs_next = false}) == "");
    }
}

TEST_CASE("workers that sleep until they are woken get all tasks done") {
  for (const std::string& name : policies_under_test())
    for (const std::uint64_t seed : test::seeds(60)) {
      MITRA_INFO_SEED(seed);
      INFO(name);
      CHECK(problem_of(name, {.seed = seed, .workers_sleep = true}) == "");
    }
}

TEST_CASE("equal calls and equal randomness give equal answers, wherever the tasks lie in memory") {
  for (const std::string& name : policies_under_test())
    for (const std::uint64_t seed : test::seeds(30)) {
      MITRA_INFO_SEED(seed);
      INFO(name);
      const Situation s = situation(seed);
      const auto trace = [&](bool backwards) {
        const auto policy = make_scheduler(name);
        Harness harness(*policy, s.machine, s.graph, {.seed = seed, .backwards = backwards});
        CHECK(harness.run() == "");
        return harness.trace();
      };
      const auto first = trace(false);
      CHECK((trace(false) == first));
      CHECK((trace(true) == first));
    }
}

TEST_CASE("two policies of one name in one process do not know of each other") {
  for (const std::string& name : policies_under_test()) {
    INFO(name);
    const Situation a = situation(1), b = situation(2);
    const auto first = make_scheduler(name), second = make_scheduler(name);
    Harness on_a(*first, a.machine, a.graph, {.seed = 1}), on_b(*second, b.machine, b.graph, {.seed = 2});
    CHECK(on_a.run() == "");
    CHECK(on_b.run() == "");
    const auto third = make_scheduler(name);
    Harness again(*third, a.machine, a.graph, {.seed = 1});
    CHECK(again.run() == "");
    CHECK((again.trace() == on_a.trace()));
  }
}

TEST_CASE("asking a policy that has nothing gives nothing") {
  const Machine machine = fake_machine(4, 1);
  for (const std::string& name : policies_under_test()) {
    INFO(name);
    const auto policy = make_scheduler(name);
    FakeView view(machine, 1);
    policy->start(view);
    for (int round = 0; round < 3; ++round)
      for (const Worker& w : machine.workers) {
        view.act_as(w.id);
        CHECK_FALSE(policy->next(w.id, view));
      }
  }
}

TEST_CASE("thousands of tasks that are ready at once all come back, to one worker or to many") {
  for (const std::size_t cpus : {std::size_t{1}, std::size_t{16}}) {
    const Machine machine = fake_machine(cpus);
    FakeGraph graph;
    graph.nodes.resize(20'000);
    for (const std::string& name : policies_under_test()) {
      INFO(name << " on " << machine.name);
      const auto policy = make_scheduler(name);
      CHECK(Harness(*policy, machine, graph, {.seed = 1}).run() == "");
    }
  }
}

TEST_CASE("a policy that is dropped with tasks in its hands drops them") {
  const Machine machine = fake_machine(3);
  FakeGraph graph;
  graph.nodes.resize(50);
  for (const std::string& name : policies_under_test()) {
    std::vector<std::unique_ptr<FakeTask>> tasks;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) tasks.push_back(std::make_unique<FakeTask>(graph, i));
    auto policy = make_scheduler(name);
    FakeView view(machine, 1);
    policy->start(view);
    for (const auto& task : tasks) policy->ready(task->ref(), view);
    CHECK_NOTHROW(policy.reset());
  }
}
