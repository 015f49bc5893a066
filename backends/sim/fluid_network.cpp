// Max-min fair sharing, recomputed for what a change can reach.
// Flow: sim driver -> [fluid network] -> event queue. Thread-safety: serialised.
#include "fluid_network.hpp"

#include <algorithm>
#include <limits>

#include <mitra/error.hpp>

namespace mitra::sim {

namespace {

// Ends that differ by rounding only are one event. Above the error of some hundred changes of rate (2^-53 each), and
// below everything that a model means: 0.1 ns in 1000 s.
constexpr double kSameTime = 1e-13;

// Kinds of events: the token is the flow whose latency ends, or the route of which a flow ends.
constexpr std::uint32_t kLatencyEnds = 0, kFlowEnds = 1;

bool is_amount(double x) { return x >= 0.0 && x < std::numeric_limits<double>::infinity(); }

}  // namespace

FluidNetwork::FluidNetwork(std::vector<double> capacities) {
  links_.resize(capacities.size());
  for (std::size_t i = 0; i < capacities.size(); ++i) {
    if (!is_amount(capacities[i]) || capacities[i] == 0.0)
      throw ConfigError(detail::message("link ", i, " has a bandwidth of ", capacities[i],
                                        " bytes/s; it must be above zero and finite"));
    links_[i].capacity = capacities[i];
  }
}

RouteId FluidNetwork::add_route(std::span<const std::uint32_t> links) {
  std::vector<std::uint32_t> sorted(links.begin(), links.end());
  std::ranges::sort(sorted);
  if (!sorted.empty() && sorted.back() >= links_.size())
    throw MisuseError(detail::message("a route names link ", sorted.back(), ", and there are ", links_.size(),
                                      " links, counted from 0"));
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    throw MisuseError(detail::message("a route crosses link ", *twice, " twice; name each link once"));

  const auto [place, is_new] = known_.try_emplace(sorted, static_cast<std::uint32_t>(routes_.size()));
  if (!is_new) return RouteId(place->second);
  Route& route = routes_.emplace_back();
  route.narrowest = std::numeric_limits<double>::infinity();
  for (const std::uint32_t link : sorted) {
    route.hops.push_back({link, 0});
    route.narrowest = std::min(route.narrowest, links_[link].capacity);
  }
  return RouteId(place->second);
}

FlowId FluidNetwork::start(RouteId route, double bytes, Seconds latency, Seconds now, std::uint64_t token) {
  if (!is_amount(bytes) || !is_amount(latency.value) || route.value >= routes_.size())
    throw MisuseError(detail::message("a transfer of ", bytes, " bytes after ", latency.value, " s on route ",
                                      route.value, " cannot be; both must be finite and not negative, and the route one "
                                      "of the ", routes_.size(), " that add_route returned"));
  move_to(now);
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(flows_.size()));
    flows_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Flow& flow = flows_[slot];
  flow.token = token;
  flow.sequence = ++started_;
  flow.bytes = bytes;
  flow.route = route.value;
  flow.state = State::latency;
  ++under_way_;
  // A flow that has nothing to send ends by an event, too: advance() alone hands out ends.
  if (latency.value > 0.0 || bytes == 0.0 || routes_[route.index()].hops.empty())
    flow.event = events_.push(Seconds(now_ + latency.value), {slot, kLatencyEnds});
  else
    begin(slot);
  return {slot, flow.use};
}

bool FluidNetwork::cancel(FlowId id, Seconds now) {
  Flow* flow = find(id);
  if (flow == nullptr) return false;
  move_to(now);
  if (flow->state == State::latency) {
    events_.cancel(flow->event);
  } else {
    Route& route = routes_[flow->route];
    update(route);
    const auto share = std::ranges::find(route.flows, id.slot, &Share::flow);
    route.carried += std::clamp(flow->bytes - (share->finish - route.service), 0.0, flow->bytes);
    *share = route.flows.back();
    route.flows.pop_back();
    std::ranges::make_heap(route.flows, ends_later);
    if (route.flows.empty()) {
      events_.cancel(route.event);
      leave_links(route);
    }
    mark(flow->route);
  }
  end(id.slot);
  return true;
}

Seconds FluidNetwork::next_event() {
  if (ended_taken_ < ended_.size()) return ended_[ended_taken_].time;
  settle();
  return events_.next_time();
}

