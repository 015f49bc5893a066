// Plans the whole graph: by falling upward rank, each task goes where it ends first, into an idle gap if one fits.
// Source: Topcuoglu, Hariri, Wu, "Performance-effective and low-complexity task scheduling for heterogeneous computing",
// TPDS 2002: upward ranks of mean times, insertion. rank=min: each task at its fastest, without transfers, as in critical
// paths. rank=best: planning costs no time of the run, so several orders are tried and the plan that ends first is kept:
// both ranks, the ends in a plan of the reversed graph (forward-backward improvement: Li, Willis, EJOR 1992), and the best
// ranks shaken at random (iterated list scheduling).
// Flow: submitted -> [heft] -> plan -> worker. Thread-safety: serialised.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <mitra/error.hpp>
#include <mitra/planned_policy.hpp>

namespace mitra {

namespace {

class Heft final : public PlannedPolicy {
 public:
  explicit Heft(const PolicyArguments& arguments)
      : PlannedPolicy(arguments.number("contention")), rank_(rank_of(arguments.text("rank"))), tries_(static_cast<std::size_t>(arguments.integer("tries", 1))),
        effort_(static_cast<std::size_t>(arguments.integer("effort", 0))) {}

 private:
  enum class Rank { mean, min, best };
  static Rank rank_of(const std::string& text) {
    if (text == "mean") return Rank::mean;
    if (text == "min") return Rank::min;
    if (text == "best") return Rank::best;
    throw ConfigError(detail::message("scheduler parameter rank=", text, ": mean, min or best is expected"));
  }

  Plan plan(ListPlanner& planner) override {
    const PlanGraph& graph = planner.graph();
    const auto mean = [&](std::size_t t) {
      double sum = 0.0;
      std::size_t able = 0;
      for (const Place& place : places()) {
        const double seconds = graph.seconds(t, place.worker_class);
        if (seconds == PlanGraph::kNever) continue;
        sum += seconds * static_cast<double>(place.workers.size());
        able += place.workers.size();
      }
      return sum / static_cast<double>(able);
    };
    const auto shortest = [&](std::size_t t) { return graph.shortest(t); };
    if (rank_ == Rank::mean) return planner.plan(ListPlanner::by_rank(planner.upward_ranks(mean, true)));
    if (rank_ == Rank::min) return planner.plan(ListPlanner::by_rank(planner.upward_ranks(shortest, false)));
    return search(planner, planner.upward_ranks(mean, true), planner.upward_ranks(shortest, false));
  }

  Plan search(ListPlanner& planner, std::vector<double> ranks, const std::vector<double>& other_ranks) const {
    const double enough = planner.earliest_end() * (1.0 + 1e-12);
    Plan best = planner.plan(ListPlanner::by_rank(ranks));
    const auto keep_better = [&](std::vector<double> tried) {
      Plan plan = planner.plan(ListPlanner::by_rank(tried));
      const bool better = plan.end < best.end;
      if (better) best = std::move(plan), ranks = std::move(tried);
      return better;
    };
    if (best.end <= enough) return best;
    keep_better(other_ranks);
    std::uint64_t random = 0x9E3779B97F4A7C15ULL;
    std::size_t failures = 0;
    for (std::size_t tries = 2; tries < tries_ && planner.placements() < effort_ && best.end > enough; ++tries) {
      // Backward from the best plan for as long as that helps; then shake what was best, more each time it fails.
      if (failures == 0) {
        failures = keep_better(planner.backward_ranks(best)) ? 0 : 1;
        continue;
      }
      std::vector<double> shaken = shake(planner, ranks, 0.02 * static_cast<double>(1 + failures % 16), random);
      Plan plan = planner.plan(ListPlanner::by_rank(shaken));
      if (plan.end > best.end) {
        // The way back may still find what the way there has missed.
        std::vector<double> backward = planner.backward_ranks(plan);
        Plan again = planner.plan(ListPlanner::by_rank(backward));
        if (again.end < plan.end) plan = std::move(again), shaken = std::move(backward);
      }
      const bool better = plan.end < best.end;
      if (plan.end <= best.end) best = std::move(plan), ranks = std::move(shaken);
      failures = better ? 0 : failures + 1;
    }
    return best;
  }

  /// Changes each rank by up to `share`, and lifts it to those of its successors where it fell below.
  static std::vector<double> shake(const ListPlanner& planner, const std::vector<double>& ranks, double share,
                                   std::uint64_t& random) {
    std::vector<double> shaken(ranks.size());
    for (std::size_t t = ranks.size(); t-- > 0;) {
      // Marsaglia, "Xorshift RNGs", 2003.
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      const double between = static_cast<double>(random >> 11) * 0x1p-52 - 1.0;  // -1 to 1
      shaken[t] = ranks[t] * (1.0 + share * between);
      for (const std::uint32_t s : planner.graph().successors(t)) shaken[t] = std::max(shaken[t], shaken[s]);
    }
    return shaken;
  }

  const Rank rank_;
  const std::size_t tries_, effort_;
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(heft, mitra::Heft, "plans the whole graph: upward ranks, earliest finish, insertion into idle gaps",
                {"rank", "best", "mean, min: one plan with these times in the ranks; best: tries several orders"},
                {"tries", "400", "rank=best: plans that are made at most"},
                {"effort", "100000", "rank=best: placements of tasks after which no new try begins"},
                {"contention", "0", "how many times as much as its time over idle links a transfer weighs; 0: twice the count of GPUs"});
