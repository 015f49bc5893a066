// The fluid network against SimGrid (https://simgrid.org), model CM02: ends of flows on random platforms.
// SimGrid has one clock and one engine in a process: all platforms are zones of one, and the test is one test case.
#include <array>
#include <limits>
#include <string>
#include <vector>

#include <simgrid/s4u.hpp>

#include "backends/sim/fluid_network.hpp"
#include "property/flows.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace s4u = simgrid::s4u;
using mitra::Seconds;
using mitra::property::PlannedFlow;
using mitra::property::Traffic;

namespace {

/// As it would be with equal shares: no reverse traffic, no window of TCP, no factors on bandwidth, latency and weight.
/// Full: the lazy updates of version 3.32 end some of the flows that begin at one time as soon as their latency is over.
void make_plain() {
  for (const char* setting :
       {"network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0", "network/weight-S:0",
        "network/bandwidth-factor:1", "network/latency-factor:1", "network/optim:Full"})
    s4u::Engine::set_config(setting);
}

/// A zone with a pair of hosts for each flow, between them the links of its route, and an actor who sends. SimGrid gives
/// flows of larger latency less: all flows of a platform have the same.
void add_platform(s4u::NetZone* root, const std::string& name, const Traffic& traffic, std::vector<double>& ends) {
  s4u::NetZone* zone = s4u::create_full_zone(name);
  zone->set_parent(root);
  std::vector<const s4u::Link*> links;
  for (std::size_t i = 0; i < traffic.capacities.size(); ++i)
    links.push_back(zone->create_link(name + "-" + std::to_string(i), traffic.capacities[i])->seal());
  const s4u::Link* delay = zone->create_link(name + "-delay", 1e15)
                               ->set_latency(traffic.flows[0].latency)
                               ->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE)
                               ->seal();
  for (std::size_t f = 0; f < traffic.flows.size(); ++f) {
    const PlannedFlow& flow = traffic.flows[f];
    std::array<s4u::Host*, 2> hosts{};
    for (std::size_t side = 0; side < 2; ++side)
      hosts[side] = zone->create_host(name + "-" + std::to_string(f) + (side == 0 ? "from" : "to"), 1e9)->seal();
    std::vector<s4u::LinkInRoute> way{s4u::LinkInRoute(delay)};
    for (const std::uint32_t link : flow.route) way.emplace_back(links[link]);
    zone->add_route(hosts[0]->get_netpoint(), hosts[1]->get_netpoint(), nullptr, nullptr, way, false);
    s4u::Actor::create("sender", hosts[0], [&flow, hosts, &end = ends[f]] {
      s4u::this_actor::sleep_until(flow.start);
      s4u::Comm::sendto(hosts[0], hosts[1], static_cast<std::uint64_t>(flow.bytes));
      end = s4u::Engine::get_clock();
    });
  }
  zone->seal();
}

std::vector<double> simulate(const Traffic& traffic) {
  constexpr Seconds kEver(std::numeric_limits<double>::infinity());
  mitra::sim::FluidNetwork network(traffic.capacities);
  std::vector<double> ends(traffic.flows.size());
  for (std::size_t next = 0; next <= traffic.flows.size(); ++next) {
    const Seconds until = next < traffic.flows.size() ? Seconds(traffic.flows[next].start) : kEver;
    while (const mitra::sim::FlowEnd* end = network.advance(until)) {
      ends[end->token] = end->time.value;
      network.pop();
    }
    if (next == traffic.flows.size()) break;
    const PlannedFlow& flow = traffic.flows[next];
    network.start(network.add_route(flow.route), flow.bytes, Seconds(flow.latency), until, next);
  }
  return ends;
}

}  // namespace

TEST_CASE("flows on random platforms end when SimGrid says") {
  std::string program = "oracle", quiet = "--log=root.thresh:warning";
  std::array<char*, 2> arguments{program.data(), quiet.data()};
  int count = static_cast<int>(arguments.size());
  s4u::Engine engine(&count, arguments.data());
  make_plain();

  const std::vector<std::uint64_t> seeds = mitra::test::seeds(100);
  std::vector<Traffic> platforms;
  for (const std::uint64_t seed : seeds) {
    mitra::test::Random random(seed);
    mitra::property::TrafficShape shape;
    shape.latency = 0.05;
    shape.same_latency = true;
    shape.round = seed % 4 == 0;
    if (seed % 3 == 0) shape.links = 4, shape.flows = 50;
    platforms.push_back(random_traffic(random, shape));
  }
  s4u::NetZone* root = s4u::create_full_zone("root");
  std::vector<std::vector<double>> expected;
  for (const Traffic& traffic : platforms) expected.emplace_back(traffic.flows.size(), 0.0);
  for (std::size_t i = 0; i < platforms.size(); ++i)
    add_platform(root, "platform" + std::to_string(i), platforms[i], expected[i]);
  root->seal();
  engine.run();

  std::size_t flows = 0;
  double worst = 0.0;
  for (std::size_t i = 0; i < platforms.size(); ++i) {
    MITRA_INFO_SEED(seeds[i]);
    const std::vector<double> got = simulate(platforms[i]);
    for (std::size_t f = 0; f < got.size(); ++f) {
      INFO("flow " << f << " of " << got.size());
      REQUIRE(expected[i][f] > 0.0);
      CHECK(got[f] == Approx(expected[i][f]).epsilon(1e-6));
      worst = std::max(worst, std::abs(got[f] / expected[i][f] - 1.0));
      ++flows;
    }
  }
  WARN(flows << " flows on " << platforms.size() << " platforms; the largest difference is " << worst);
}