const FlowEnd* FluidNetwork::advance(Seconds until) {
  for (;;) {
    if (ended_taken_ < ended_.size()) return &ended_[ended_taken_];
    settle();
    const double time = events_.next_time().value;
    if (time > until.value || events_.empty()) return nullptr;
    ended_.clear();
    ended_taken_ = 0;
    now_ = std::max(now_, time);
    fire(now_ * kSameTime);
  }
}

double FluidNetwork::rate(FlowId id) {
  settle();
  const Flow* flow = find(id);
  return flow != nullptr && flow->state == State::flowing ? routes_[flow->route].rate : 0.0;
}

std::vector<double> FluidNetwork::carried(Seconds now) {
  settle();
  std::vector<double> sums(links_.size(), 0.0);
  for (const Route& route : routes_) {
    double bytes = route.carried;
    const double service = route.service + route.rate * (now.value - route.since);
    for (const Share& share : route.flows) {
      const double all = flows_[share.flow].bytes;
      bytes += std::clamp(all - (share.finish - service), 0.0, all);
    }
    for (const Hop& hop : route.hops) sums[hop.link] += bytes;
  }
  return sums;
}

FluidNetwork::Flow* FluidNetwork::find(FlowId id) {
  if (id.slot >= flows_.size()) return nullptr;
  Flow& flow = flows_[id.slot];
  return flow.use == id.use && flow.state != State::none ? &flow : nullptr;
}

void FluidNetwork::move_to(Seconds now) {
  if (now.value == now_) return;
  if (!(now.value > now_) || next_event() < now)
    throw MisuseError(detail::message("virtual time cannot go to ", now.value, " s: it is ", now_,
                                      " s, and the next event is at ", next_event().value, " s; take that first"));
  now_ = now.value;
}

void FluidNetwork::begin(std::uint32_t slot) {
  Flow& flow = flows_[slot];
  Route& route = routes_[flow.route];
  if (flow.bytes == 0.0 || route.hops.empty()) {
    route.carried += flow.bytes;
    batch_.push_back({{flow.token, Seconds(now_)}, flow.sequence});
    end(slot);
    return;
  }
  if (route.flows.empty()) {
    route.service = 0.0;  // From zero each time, so that it does not grow until small flows are lost in it.
    route.rate = 0.0;
    route.since = now_;
    enter_links(flow.route);
  } else {
    update(route);
  }
  flow.state = State::flowing;
  route.flows.push_back({route.service + flow.bytes, flow.sequence, slot});
  std::ranges::push_heap(route.flows, ends_later);
  mark(flow.route);
}

void FluidNetwork::end(std::uint32_t slot) {
  Flow& flow = flows_[slot];
  flow.state = State::none;
  ++flow.use;
  free_.push_back(slot);
  --under_way_;
}

void FluidNetwork::fire(double window) {
  do {
    const Event event = events_.pop();
    const auto index = static_cast<std::uint32_t>(event.token);
    if (event.kind == kLatencyEnds)
      begin(index);
    else
      finish_flows(index, window);
  } while (events_.next_time().value <= now_ + window);

  if (batch_.size() > 1) std::ranges::sort(batch_, {}, &Ended::sequence);
  for (const Ended& one : batch_) ended_.push_back(one.end);
  batch_.clear();
}

void FluidNetwork::finish_flows(std::uint32_t index, double window) {
  Route& route = routes_[index];
  const double reached = route.flows.front().finish + route.rate * window;
  while (!route.flows.empty() && route.flows.front().finish <= reached) {
    const Share share = route.flows.front();
    std::ranges::pop_heap(route.flows, ends_later);
    route.flows.pop_back();
    const Flow& flow = flows_[share.flow];
    // The time of the end is the truth; what rounding made of the service gives way to it.
    route.service = share.finish;
    route.since = now_;
    route.carried += flow.bytes;
    batch_.push_back({{flow.token, Seconds(now_)}, share.sequence});
    end(share.flow);
  }
  route.event = {};
  if (route.flows.empty()) leave_links(route);
  mark(index);
}

void FluidNetwork::update(Route& route) const {
  route.service += route.rate * (now_ - route.since);
  route.since = now_;
}

void FluidNetwork::mark(std::uint32_t index) {
  if (routes_[index].changed) return;
  routes_[index].changed = true;
  changed_.push_back(index);
}

