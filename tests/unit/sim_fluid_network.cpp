// Fair shares on small networks whose answers are known, and what is refused.
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "backends/sim/fluid_network.hpp"
#include "support/catch.hpp"

using mitra::Seconds;
using mitra::sim::FlowEnd;
using mitra::sim::FlowId;
using mitra::sim::FluidNetwork;
using mitra::sim::RouteId;

namespace {

const Seconds kEver(std::numeric_limits<double>::infinity());

struct Arrival {
  std::uint64_t token;
  double time;
};

std::vector<Arrival> all_ends(FluidNetwork& network) {
  std::vector<Arrival> ends;
  while (const FlowEnd* end = network.advance(kEver)) {
    ends.push_back({end->token, end->time.value});
    network.pop();
  }
  return ends;
}

RouteId route(FluidNetwork& network, const std::vector<std::uint32_t>& links) { return network.add_route(links); }

}  // namespace

TEST_CASE("a flow alone takes its latency and its bytes over the narrowest link") {
  FluidNetwork network({100.0, 25.0, 50.0});
  network.start(route(network, {0, 1, 2}), 100.0, Seconds(0.5), Seconds(1.0), 7);
  CHECK(network.next_event() == Seconds(1.5));
  CHECK(network.flows() == 1);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].token == 7);
  CHECK(ends[0].time == 5.5);
  CHECK(network.flows() == 0);
  CHECK(network.next_event() == kEver);
  CHECK(network.carried(Seconds(5.5)) == std::vector<double>{100.0, 100.0, 100.0});
}

TEST_CASE("a flow without links takes its latency, one without bytes too") {
  FluidNetwork network({10.0});
  network.start(route(network, {}), 1e9, Seconds(2.0), Seconds(0.0), 1);
  network.start(route(network, {0}), 0.0, Seconds(1.0), Seconds(0.0), 2);
  network.start(route(network, {}), 1e9, Seconds(0.0), Seconds(0.0), 3);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 3);
  CHECK((ends[0].token == 3 && ends[0].time == 0.0));
  CHECK((ends[1].token == 2 && ends[1].time == 1.0));
  CHECK((ends[2].token == 1 && ends[2].time == 2.0));
}

TEST_CASE("flows on one link share it, and who remains has it all") {
  FluidNetwork network({100.0});
  const RouteId way = route(network, {0});
  const FlowId small = network.start(way, 100.0, Seconds(0.0), Seconds(0.0), 1);
  const FlowId large = network.start(way, 300.0, Seconds(0.0), Seconds(0.0), 2);
  CHECK(network.rate(small) == 50.0);
  CHECK(network.rate(large) == 50.0);
  REQUIRE(network.advance(kEver)->time == Seconds(2.0));
  network.pop();
  CHECK(network.rate(small) == 0.0);
  CHECK(network.rate(large) == 100.0);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].time == 4.0);
}

TEST_CASE("what a flow cannot use because of a narrow link, the others get") {
  // Two long flows over links 0 and 1, one flow on each of 0, 1 and 2: the classic line.
  FluidNetwork network({10.0, 12.0, 100.0});
  const FlowId long1 = network.start(route(network, {0, 1}), 1e6, Seconds(0.0), Seconds(0.0), 1);
  const FlowId long2 = network.start(route(network, {1, 0, 2}), 1e6, Seconds(0.0), Seconds(0.0), 2);
  const FlowId on0 = network.start(route(network, {0}), 1e6, Seconds(0.0), Seconds(0.0), 3);
  const FlowId on1 = network.start(route(network, {1}), 1e6, Seconds(0.0), Seconds(0.0), 4);
  const FlowId on2 = network.start(route(network, {2}), 1e6, Seconds(0.0), Seconds(0.0), 5);
  const double third = 10.0 / 3.0;
  CHECK(network.rate(long1) == Approx(third));
  CHECK(network.rate(long2) == network.rate(long1));
  CHECK(network.rate(on0) == network.rate(long1));
  CHECK(network.rate(on1) == Approx(12.0 - 2.0 * third));
  CHECK(network.rate(on2) == Approx(100.0 - third));

  CHECK(network.cancel(long2, Seconds(0.0)));
  CHECK(network.rate(long1) == 5.0);
  CHECK(network.rate(on1) == 7.0);
  CHECK(network.rate(on2) == 100.0);
}

TEST_CASE("flows on other links do not notice a change") {
  FluidNetwork network({10.0, 10.0});
  network.start(route(network, {0}), 100.0, Seconds(0.0), Seconds(0.0), 1);
  network.start(route(network, {1}), 35.0, Seconds(0.0), Seconds(0.0), 2);
  network.start(route(network, {1}), 15.0, Seconds(0.0), Seconds(1.0), 3);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 3);
  CHECK((ends[0].token == 3 && ends[0].time == 4.0));
  CHECK((ends[1].token == 2 && ends[1].time == 5.0));
  CHECK((ends[2].token == 1 && ends[2].time == 10.0));
}

