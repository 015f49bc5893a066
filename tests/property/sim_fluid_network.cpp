// Random flows over random links: ends as the slow simulation has them, shares that are fair, bytes that are conserved.
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "backends/sim/fluid_network.hpp"
#include "flows.hpp"
#include "support/catch.hpp"
#include "support/scale.hpp"

using mitra::Seconds;
using mitra::sim::FlowEnd;
using mitra::sim::FlowId;
using mitra::sim::FluidNetwork;
using namespace mitra::property;

namespace {

const Seconds kEver(std::numeric_limits<double>::infinity());

/// One run of a scenario. Its tokens are the flows' indices.
class Run {
 public:
  explicit Run(const Traffic& traffic) : traffic_(traffic), network_(traffic.capacities) {
    outcome_.ends.assign(traffic.flows.size(), kEver.value);
  }

  /// Calls `at_event` after every change; returns when nothing is under way.
  template <class AtEvent>
  const Outcome& go(AtEvent at_event) {
    std::multimap<double, std::size_t> cancels;
    for (std::size_t f = 0; f < traffic_.flows.size(); ++f)
      if (traffic_.flows[f].cancelled < kEver.value) cancels.emplace(traffic_.flows[f].cancelled, f);
    ids_.resize(traffic_.flows.size());
    for (std::size_t next = 0;;) {
      const double start = next < traffic_.flows.size() ? traffic_.flows[next].start : kEver.value;
      const double cancel = cancels.empty() ? kEver.value : cancels.begin()->first;
      const double until = std::min(start, cancel);
      while (const FlowEnd* end = network_.advance(Seconds(until))) {
        now_ = end->time.value;
        order_.push_back(end->token);
        outcome_.ends[end->token] = end->time.value;
        network_.pop();
        at_event(*this);
      }
      if (until == kEver.value) break;
      now_ = until;
      if (start <= cancel) {
        const PlannedFlow& flow = traffic_.flows[next];
        ids_[next] = network_.start(network_.add_route(flow.route), flow.bytes, Seconds(flow.latency), Seconds(start), next);
        ++next;
      } else {
        network_.cancel(ids_[cancels.begin()->second], Seconds(cancel));
        cancels.erase(cancels.begin());
      }
      at_event(*this);
    }
    outcome_.carried = network_.carried(Seconds(now_));
    return outcome_;
  }

  double rate(std::size_t flow) { return ids_[flow].slot == FlowId{}.slot ? 0.0 : network_.rate(ids_[flow]); }
  const std::vector<std::uint64_t>& order() const { return order_; }
  FluidNetwork& network() { return network_; }

 private:
  const Traffic& traffic_;
  FluidNetwork network_;
  Outcome outcome_;
  std::vector<FlowId> ids_;
  std::vector<std::uint64_t> order_;
  double now_ = 0.0;
};

/// One kind of scenario for each seed in turn.
Traffic traffic_of(std::uint64_t seed) {
  mitra::test::Random random(seed);
  TrafficShape shape;
  shape.latency = 0.2;
  switch (seed % 5) {
    case 0: shape.round = true; break;
    case 1: shape.cancelled = 0.3; break;
    case 2: shape.links = 3, shape.routes = 3, shape.flows = 60; break;
    case 3: shape.links = 40, shape.routes = 60, shape.flows = 120; break;
    default: break;
  }
  return random_traffic(random, shape);
}

std::uint64_t runs() { return mitra::test::scaled(200); }

}  // namespace

TEST_CASE("flows end when the slow simulation says, and links carry as many bytes") {
  for (const std::uint64_t seed : mitra::test::seeds(runs())) {
    MITRA_INFO_SEED(seed);
    const Traffic traffic = traffic_of(seed);
    const Outcome expected = simulate_slowly(traffic);
    Run run(traffic);
    const Outcome& got = run.go([](Run&) {});
    for (std::size_t f = 0; f < traffic.flows.size(); ++f) {
      INFO("flow " << f << " of " << traffic.flows.size());
      if (expected.ends[f] == kEver.value)
        REQUIRE(got.ends[f] == kEver.value);
      else
        REQUIRE(got.ends[f] == Approx(expected.ends[f]).epsilon(1e-11));
    }
    for (std::size_t link = 0; link < traffic.capacities.size(); ++link) {
      INFO("link " << link);
      REQUIRE(got.carried[link] == Approx(expected.carried[link]).epsilon(1e-9).margin(1e-3));
    }
    REQUIRE(run.network().flows() == 0);
    REQUIRE(run.network().next_event() == kEver);
  }
}

TEST_CASE("shares are fair: no link is overloaded, and each flow is among the fastest on a link that is full") {
  for (const std::uint64_t seed : mitra::test::seeds(runs())) {
    MITRA_INFO_SEED(seed);
    const Traffic traffic = traffic_of(seed);
    Run run(traffic);
    run.go([&](Run& self) {
      std::vector<double> load(traffic.capacities.size(), 0.0), fastest(traffic.capacities.size(), 0.0);
      std::vector<double> rates(traffic.flows.size());
      for (std::size_t f = 0; f < rates.size(); ++f) {
        rates[f] = self.rate(f);
        for (const std::uint32_t link : traffic.flows[f].route) {
          load[link] += rates[f];
          fastest[link] = std::max(fastest[link], rates[f]);
        }
      }
      for (std::size_t link = 0; link < load.size(); ++link)
        if (load[link] > traffic.capacities[link] * (1.0 + 1e-12)) FAIL("link " << link << " carries " << load[link]);
      for (std::size_t f = 0; f < rates.size(); ++f) {
        if (rates[f] == 0.0) continue;
        const bool limited = std::ranges::any_of(traffic.flows[f].route, [&](std::uint32_t link) {
          return load[link] >= traffic.capacities[link] * (1.0 - 1e-12) && rates[f] >= fastest[link] * (1.0 - 1e-12);
        });
        if (!limited) FAIL("flow " << f << " could be faster than " << rates[f] << " and harm no slower one");
      }
    });
  }
}

TEST_CASE("the same flows end at the same times to the last bit, in the same order") {
  for (const std::uint64_t seed : mitra::test::seeds(runs() / 4)) {
    MITRA_INFO_SEED(seed);
    const Traffic traffic = traffic_of(seed);
    Run first(traffic), second(traffic);
    const Outcome& a = first.go([](Run&) {});
    const Outcome& b = second.go([](Run&) {});
    REQUIRE(first.order() == second.order());
    for (std::size_t f = 0; f < a.ends.size(); ++f)
      REQUIRE(std::bit_cast<std::uint64_t>(a.ends[f]) == std::bit_cast<std::uint64_t>(b.ends[f]));
  }
}

TEST_CASE("flows that end at the same time come in the order of their start on random networks") {
  for (std::uint64_t seed : mitra::test::seeds(runs())) {
    MITRA_INFO_SEED(seed);
    const Traffic traffic = traffic_of(seed * 5);  // The round ones.
    Run run(traffic);
    const Outcome& got = run.go([](Run&) {});
    for (std::size_t i = 1; i < run.order().size(); ++i) {
      const std::size_t before = run.order()[i - 1], after = run.order()[i];
      REQUIRE(got.ends[before] <= got.ends[after]);
      // Two ends are one if they differ by rounding only.
      if (got.ends[after] - got.ends[before] < 1e-9) REQUIRE(before < after);
    }
  }
}
