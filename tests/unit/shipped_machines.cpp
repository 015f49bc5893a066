// The machines that come with Mitra: their shape, and that writing them loses nothing.
#include <mitra/machine_file.hpp>
#include <mitra/error.hpp>
#include <set>
#include <tuple>

#include "support/catch.hpp"

using namespace mitra;

namespace {

/// Everything but origins, which are told of templates in one and of links in the other.
void check_same(const MachineDescription& a, const MachineDescription& b) {
  CHECK(a.name == b.name);
  CHECK(a.summary == b.summary);
  CHECK(a.compute_nodes == b.compute_nodes);
  REQUIRE(a.classes.size() == b.classes.size());
  for (std::size_t i = 0; i < a.classes.size(); ++i) {
    const WorkerClassDescription &x = a.classes[i], &y = b.classes[i];
    INFO("class " << x.name);
    CHECK(x.name == y.name);
    CHECK(x.kind == y.kind);
    CHECK(x.count == y.count);
    CHECK(x.cores == y.cores);
    CHECK(x.l3_domains == y.l3_domains);
    CHECK(x.memory == y.memory);
    CHECK(x.peak == y.peak);
    CHECK(x.efficiency == y.efficiency);
    CHECK(x.kernel_overhead == y.kernel_overhead);
    CHECK(x.task_overhead == y.task_overhead);
    CHECK(x.bandwidth == y.bandwidth);
    CHECK(std::tuple(x.streams, x.pipeline, x.copy_engines) == std::tuple(y.streams, y.pipeline, y.copy_engines));
    CHECK(std::tuple(x.driver_core, x.can_abort) == std::tuple(y.driver_core, y.can_abort));
    const WorkerPower &p = x.power, &q = y.power;
    CHECK(p.known == q.known);
    CHECK(std::tuple(p.idle, p.static_power, p.stream) == std::tuple(q.idle, q.static_power, q.stream));
    CHECK(p.dynamic == q.dynamic);
    CHECK(std::tuple(p.v0, p.v1, p.v_min, p.clock_max, p.clock_min) == std::tuple(q.v0, q.v1, q.v_min, q.clock_max, q.clock_min));
    CHECK(std::tuple(p.cap, p.cap_min, p.cap_max) == std::tuple(q.cap, q.cap_min, q.cap_max));
    CHECK(std::tuple(p.cap_settle, p.clock_switch) == std::tuple(q.cap_settle, q.clock_switch));
  }
  REQUIRE(a.memories.size() == b.memories.size());
  for (std::size_t i = 0; i < a.memories.size(); ++i) {
    const MemoryDescription &x = a.memories[i], &y = b.memories[i];
    CHECK(std::tuple(x.name, x.group, x.compute_node, x.capacity, x.bandwidth, x.idle, x.joules_per_byte) ==
          std::tuple(y.name, y.group, y.compute_node, y.capacity, y.bandwidth, y.idle, y.joules_per_byte));
  }
  REQUIRE(a.links.size() == b.links.size());
  for (std::size_t i = 0; i < a.links.size(); ++i)
    CHECK(std::tuple(a.links[i].name, a.links[i].bandwidth, a.links[i].joules_per_byte) ==
          std::tuple(b.links[i].name, b.links[i].bandwidth, b.links[i].joules_per_byte));
  CHECK(std::tuple(a.memories_per_node, a.links_per_node) == std::tuple(b.memories_per_node, b.links_per_node));
  const auto same_routes = [](const std::vector<Route>& x, const std::vector<Route>& y) {
    REQUIRE(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(x[i].links == y[i].links);
      CHECK(x[i].latency == y[i].latency);
    }
  };
  same_routes(a.local_routes, b.local_routes);
  same_routes(a.to_network, b.to_network);
  same_routes(a.from_network, b.from_network);
  REQUIRE(a.kernels.size() == b.kernels.size());
  for (std::size_t i = 0; i < a.kernels.size(); ++i) {
    const KernelTiming &x = a.kernels[i], &y = b.kernels[i];
    CHECK(std::tuple(x.codelet, x.shapes, x.precision, x.worker_class, x.seconds, x.spread, x.flops) ==
          std::tuple(y.codelet, y.shapes, y.precision, y.worker_class, y.seconds, y.spread, y.flops));
  }
  const auto rates = [](const MachineDescription& m) {
    std::set<std::tuple<std::string, ClassId, double>> all;
    for (const RelativeRate& rate : m.rates) all.emplace(rate.codelet, rate.worker_class, rate.rate);
    return all;
  };
  CHECK(rates(a) == rates(b));
  REQUIRE(a.components.size() == b.components.size());
  for (std::size_t i = 0; i < a.components.size(); ++i)
    CHECK(std::tuple(a.components[i].name, a.components[i].power) == std::tuple(b.components[i].name, b.components[i].power));
  CHECK(a.power_conversion == b.power_conversion);
  CHECK(a.submission_overhead == b.submission_overhead);
}

std::set<std::string> assumptions(const MachineDescription& machine, const std::string& prefix) {
  std::set<std::string> keys;
  for (const ValueOrigin& origin : machine.origins)
    if (origin.assumption && origin.key.starts_with(prefix)) keys.insert(origin.key);
  return keys;
}

}  // namespace

