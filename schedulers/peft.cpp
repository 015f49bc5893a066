// Plans the whole graph with a look ahead: a task goes where its end and the best that can follow it there come first.
// Source: Arabnejad, Barbosa, "List scheduling algorithm for heterogeneous systems by an optimistic cost table", TPDS 2014:
// the table, its mean as the rank, the choice by end + table, insertion. Here the table has a column for each worker class.
// Flow: submitted -> [peft] -> plan -> worker. Thread-safety: serialised.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <mitra/planned_policy.hpp>

namespace mitra {

namespace {

class Peft final : public PlannedPolicy {
 public:
  explicit Peft(const PolicyArguments& arguments) : PlannedPolicy(arguments.number("contention")) {}

 private:
  Plan plan(ListPlanner& planner) override {
    const PlanGraph& graph = planner.graph();
    const std::size_t classes = graph.classes();
    const std::vector<double> table = optimistic_costs(graph);
    const auto penalty = [&](std::size_t t, std::size_t place) {
      return table[t * classes + places()[place].worker_class.index()];
    };
    return planner.plan(order(graph, table), penalty);
  }

  /// The least time that everything after a task takes if the task runs on a class, by task and class.
  static std::vector<double> optimistic_costs(const PlanGraph& graph) {
    const std::size_t classes = graph.classes();
    std::vector<double> table(graph.size() * classes, 0.0);
    for (std::size_t t = graph.size(); t-- > 0;) {
      const double transfer = graph.mean_transfer(t);
      for (const std::uint32_t s : graph.successors(t)) {
        double anywhere = std::numeric_limits<double>::infinity();
        for (std::uint32_t c = 0; c < classes; ++c)
          anywhere = std::min(anywhere, table[s * classes + c] + graph.seconds(s, ClassId(c)));
        for (std::uint32_t c = 0; c < classes; ++c) {
          const double here = table[s * classes + c] + graph.seconds(s, ClassId(c));
          double& cost = table[t * classes + c];
          cost = std::max(cost, std::min(here, anywhere + transfer));
        }
      }
    }
    return table;
  }

  /// Of the tasks whose predecessors are placed, always the one with the greatest mean of its row.
  std::vector<std::uint32_t> order(const PlanGraph& graph, const std::vector<double>& table) const {
    struct Ranked {
      double rank;
      std::uint32_t task;
      bool operator<(const Ranked& other) const { return rank != other.rank ? rank < other.rank : task > other.task; }
    };
    const auto ranked = [&](std::uint32_t t) {
      double sum = 0.0;
      std::size_t able = 0;
      for (const Place& place : places()) {
        if (graph.seconds(t, place.worker_class) == PlanGraph::kNever) continue;
        sum += table[t * graph.classes() + place.worker_class.index()] * static_cast<double>(place.workers.size());
        able += place.workers.size();
      }
      return Ranked{sum / static_cast<double>(able), t};
    };
    std::vector<Ranked> ready;
    std::vector<std::size_t> missing(graph.size());
    for (std::uint32_t t = 0; t < graph.size(); ++t)
      if ((missing[t] = graph.predecessors(t).size()) == 0) ready.push_back(ranked(t));
    std::make_heap(ready.begin(), ready.end());
    std::vector<std::uint32_t> order;
    while (!ready.empty()) {
      std::pop_heap(ready.begin(), ready.end());
      const std::uint32_t t = ready.back().task;
      ready.pop_back();
      order.push_back(t);
      for (const std::uint32_t s : graph.successors(t)) {
        if (--missing[s] != 0) continue;
        ready.push_back(ranked(s));
        std::push_heap(ready.begin(), ready.end());
      }
    }
    return order;
  }
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(peft, mitra::Peft, "plans the whole graph: optimistic cost table, earliest finish with look-ahead",
                {"contention", "0", "how many times as much as its time over idle links a transfer weighs; 0: twice the count of GPUs"});
