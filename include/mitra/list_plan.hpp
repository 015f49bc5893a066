// Plans a graph: each task in turn gets the place where it ends first, in an idle gap if there is one that is long enough.
// Source: insertion-based list scheduling, Topcuoglu, Hariri, Wu, "Performance-effective and low-complexity task scheduling
// for heterogeneous computing", TPDS 2002. Here a turn compares places, not processors.
// Flow: plan graph, order -> [list plan] -> planned policy. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <mitra/idle_times.hpp>
#include <mitra/machine.hpp>
#include <mitra/plan_graph.hpp>

namespace mitra {

/// Where and when the tasks of a graph run.
struct Plan {
  struct Entry {
    double start = 0.0, finish = 0.0;
    std::uint32_t place = 0, worker = 0;  ///< The worker is counted in its place.
  };
  std::vector<Entry> entries;  ///< By task.
  double end = std::numeric_limits<double>::infinity();
  std::vector<IdleTimes> idle;  ///< By place: what is left.
  std::vector<double> available;
  std::vector<PlanGraph::Datum> data;
};

class ListPlanner {
 public:
  /// @param idle   By place, from now on; empty gaps for a plan of its own.
  /// @param contention  A second that data move weighs as much as so many seconds by which a task ends later: links are
  ///                    shared, and a plan does not see by whom.
  ListPlanner(const PlanGraph& graph, std::span<const Place> places, const std::vector<IdleTimes>& idle, double now,
              double contention)
      : graph_(graph), places_(places), idle_(idle), now_(now), contention_(contention) {}

  const PlanGraph& graph() const { return graph_; }
  /// Tasks that were given a place, over all plans.
  std::size_t placements() const { return placements_; }
  double now() const { return now_; }

  /// @returns No plan ends earlier: the longest path, and on equal workers all of the work shared among them.
  double earliest_end() const {
    double end = now_, work = 0.0;
    std::vector<double> ends(graph_.size());
    for (std::size_t t = 0; t < graph_.size(); ++t) {
      double ready = std::max(now_, graph_.released(t));
      for (const std::uint32_t p : graph_.predecessors(t)) ready = std::max(ready, ends[p]);
      ends[t] = ready + graph_.shortest(t);
      work += graph_.shortest(t);
      end = std::max(end, ends[t]);
    }
    std::size_t workers = 0;
    for (const Place& place : places_) workers += place.workers.size();
    return std::max(end, now_ + work / static_cast<double>(workers));
  }

  /// @returns For each task the length of the longest path to the end, `seconds(task)` each, and transfers if they count.
  template <class TaskSeconds>
  std::vector<double> upward_ranks(TaskSeconds&& seconds, bool transfers) const {
    std::vector<double> ranks(graph_.size());
    for (std::size_t t = graph_.size(); t-- > 0;) {
      double rest = 0.0;
      for (const std::uint32_t s : graph_.successors(t)) rest = std::max(rest, ranks[s]);
      if (transfers && !graph_.successors(t).empty()) rest += graph_.mean_transfer(t);
      ranks[t] = seconds(t) + rest;
    }
    return ranks;
  }
  /// @returns The tasks by falling rank, equal ones as they were submitted.
  /// @pre No task has a greater rank than its predecessor.
  static std::vector<std::uint32_t> by_rank(const std::vector<double>& ranks) {
    std::vector<std::uint32_t> order(ranks.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return ranks[a] > ranks[b]; });
    return order;
  }

  /// Places the tasks in this order, each where its end, its transfers and `penalty(task, place)` together are least.
  /// @pre Predecessors come before their successors.
  template <class Penalty>
  Plan plan(std::span<const std::uint32_t> order, Penalty&& penalty) {
    Plan plan;
    plan.entries.resize(graph_.size());
    plan.idle = idle_;
    plan.available = graph_.available();
    plan.data = graph_.datum();
    plan.end = now_;
    for (const std::uint32_t t : order) {
      double ready = std::max(now_, graph_.released(t));
      for (const std::uint32_t p : graph_.predecessors(t)) ready = std::max(ready, plan.entries[p].finish);
      put(plan, t, penalty, [&](std::size_t p) {
        Arrival arrival = arrival_of(plan, t, places_[p].node);
        arrival.time = std::max(arrival.time, ready);
        return arrival;
      });
      if (graph_.moves_data()) move_data(plan, t);
      plan.end = std::max(plan.end, plan.entries[t].finish);
    }
    placements_ += graph_.size();
    return plan;
  }
  Plan plan(std::span<const std::uint32_t> order) {
    return plan(order, [](std::size_t, std::size_t) { return 0.0; });
  }

