// Random links, routes and flows, and the slow and obvious simulation of them: every rate from scratch at every event.
// Flow: seed -> [flows] -> property and oracle tests. Thread-safety: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/random.hpp"

namespace mitra::property {

/// A transfer of a scenario.
struct PlannedFlow {
  double start = 0.0;    ///< s
  double bytes = 0.0;
  double latency = 0.0;  ///< s
  std::vector<std::uint32_t> route;
  double cancelled = std::numeric_limits<double>::infinity();  ///< s; infinity: never.
};

struct Traffic {
  std::vector<double> capacities;  ///< Bytes/s
  std::vector<PlannedFlow> flows;  ///< By start.
};

/// What to draw.
struct TrafficShape {
  int links = 12;
  int routes = 8;        ///< Different ones, at most.
  int flows = 30;
  double latency = 0.0;  ///< Largest, s.
  bool same_latency = false;
  double cancelled = 0.0;  ///< Share of the flows.
  bool round = false;      ///< Few different sizes, times and capacities: many ends at the same time.
};

inline Traffic random_traffic(test::Random& random, const TrafficShape& shape) {
  const auto real = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random.next() >> 11) * 0x1.0p-53;
  };
  Traffic traffic;
  const int links = random.between(1, shape.links);
  for (int i = 0; i < links; ++i)
    traffic.capacities.push_back(shape.round ? 10e6 * random.between(1, 3) : real(5e6, 100e6));
  std::vector<std::vector<std::uint32_t>> routes;
  for (int i = random.between(1, shape.routes); i > 0; --i) {
    std::vector<std::uint32_t> all;
    for (std::uint32_t link = 0; link < traffic.capacities.size(); ++link) all.push_back(link);
    random.shuffle(all);
    all.resize(std::min<std::size_t>(all.size(), static_cast<std::size_t>(random.between(1, 4))));
    routes.push_back(all);
  }
  const double same = real(0.0, shape.latency);
  for (int i = random.between(1, shape.flows); i > 0; --i) {
    PlannedFlow flow;
    flow.start = shape.round ? 0.5 * random.between(0, 4) : real(0.0, 3.0);
    flow.bytes = shape.round ? 5e6 * random.between(1, 4) : static_cast<double>(random.between(1000, 40'000'000));
    flow.latency = shape.same_latency ? same : random.chance(0.2) ? 0.0 : real(0.0, shape.latency);
    flow.route = random.pick(routes);
    if (random.chance(shape.cancelled)) flow.cancelled = flow.start + real(0.0, 4.0);
    traffic.flows.push_back(flow);
  }
  std::ranges::stable_sort(traffic.flows, {}, &PlannedFlow::start);
  return traffic;
}

/// Max-min fair rates of the flows in `active`, one flow at a time. @returns By flow; 0 for those not active.
inline std::vector<double> fair_rates(const Traffic& traffic, const std::vector<std::size_t>& active) {
  std::vector<double> left = traffic.capacities, rates(traffic.flows.size(), 0.0);
  std::vector<std::size_t> growing = active;
  while (!growing.empty()) {
    const auto crossing = [&](std::uint32_t link) {
      return std::ranges::count_if(growing, [&](std::size_t f) { return std::ranges::count(traffic.flows[f].route, link) > 0; });
    };
    std::uint32_t narrowest = 0;
    double share = std::numeric_limits<double>::infinity();
    for (std::uint32_t link = 0; link < left.size(); ++link)
      if (const auto count = crossing(link); count > 0 && left[link] / static_cast<double>(count) < share) {
        share = left[link] / static_cast<double>(count);
        narrowest = link;
      }
    std::vector<std::size_t> rest;
    for (const std::size_t f : growing) {
      if (std::ranges::count(traffic.flows[f].route, narrowest) == 0) {
        rest.push_back(f);
        continue;
      }
      rates[f] = share;
      for (const std::uint32_t link : traffic.flows[f].route) left[link] -= share;
    }
    growing = rest;
  }
  return rates;
}

/// How a scenario goes.
struct Outcome {
  std::vector<double> ends;     ///< By flow, s; infinity: cancelled before.
  std::vector<double> carried;  ///< By link, bytes.
};

inline Outcome simulate_slowly(const Traffic& traffic) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  const std::size_t count = traffic.flows.size();
  Outcome outcome{std::vector<double>(count, kNever), std::vector<double>(traffic.capacities.size(), 0.0)};
  std::vector<double> left(count);
  std::vector<char> over(count, 0);
  for (std::size_t f = 0; f < count; ++f) left[f] = traffic.flows[f].bytes;

  for (double now = 0.0;;) {
    std::vector<std::size_t> active;
    double next = kNever;
    const auto at = [&](double time) {
      if (time > now) next = std::min(next, time);
    };
    for (std::size_t f = 0; f < count; ++f) {
      const PlannedFlow& flow = traffic.flows[f];
      if (over[f]) continue;
      if (flow.cancelled <= now) {
        over[f] = 1;
        continue;
      }
      at(flow.cancelled);
      const double begin = flow.start + flow.latency;
      if (begin <= now)
        active.push_back(f);
      else
        at(begin);
    }
    const std::vector<double> rates = fair_rates(traffic, active);
    for (const std::size_t f : active) next = std::min(next, now + left[f] / rates[f]);
    if (next == kNever) return outcome;
    for (const std::size_t f : active) {
      // Who is done but for rounding is done.
      const bool done = now + left[f] / rates[f] <= next * (1.0 + 1e-13);
      const double moved = done ? left[f] : rates[f] * (next - now);
      for (const std::uint32_t link : traffic.flows[f].route) outcome.carried[link] += moved;
      left[f] -= moved;
      if (!done) continue;
      over[f] = 1;
      outcome.ends[f] = next;
    }
    now = next;
  }
}

}  // namespace mitra::property
