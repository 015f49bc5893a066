// The policy mitra in virtual time: against proven optima and other policies; and its building blocks.
#include <algorithm>
#include <mitra/ranked_queue.hpp>
#include <mitra/registry.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/work_by_rank.hpp>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "unit/simulated_run.hpp"
#include "unit/stg_optima.hpp"
#include "workloads/graph_workload.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

workloads::WorkloadResult run_graph(const TaskGraph& graph, const std::string& machine, const std::string& scheduler) {
  Config config;
  config.backend = "sim";
  config.machine = machine;
  config.scheduler = scheduler;
  Runtime rt(config);
  const auto workload = workloads::make_graph_workload(graph);
  return workloads::run(rt, *workload);
}

TaskGraph independent(std::size_t tasks) {
  TaskGraph graph;
  for (std::size_t t = 0; t < tasks; ++t) graph.tasks.push_back({.name = "task", .seconds = 1.0});
  return graph;
}

}  // namespace

TEST_CASE("mitra plans the Standard Task Graphs as well as heft does") {
  std::size_t behind = 0, near = 0;
  const bool any = test::for_each_stg_optimum([&](const TaskGraph& graph, unsigned processors, double proven) {
    const std::string machine = detail::message("identical-", processors);
    const double time = run_graph(graph, machine, "mitra").makespan.value;
    CHECK(time > proven - 1e-6);
    behind += time > run_graph(graph, machine, "heft").makespan.value + 1e-6 ? 1 : 0;
    near += time <= 1.05 * proven ? 1 : 0;
  });
  if (!any) return;
  CHECK(behind == 0);
  CHECK(near >= 304);
}

TEST_CASE("every worker gets its share of independent tasks") {
  for (const char* scheduler : {"mitra", "lookahead", "mitra:think=1e6"})
    for (const unsigned workers : {1U, 2U, 8U, 64U}) {
      INFO(scheduler << " on " << workers << " workers");
      CHECK(run_graph(independent(5 * workers), detail::message("identical-", workers), scheduler).makespan.value == Approx(5.0));
    }
}

TEST_CASE("cores help GPUs where the graph is wide") {
  const auto result = SimulatedRun{"mirage", "mitra", "cholesky", 32}();
  for (const auto& c : result.simulation->classes) CHECK(c.tasks > 500);
  CHECK(test::rate(result) > test::rate(SimulatedRun{"mirage", "dmdas", "cholesky", 32}()));
}

TEST_CASE("mitra beats what StarPU says of its best policy on the machine sirocco") {
  CHECK(test::rate(SimulatedRun{"sirocco", "mitra", "cholesky", 40, 960, "float"}()) > 8455.0);
}

TEST_CASE("work by rank is what adding it up gives") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    WorkByRank work;
    struct Piece {
      double rank, seconds;
    };
    std::vector<Piece> pieces;
    for (int step = 0; step < 300; ++step) {
      if (!pieces.empty() && random.chance(0.4)) {
        const std::size_t i = random.below(pieces.size());
        work.add(pieces[i].rank, -pieces[i].seconds);
        pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        pieces.push_back({static_cast<double>(random.below(1000)), static_cast<double>(1 + random.below(9))});
        work.add(pieces.back().rank, pieces.back().seconds);
      }
      // A class of ranks is at most 2 wide here: what is nearer than that may count by half.
      const auto rank = static_cast<double>(random.below(1000));
      double least = 0.0, most = 0.0;
      for (const Piece& piece : pieces) {
        least += piece.rank > rank + 2.0 ? piece.seconds : 0.0;
        most += piece.rank >= rank - 2.0 ? piece.seconds : 0.0;
      }
      REQUIRE(work.before(rank) >= least - 1e-9);
      REQUIRE(work.before(rank) <= most + 1e-9);
    }
  }
}

TEST_CASE("a ranked queue gives the most urgent task first, from its other end one of the least urgent, and sums its work") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    std::vector<detail::TaskHeader> headers(200);
    RankedQueue queue;
    std::vector<double> ranks;
    for (std::size_t i = 0; i < headers.size(); ++i) {
      headers[i].id.store(i);
      ranks.push_back(random.chance(0.3) ? 5.0 : static_cast<double>(random.below(100'000)) * 1e-5);
      queue.push({TaskRef(&headers[i]), ranks.back(), 2.0});
    }
    CHECK(queue.work() == Approx(400.0));
    std::sort(ranks.begin(), ranks.end());
    const double wide = 9.0 / static_cast<double>(RankedQueue::kClasses);  // more than a class of the range that holds 5, 1e-6 * 2^23
    while (!queue.empty()) {
      if (random.chance(0.3)) {
        const double last = queue.last().rank;
        REQUIRE(queue.pop_last().rank == last);
        REQUIRE(last <= ranks.front() + wide + 1e-9);
        ranks.erase(std::find(ranks.begin(), ranks.end(), last));
      } else {
        REQUIRE(queue.first().rank == ranks.back());
        REQUIRE(queue.pop().rank == ranks.back());
        ranks.pop_back();
      }
    }
    CHECK(ranks.empty());
    CHECK(queue.work() == 0.0);
  }
}

TEST_CASE("the same seed gives every policy the same schedule, to the digest, and noise another one") {
  for (const PolicyInfo* policy : schedulers())
    for (const char* machine : {"mirage", "mi300a-node"}) {
      INFO(policy->name << " on " << machine);
      const auto digest = [&](double noise) {
        Config config;
        config.backend = "sim";
        config.machine = machine;
        config.scheduler = policy->name;
        config.seed = 7;
        config.noise = noise;
        Runtime rt(config);
        return workloads::run(rt, "cholesky", {{"n", "7680"}, {"tile", "960"}}).simulation->schedule_digest;
      };
      const auto first = digest(0.1);
      for (int again = 0; again < 3; ++again) CHECK(digest(0.1) == first);
      CHECK(digest(0.2) != first);
    }
}