TEST_CASE("flows that end at the same time come in the order of their start, whatever their way") {
  FluidNetwork network({30.0, 10.0, 10.0, 10.0});
  const std::vector<RouteId> ways{route(network, {0, 3}), route(network, {0, 1}), route(network, {0, 2})};
  // Three pieces on each way, started in turns; a change of rates in between leaves different roundings behind.
  for (std::uint64_t i = 0; i < 9; ++i) network.start(ways[(i * 2) % 3], 0.1, Seconds(0.1 * 3), Seconds(0.0), i);
  network.start(ways[1], 0.01, Seconds(0.3), Seconds(0.0), 100);
  network.start(ways[0], 0.01, Seconds(0.3), Seconds(0.0), 101);
  network.start(ways[2], 0.01, Seconds(0.3), Seconds(0.0), 102);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 12);
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(ends[i].token == 100 + i);
  for (std::uint64_t i = 0; i < 9; ++i) CHECK(ends[3 + i].token == i);
  CHECK(ends[3].time == ends[11].time);
  CHECK(ends[11].time == Approx(0.3 + 0.31 / 10.0));
}

TEST_CASE("a cancelled flow gives its share back, and what has flowed is counted") {
  FluidNetwork network({100.0, 1000.0});
  const RouteId way = route(network, {0, 1});
  const FlowId first = network.start(way, 1000.0, Seconds(0.0), Seconds(0.0), 1);
  const FlowId second = network.start(way, 1000.0, Seconds(0.0), Seconds(0.0), 2);
  const FlowId late = network.start(way, 1000.0, Seconds(5.0), Seconds(0.0), 3);
  CHECK(network.advance(Seconds(2.0)) == nullptr);
  CHECK(network.carried(Seconds(2.0)) == std::vector<double>{200.0, 200.0});
  CHECK(network.cancel(first, Seconds(2.0)));
  CHECK_FALSE(network.cancel(first, Seconds(2.0)));
  CHECK(network.cancel(late, Seconds(3.0)));
  CHECK(network.rate(second) == 100.0);
  const auto ends = all_ends(network);
  REQUIRE(ends.size() == 1);
  CHECK((ends[0].token == 2 && ends[0].time == 11.0));
  CHECK_FALSE(network.cancel(second, Seconds(11.0)));
  CHECK(network.carried(Seconds(11.0)) == std::vector<double>{1100.0, 1100.0});
}

TEST_CASE("a small flow late in a long run ends in its own time") {
  FluidNetwork network({1e11});
  const RouteId way = route(network, {0});
  network.start(way, 1e17, Seconds(0.0), Seconds(0.0), 1);  // Ends at 1e6 s.
  REQUIRE(network.advance(Seconds(9e5)) == nullptr);
  network.start(way, 5e5, Seconds(0.0), Seconds(9e5), 2);  // 10 us at half of the link.
  const FlowEnd* end = network.advance(kEver);
  REQUIRE(end != nullptr);
  CHECK(end->token == 2);
  CHECK(end->time.value - 9e5 == Approx(1e-5).epsilon(0.02));
}

TEST_CASE("impossible links, routes, flows and times are refused with their values") {
  using mitra::test::contains;
  CHECK_THROWS_WITH(FluidNetwork({1.0, 0.0}), contains("link 1 has a bandwidth of 0"));
  CHECK_THROWS_WITH(FluidNetwork({kEver.value}), contains("must be above zero and finite"));
  FluidNetwork network({1.0, 2.0});
  CHECK_THROWS_WITH(route(network, {0, 2}), contains("link 2") && contains("there are 2 links"));
  CHECK_THROWS_WITH(route(network, {1, 0, 1}), contains("crosses link 1 twice"));
  const RouteId way = route(network, {0, 1});
  CHECK(route(network, {1, 0}) == way);
  CHECK_THROWS_AS(network.start(way, -1.0, Seconds(0.0), Seconds(0.0), 0), mitra::MisuseError);
  CHECK_THROWS_AS(network.start(way, 1.0, kEver, Seconds(0.0), 0), mitra::MisuseError);
  CHECK_THROWS_AS(network.start(RouteId(9), 1.0, Seconds(0.0), Seconds(0.0), 0), mitra::MisuseError);
  network.start(way, 4.0, Seconds(0.0), Seconds(1.0), 0);
  CHECK_THROWS_WITH(network.start(way, 1.0, Seconds(0.0), Seconds(0.5), 0), contains("cannot go to 0.5 s"));
  CHECK_THROWS_WITH(network.start(way, 1.0, Seconds(0.0), Seconds(6.0), 0), contains("the next event is at 5 s"));
  CHECK(network.flows() == 1);
}