TEST_CASE("every shipped machine is read, has a summary, and survives being written") {
  const auto machines = shipped_machines();
  REQUIRE(machines.size() == 17);
  for (const ShippedMachine& shipped : machines) {
    INFO(shipped.name);
    CHECK_FALSE(shipped.summary.empty());
    const MachineDescription machine = find_machine(shipped.name);
    CHECK(machine.name == shipped.name);
    CHECK(machine.summary == shipped.summary);
    const std::string text = write_machine_file(machine);
    const MachineDescription again = parse_machine(text, "written.toml");
    check_same(machine, again);
    for (const char* prefix : {"memory.", "class.", "power.", "rates."}) CHECK(assumptions(machine, prefix) == assumptions(again, prefix));
    CHECK(write_machine_file(again) == text);
    CHECK(to_machine(machine).workers.size() == to_machine(again).workers.size());
  }
}

TEST_CASE("every value of a shipped machine has a source, or is an assumption, or is a plain count of itself") {
  for (const ShippedMachine& shipped : shipped_machines())
    for (const ValueOrigin& origin : find_machine(shipped.name).origins) {
      INFO(shipped.name << ": " << origin.key);
      const bool shape = origin.key == "compute_nodes" || origin.key.ends_with(".count") || origin.key.ends_with(".package") ||
                         origin.key.ends_with(".l3_domains") || origin.key.find(".spread") != std::string::npos;
      CHECK((shape || origin.assumption || !origin.source.empty()));
    }
}

