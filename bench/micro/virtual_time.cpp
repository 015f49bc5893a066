// What virtual time costs: an event, a transfer alone, transfers that share links, a launch and a copy of the driver.
// Flow: backends/sim -> [virtual_time] -> figures. Thread-safety: one thread.
#include <array>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>
#include <mitra/sim_driver.hpp>

#include "backends/sim/event_queue.hpp"
#include "backends/sim/fluid_network.hpp"

namespace {

using mitra::Bytes;
using mitra::NodeId;
using mitra::Seconds;

/// Numbers of 0 .. 1, by a linear congruence (Knuth, TAOCP 2, 3.3.4): cheap beside what is measured.
class Numbers {
 public:
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11) * 0x1.0p-53;
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() * static_cast<double>(bound)); }

 private:
  std::uint64_t state_ = 1;
};

/// Takes the first event and pushes another, while so many wait.
void event_push_and_pop(benchmark::State& state) {
  mitra::sim::EventQueue queue;
  Numbers numbers;
  for (std::int64_t i = 0; i < state.range(0); ++i) queue.push(Seconds(numbers.next()), {});
  for (auto _ : state) {
    const double now = queue.next_time().value;
    benchmark::DoNotOptimize(queue.pop());
    queue.push(Seconds(now + numbers.next()), {});
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(event_push_and_pop)->Arg(16)->Arg(300)->Arg(10000)->Arg(1000000);

/// The links of four GPUs: 0-3 into them, 4-7 out of them, 8 and 9 the host's memory in both directions.
constexpr std::uint32_t kGpus = 4;
std::vector<double> gpu_links() {
  std::vector<double> all(2 * kGpus, 128e9);
  all.insert(all.end(), {400e9, 400e9});
  return all;
}
std::vector<mitra::sim::RouteId> gpu_routes(mitra::sim::FluidNetwork& network) {
  std::vector<mitra::sim::RouteId> routes;
  for (std::uint32_t a = 0; a < kGpus; ++a) {
    routes.push_back(network.add_route(std::array<std::uint32_t, 2>{8, a}));
    routes.push_back(network.add_route(std::array<std::uint32_t, 2>{kGpus + a, 9}));
    for (std::uint32_t b = 0; b < kGpus; ++b)
      if (a != b) routes.push_back(network.add_route(std::array<std::uint32_t, 2>{kGpus + a, b}));
  }
  return routes;
}

/// Start and end of a transfer that is alone, with and without latency.
void flow_alone(benchmark::State& state) {
  mitra::sim::FluidNetwork network(gpu_links());
  const auto routes = gpu_routes(network);
  const Seconds latency(state.range(0) != 0 ? 2e-6 : 0.0);
  Seconds now;
  for (auto _ : state) {
    network.start(routes[0], 128e6, latency, now, 1);
    now = network.advance(Seconds(1e300))->time;
    network.pop();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(flow_alone)->ArgName("latency")->Arg(0)->Arg(1);

/// So many transfers over random ones of the 20 ways among four GPUs and their host; each that ends starts another.
void flows_shared(benchmark::State& state) {
  mitra::sim::FluidNetwork network(gpu_links());
  const auto routes = gpu_routes(network);
  Numbers numbers;
  Seconds now;
  const auto start = [&] {
    network.start(routes[numbers.below(routes.size())], 1e6 + 30e6 * numbers.next(), Seconds(2e-6), now, 1);
  };
  for (std::int64_t i = 0; i < state.range(0); ++i) start();
  for (auto _ : state) {
    now = network.advance(Seconds(1e300))->time;
    network.pop();
    start();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(flows_shared)->Arg(4)->Arg(16)->Arg(64)->Arg(256)->Arg(1024);

/// As flows_shared, among the GPUs of so many compute nodes with a link to the network for each GPU and direction, 16
/// flows for each compute node: all links in use are joined.
void flows_over_a_network(benchmark::State& state) {
  const auto nodes = static_cast<std::uint32_t>(state.range(0));
  const std::uint32_t gpus = nodes * kGpus;
  mitra::sim::FluidNetwork network(std::vector<double>(2 * gpus, 100e9));
  Numbers numbers;
  Seconds now;
  const auto start = [&] {
    const auto from = static_cast<std::uint32_t>(numbers.below(gpus)), to = static_cast<std::uint32_t>(numbers.below(gpus));
    const mitra::sim::RouteId route = network.add_route(std::array<std::uint32_t, 2>{from, gpus + to});
    network.start(route, 1e6 + 30e6 * numbers.next(), Seconds(2e-6), now, 1);
  };
  for (std::uint32_t i = 0; i < 16 * nodes; ++i) start();
  for (auto _ : state) {
    now = network.advance(Seconds(1e300))->time;
    network.pop();
    start();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(flows_over_a_network)->Arg(4)->Arg(16)->Arg(64);

/// A host, memory 0, and four GPUs, joined as above.
mitra::MachineDescription four_gpus() {
  mitra::MachineDescription machine;
  machine.name = "four GPUs";
  machine.memories_per_node = 1 + kGpus;
  machine.memories.resize(1 + kGpus);
  machine.memories[0].group = "dram";
  for (std::uint32_t gpu = 0; gpu < kGpus; ++gpu) machine.memories[1 + gpu].group = "hbm";
  mitra::WorkerClassDescription& gpus = machine.classes.emplace_back();
  gpus.kind = mitra::WorkerKind::hip;
  gpus.count = kGpus;
  gpus.memory = "hbm";
  gpus.copy_engines = 2;
  for (const double bandwidth : gpu_links()) machine.links.push_back({"link", bandwidth, 0.0});
  machine.links_per_node = static_cast<std::uint32_t>(machine.links.size());
  for (std::uint32_t from = 0; from <= kGpus; ++from)
    for (std::uint32_t to = 0; to <= kGpus; ++to) {
      mitra::Route route{{}, Seconds(2e-6)};
      if (from != to)
        route.links = {from == 0 ? 8 : kGpus + from - 1, to == 0 ? 9 : to - 1};
      machine.local_routes.push_back(route);
    }
  return machine;
}

/// Each GPU has so many chains of a copy from the host, then a launch, then a copy: a completion is an item.
void driver_copies_and_launches(benchmark::State& state) {
  const mitra::MachineDescription machine = four_gpus();
  mitra::SimDriver driver(machine);
  Numbers numbers;
  const auto copy = [&](std::uint64_t gpu) {
    const Bytes size(1'000'000 + numbers.below(30'000'000));
    driver.copy(NodeId(0), NodeId(static_cast<std::uint32_t>(1 + gpu)), size, false, gpu);
  };
  for (std::int64_t i = 0; i < state.range(0) * kGpus; ++i) copy(static_cast<std::uint64_t>(i) % kGpus);
  mitra::SimCompletion done;
  for (auto _ : state) {
    driver.next(done);
    if (done.kind == mitra::SimCompletion::Kind::copy)
      driver.launch(Seconds(1e-3 * numbers.next()), done.token);
    else
      copy(done.token);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(driver_copies_and_launches)->Arg(4)->Arg(16)->Arg(64)->Arg(256);

}  // namespace