void FluidNetwork::enter_links(std::uint32_t index) {
  for (Hop& hop : routes_[index].hops) {
    std::vector<std::uint32_t>& routes = links_[hop.link].routes;
    hop.position = static_cast<std::uint32_t>(routes.size());
    routes.push_back(index);
  }
}

void FluidNetwork::leave_links(Route& route) {
  for (const Hop& hop : route.hops) {
    std::vector<std::uint32_t>& routes = links_[hop.link].routes;
    const std::uint32_t moved = routes.back();
    routes[hop.position] = moved;
    routes.pop_back();
    if (hop.position == routes.size()) continue;
    std::ranges::find(routes_[moved].hops, hop.link, &Hop::link)->position = hop.position;
  }
}

/// @returns Whether nobody else uses its links.
bool FluidNetwork::alone(const Route& route) const {
  const std::size_t itself = route.flows.empty() ? 0 : 1;
  return std::ranges::all_of(route.hops, [&](const Hop& hop) { return links_[hop.link].routes.size() == itself; });
}

/// Brings rates up to date with the flows that came and went.
void FluidNetwork::settle() {
  if (changed_.empty()) return;
  ++settlement_;
  seen_.clear();
  open_.clear();
  for (const std::uint32_t index : changed_) {
    Route& route = routes_[index];
    if (!alone(route))
      collect(route);
    else if (!route.flows.empty())
      set_rate(index, route.narrowest / static_cast<double>(route.flows.size()));
  }
  if (!seen_.empty()) fill();
  for (const std::uint32_t index : changed_) routes_[index].changed = false;
  changed_.clear();
}

/// Adds to the seen ones everything that is joined with the route by links in use.
void FluidNetwork::collect(const Route& start) {
  const auto see_links = [&](const Route& route) {
    for (const Hop& hop : route.hops) {
      Link& link = links_[hop.link];
      if (link.visited == settlement_) continue;
      link.visited = settlement_;
      link.place = static_cast<std::uint32_t>(open_.size());
      open_.push_back({link.capacity, 0.0, hop.link});
    }
  };
  std::size_t next = open_.size();
  see_links(start);
  for (; next < open_.size(); ++next) {
    double waiting = 0.0;
    for (const std::uint32_t index : links_[open_[next].link].routes) {
      Route& route = routes_[index];
      waiting += static_cast<double>(route.flows.size());
      if (route.visited == settlement_) continue;
      route.visited = settlement_;
      route.fixed = false;
      seen_.push_back(index);
      see_links(route);
    }
    open_[next].waiting = waiting;
  }
}

/// Progressive filling of what was seen: the link with the smallest share for each of its flows is full first.
void FluidNetwork::fill() {
  for (std::size_t to_fix = seen_.size(); to_fix > 0;) {
    const OpenLink full = narrowest();
    const double share = full.left / full.waiting;
    for (const std::uint32_t member : links_[full.link].routes) {
      Route& route = routes_[member];
      if (route.fixed) continue;
      route.fixed = true;
      --to_fix;
      const auto count = static_cast<double>(route.flows.size());
      for (const Hop& hop : route.hops) {
        OpenLink& crossed = open_[links_[hop.link].place];
        crossed.waiting -= count;
        crossed.left -= share * count;
      }
      set_rate(member, share);
    }
  }
}

/// Finds the link with the smallest share, and forgets those whose flows all have a rate. @pre Not all links are such.
FluidNetwork::OpenLink FluidNetwork::narrowest() {
  double share = std::numeric_limits<double>::infinity();
  std::size_t found = 0;
  for (std::size_t i = 0; i < open_.size();) {
    if (open_[i].waiting == 0.0) {
      open_[i] = open_.back();
      links_[open_[i].link].place = static_cast<std::uint32_t>(i);
      open_.pop_back();
      continue;
    }
    const double its = open_[i].left / open_[i].waiting;
    if (its < share) {
      share = its;
      found = i;
    }
    ++i;
  }
  return open_[found];
}

void FluidNetwork::set_rate(std::uint32_t index, double rate) {
  Route& route = routes_[index];
  if (rate == route.rate && !route.changed) return;
  if (rate != route.rate) {
    update(route);
    route.rate = rate;
  }
  const Seconds at(std::max(now_, route.since + (route.flows.front().finish - route.service) / rate));
  if (!events_.retime(route.event, at)) route.event = events_.push(at, {index, kFlowEnds});
}

}  // namespace mitra::sim