TEST_CASE("alice-recoque-unified: 252 cores, 4 GPUs, 5 memories, 20 links") {
  const MachineDescription machine = find_machine("alice-recoque-unified");
  REQUIRE(machine.classes.size() == 2);
  CHECK(machine.classes[0].count == 252);  // 4 cores drive GPUs
  CHECK(machine.classes[0].l3_domains == 8);
  CHECK(machine.classes[1].count == 4);
  CHECK(machine.classes[1].peak[0] == 288e12);
  CHECK(machine.classes[1].peak[4] == 9.2e15);
  CHECK(machine.classes[0].peak[0] * machine.classes[0].efficiency[0] == Approx(72e9).epsilon(0.001));
  CHECK(machine.memories.size() == 5);
  CHECK(machine.memories[0].name == "dram");
  CHECK(machine.memories[0].capacity == Bytes(1'000'000'000'000));
  CHECK(machine.memories[4].name == "hbm3");
  CHECK(machine.memories[4].capacity == Bytes(432'000'000'000));
  CHECK(machine.memories[4].joules_per_byte == Approx(28e-12));
  CHECK(machine.links.size() == 4 * 2 + 4 * 3);
  CHECK(machine.local_routes.size() == 25);
  CHECK(machine.to_network.empty());
  std::set<std::uint32_t> used;
  for (std::uint32_t a = 0; a < 5; ++a)
    for (std::uint32_t b = 0; b < 5; ++b) {
      const Route route = machine.route(NodeId(a), NodeId(b));
      REQUIRE(route.links.size() == (a == b ? 0U : 1U));
      if (a == b) continue;
      CHECK(used.insert(route.links[0]).second);  // each direction of each pair has its own
      CHECK(machine.links[route.links[0]].bandwidth == (a == 0 || b == 0 ? 128e9 : 600e9));
      CHECK(route.latency == Seconds(a == 0 || b == 0 ? 1e-6 : 0.8e-6));
    }
  double idle = 0.0;
  for (const WorkerClassDescription& c : machine.classes) idle += c.count * c.power.idle.value;
  for (const MemoryDescription& memory : machine.memories) idle += memory.idle.value;
  for (const PowerComponent& component : machine.components) idle += component.power.value;
  CHECK(idle / machine.power_conversion == Approx(1400).epsilon(0.01));
}

TEST_CASE("alice-recoque-unified-x16: the node 16 times, and a network between") {
  const MachineDescription machine = find_machine("alice-recoque-unified-x16");
  CHECK(machine.compute_nodes == 16);
  CHECK(machine.memories.size() == 80);
  CHECK(machine.links_per_node == 20 + 2 * 5);
  CHECK(machine.links.size() == 16 * 30);
  CHECK(machine.to_network.size() == 80);
  CHECK(machine.from_network.size() == 80);
  CHECK(machine.memories[7].name == "n1.hbm1");
  CHECK(machine.memories[7].compute_node == 1);

  const Route inside = machine.route(NodeId(7), NodeId(8));
  REQUIRE(inside.links.size() == 1);
  CHECK(inside.links[0] / 30 == 1);
  CHECK(machine.links[inside.links[0]].name == "n1.gpu-gpu hbm1>hbm2");

  const Route across = machine.route(NodeId(7), NodeId(79));
  REQUIRE(across.links.size() == 2);
  CHECK(machine.links[across.links[0]].name == "n1.nic-gpu hbm1>network");
  CHECK(machine.links[across.links[1]].name == "n15.nic-gpu network>hbm3");
  CHECK(machine.links[across.links[0]].bandwidth == 95e9);
  CHECK(across.latency == Seconds(1.6e-6));

  const Machine seen = to_machine(machine);
  CHECK(seen.workers.size() == 16 * 256);
  CHECK(seen.workers[256].compute_node == 1);
  CHECK(seen.workers[256].node == NodeId(5));
  CHECK(seen.workers[255].node == NodeId(4));  // the last GPU of node 0
  CHECK(seen.classes[0].workers.size() == 16 * 252);
}

TEST_CASE("partitions share the links of their package") {
  const MachineDescription machine = find_machine("alice-recoque-unified-cpx");
  CHECK(machine.classes[0].count == 224);
  CHECK(machine.classes[1].count == 32);
  CHECK(machine.classes[1].peak[0] == 36e12);
  CHECK(machine.memories[1].capacity == Bytes(54'000'000'000));
  CHECK(machine.links.size() == 4 * 2 + 12 + 4 * 8 * 7);
  const auto link = [&](std::uint32_t a, std::uint32_t b) { return machine.route(NodeId(a), NodeId(b)).links.at(0); };
  CHECK(link(0, 1) == link(0, 8));    // both in package 0
  CHECK(link(0, 1) != link(0, 9));    // package 1
  CHECK(link(0, 1) != link(1, 0));
  CHECK(link(1, 9) == link(8, 16));   // package 0 to package 1
  CHECK(link(1, 9) != link(9, 1));
  CHECK(link(1, 2) != link(1, 3));    // inside each pair has its own
  CHECK(machine.links[link(1, 2)].bandwidth == 1e12);
}

TEST_CASE("machines without copies between CPU and GPU, and with several packages") {
  const MachineDescription apu = find_machine("mi300a-node");
  CHECK(apu.memories.size() == 4);
  CHECK(apu.links.size() == 12);
  const Machine seen = to_machine(apu);
  CHECK(seen.workers[0].node == NodeId(0));
  CHECK(seen.workers[22].node == NodeId(0));  // 92 cores, 23 a package
  CHECK(seen.workers[23].node == NodeId(1));
  CHECK(seen.workers[92].node == NodeId(0));
  CHECK(seen.workers[95].node == NodeId(3));
  CHECK(places_of(seen).size() == 8);
  CHECK(seen.distance(WorkerId(0), WorkerId(92)) == 2);
  CHECK(seen.distance(WorkerId(0), WorkerId(95)) == 3);

  const MachineDescription frontier = find_machine("frontier-node");
  const auto bandwidth = [&](std::uint32_t a, std::uint32_t b) {
    return frontier.links[frontier.route(NodeId(a), NodeId(b)).links.at(0)].bandwidth;
  };
  CHECK(bandwidth(1, 2) == 200e9);
  CHECK(bandwidth(2, 3) == 50e9);
  CHECK(bandwidth(0, 5) == 36e9);
}

TEST_CASE("measured machines: cores that drive GPUs, kernels, buses") {
  const MachineDescription mirage = find_machine("mirage"), sirocco = find_machine("sirocco");
  CHECK(mirage.classes[0].count == 9);
  CHECK(sirocco.classes[0].count == 20);
  CHECK(mirage.kernels.size() == 24);
  const auto time = [](const MachineDescription& m, const char* codelet, const char* shape, Precision p, unsigned c) {
    for (const KernelTiming& k : m.kernels)
      if (k.codelet == codelet && k.shapes == std::vector<std::string>{shape} && k.precision == p && k.worker_class == ClassId(c))
        return k.seconds.value * 1e3;
    return 0.0;
  };
  CHECK(time(mirage, "potrf", "960x960", Precision::fp64, 0) == Approx(33.624));
  CHECK(time(mirage, "gemm", "960x960", Precision::fp64, 1) == Approx(5.981));
  CHECK(time(mirage, "gemm", "320x320", Precision::fp32, 1) == Approx(0.2011248));
  CHECK(time(sirocco, "gemm", "960x960", Precision::fp32, 1) == Approx(0.7434516));
  CHECK(time(sirocco, "potrf", "960x960", Precision::fp64, 1) == 0.0);  // never measured
  // The efficiency of the roofline says the same as the measured product.
  for (const MachineDescription* m : {&mirage, &sirocco})
    for (unsigned c : {0U, 1U})
      for (const Precision p : {Precision::fp64, Precision::fp32}) {
        const WorkerClassDescription& about = m->classes[c];
        const auto i = static_cast<std::size_t>(p);
        const double roofline = about.kernel_overhead.value + 2.0 * 960 * 960 * 960 / (about.peak[i] * about.efficiency[i]);
        INFO(m->name << " " << about.name << " " << to_string(p));
        CHECK(roofline * 1e3 == Approx(time(*m, "gemm", "960x960", p, c)).epsilon(0.02));
      }
  // On sirocco everything crosses one bridge, on mirage all but what stays behind one hub.
  const auto crosses = [](const MachineDescription& m, std::uint32_t a, std::uint32_t b) {
    for (const std::uint32_t l : m.route(NodeId(a), NodeId(b)).links)
      if (m.links[l].name == "host") return true;
    return false;
  };
  CHECK(crosses(sirocco, 1, 2));
  CHECK(crosses(mirage, 1, 2));
  CHECK_FALSE(crosses(mirage, 2, 3));
}

TEST_CASE("identical workers") {
  CHECK(find_machine("identical").classes.at(0).count == 4);
  const MachineDescription machine = find_machine("identical-16");
  CHECK(machine.name == "identical-16");
  CHECK(to_machine(machine).workers.size() == 16);
  CHECK(machine.memories.size() == 1);
  CHECK(machine.memories[0].capacity == Bytes(0));
  CHECK(machine.links.empty());
  CHECK(machine.route(NodeId(0), NodeId(0)).links.empty());
  CHECK_FALSE(machine.classes[0].power.known);
  CHECK_THROWS_AS(find_machine("identical-0"), ConfigError);
  CHECK_THROWS_AS(find_machine("identical-x"), ConfigError);
  CHECK_THROWS_AS(identical_machine(70000), ConfigError);
}