  /// Plans the reversed graph, where a task waits for its successors, in the reverse order of a plan's ends. What comes
  /// late there has much behind it: the workers that its successors need are in it, which the longest path does not know.
  /// Source: forward-backward improvement, Li, Willis, "An iterative scheduling technique for resource-constrained project
  /// scheduling", EJOR 1992.
  /// @returns The end of each task in the reversed plan: ranks.
  std::vector<double> backward_ranks(const Plan& forward) {
    std::vector<std::uint32_t> order(graph_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(order.size()) - 1 - i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return forward.entries[a].finish > forward.entries[b].finish; });
    double shortest = std::numeric_limits<double>::infinity();
    for (std::size_t t = 0; t < graph_.size(); ++t) shortest = std::min(shortest, graph_.shortest(t));
    Plan plan;
    plan.entries.resize(graph_.size());
    for (const Place& place : places_) plan.idle.emplace_back(place.workers.size(), 0.0, shortest);
    std::vector<double> ends(graph_.size());
    for (const std::uint32_t t : order) {
      const double transfer = graph_.mean_transfer(t);
      put(plan, t, [](std::size_t, std::size_t) { return 0.0; }, [&](std::size_t p) {
        double ready = 0.0;
        for (const std::uint32_t s : graph_.successors(t)) {
          const Plan::Entry& next = plan.entries[s];
          ready = std::max(ready, next.finish + (places_[next.place].node != places_[p].node ? transfer : 0.0));
        }
        return Arrival{ready, 0.0};
      });
      ends[t] = plan.entries[t].finish;
    }
    placements_ += graph_.size();
    return ends;
  }

 private:
  struct Arrival {
    double time = 0.0;       // everything that the task reads is there
    double transfers = 0.0;  // seconds of the transfers for it
  };

  template <class Penalty, class Ready>
  void put(Plan& plan, std::uint32_t t, Penalty&& penalty, Ready&& ready) {
    std::size_t best = places_.size();
    IdleTimes::Fit best_fit;
    double least = 0.0;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      const double seconds = graph_.seconds(t, places_[p].worker_class);
      if (seconds == PlanGraph::kNever) continue;
      const Arrival arrival = ready(p);
      const IdleTimes::Fit fit = plan.idle[p].find(arrival.time, seconds);
      const double cost = fit.start + seconds + contention_ * arrival.transfers + penalty(t, p);
      if (best != places_.size() && cost >= least) continue;
      best = p;
      best_fit = fit;
      least = cost;
    }
    const double seconds = graph_.seconds(t, places_[best].worker_class);
    const std::uint32_t worker = plan.idle[best].take(best_fit, seconds);
    plan.entries[t] = {best_fit.start, best_fit.start + seconds, static_cast<std::uint32_t>(best), worker};
  }

  /// When a datum can be on a node, at the earliest.
  double arrival(const Plan& plan, std::uint32_t datum, NodeId node, double bytes) const {
    const double* available = &plan.available[datum * graph_.nodes()];
    if (available[node.index()] != PlanGraph::kNever) return available[node.index()];
    return available[plan.data[datum].source] + bytes * graph_.seconds_per_byte(node.index());
  }
  Arrival arrival_of(const Plan& plan, std::uint32_t t, NodeId node) const {
    Arrival result;
    if (!graph_.moves_data()) return result;
    for (const PlanGraph::Use& use : graph_.uses(t)) {
      if (!use.reads) continue;
      const double bytes = plan.data[use.datum].bytes;
      if (plan.available[use.datum * graph_.nodes() + node.index()] == PlanGraph::kNever)
        result.transfers += bytes * graph_.seconds_per_byte(node.index());
      result.time = std::max(result.time, arrival(plan, use.datum, node, bytes));
    }
    return result;
  }
  void move_data(Plan& plan, std::uint32_t t) const {
    const Plan::Entry& entry = plan.entries[t];
    const NodeId node = places_[entry.place].node;
    for (const PlanGraph::Use& use : graph_.uses(t)) {
      const auto row = plan.available.begin() + static_cast<std::ptrdiff_t>(use.datum * graph_.nodes());
      double& here = row[static_cast<std::ptrdiff_t>(node.index())];
      if (use.writes) {
        std::fill_n(row, graph_.nodes(), PlanGraph::kNever);
        here = entry.finish;
        plan.data[use.datum].source = node.value;
      } else {
        here = arrival(plan, use.datum, node, plan.data[use.datum].bytes);
      }
    }
  }

  const PlanGraph& graph_;
  const std::span<const Place> places_;
  const std::vector<IdleTimes>& idle_;
  const double now_, contention_;
  std::size_t placements_ = 0;
};

}  // namespace mitra
