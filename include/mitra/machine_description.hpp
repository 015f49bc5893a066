// A machine as models see it: how fast its workers are, how its memories are joined, what it all draws. Read from a
// machine file, or found on this machine.
// Flow: machine file, hwloc -> [machine description] -> models, sim driver, bounds. Thread-safety: immutable once built.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <mitra/machine.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// What a kernel computes with: peaks, efficiencies and power differ by it.
enum class Precision : std::uint8_t { fp64, fp32, bf16, fp8, fp4 };
inline constexpr std::size_t kPrecisions = 5;
constexpr const char* to_string(Precision p) {
  constexpr const char* names[] = {"fp64", "fp32", "bf16", "fp8", "fp4"};
  return names[static_cast<std::size_t>(p)];
}
/// The precision that data of this element size are taken for: 8 bytes fp64, 4 fp32, 2 bf16, 1 fp8.
constexpr Precision precision_of(std::size_t element_size) {
  return element_size >= 8 ? Precision::fp64 : element_size >= 4 ? Precision::fp32 : element_size == 2 ? Precision::bf16 : Precision::fp8;
}

/// Power of one worker, and how its clock yields to a cap. x = clock / clock_max, V(x) = max(v_min, v0 + v1 x):
/// power while a kernel runs: static_power + dynamic x V(x)^2, and x is the largest that keeps it below the cap.
/// All zero: the machine file says nothing about power.
struct WorkerPower {
  Watts idle;          ///< No task runs.
  Watts static_power;  ///< While a task runs, at any clock.
  std::array<Watts, kPrecisions> dynamic{};  ///< At full clock, for compute-bound kernels.
  Watts stream;        ///< At full clock, for memory-bound kernels.
  double v0 = 1.0, v1 = 0.0, v_min = 0.0;
  double clock_max = 0.0, clock_min = 0.0;   ///< Hz; 0: no clock is modelled.
  Watts cap, cap_min, cap_max;               ///< Default and range; 0: none.
  Seconds cap_settle, clock_switch;          ///< Until a new cap, a new clock is in force.
  bool known = false;
};

/// Equal workers: cores, teams of cores, GPUs.
struct WorkerClassDescription {
  std::string name;
  WorkerKind kind = WorkerKind::cpu;
  unsigned count = 0;      ///< Workers in one compute node, cores that drive GPUs not among them.
  unsigned cores = 1;      ///< CPU: cores of one worker.
  double team_efficiency = 1.0;  ///< Of `cores` times the rate of one core, what moldable tasks reach; 0..1.
  unsigned l3_domains = 1;
  std::string memory;      ///< Name of the memory that its workers use; with several instances they share them evenly.
  std::array<double, kPrecisions> peak{};        ///< FLOP/s of one worker at full clock; 0: cannot.
  std::array<double, kPrecisions> efficiency{};  ///< Of the peak, by large matrix products, at full clock; 0..1.
  Seconds kernel_overhead;      ///< Each kernel takes t = kernel_overhead + flops / (efficiency peak x).
  Seconds task_overhead;        ///< Of the runtime, a task.
  double bandwidth = 0.0;       ///< Bytes/s that one worker reaches in its memory, when it works alone; 0: unknown.
  unsigned streams = 1;         ///< Tasks that run at the same time on one worker.
  unsigned pipeline = 1;        ///< Tasks that a worker holds: those that run, and those whose data are on the way.
  unsigned copy_engines = 1;    ///< Transfers into its memory at the same time, and as many out of it.
  bool driver_core = false;     ///< Each worker keeps a core busy: already subtracted from the count of the cores' class.
  bool can_abort = false;       ///< A running task can be given up.
  WorkerPower power;
};

/// A codelet's rate relative to that of a large matrix product on the class.
struct RelativeRate {
  std::string codelet;
  ClassId worker_class;
  double rate = 1.0;
};

/// One measured kernel time.
struct KernelTiming {
  std::string codelet;
  std::vector<std::string> shapes;  ///< One an access, "960x960"; one alone stands for all accesses.
  Precision precision = Precision::fp64;
  ClassId worker_class;
  Seconds seconds;
  double spread = 0.0;   ///< Relative standard deviation.
  double flops = 0.0;    ///< 0: not said.
};

struct MemoryDescription {
  std::string name;         ///< Of the instance: "dram", "hbm2"
  std::string group;        ///< As the file calls it: "hbm"
  unsigned compute_node = 0;
  Bytes capacity;           ///< 0: without limit.
  double bandwidth = 0.0;   ///< Bytes/s, sustained; 0: not said.
  Watts idle;
  double joules_per_byte = 0.0;
};

/// Something that transfers share, in one direction: a bus, a port, a switch.
struct LinkDescription {
  std::string name;
  double bandwidth = 0.0;  ///< Bytes/s
  double joules_per_byte = 0.0;
};

/// The way of a transfer. @see MachineDescription::route
struct Route {
  std::vector<std::uint32_t> links;  ///< Indices into MachineDescription::links
  Seconds latency;
};

/// A constant consumer, of one compute node.
struct PowerComponent {
  std::string name;
  Watts power;
};

/// Where a value of a machine file comes from.
struct ValueOrigin {
  std::string key;     ///< "class.gpu.peak.fp64"
  std::string value;   ///< As it is written.
  std::string source;  ///< A paper, a page, a measurement; empty: not said.
  bool assumption = false;
  std::string note;    ///< Range, reason.
};

struct MachineDescription {
  std::string name;
  std::string summary;                 ///< One line.
  unsigned compute_nodes = 1;          ///< Equal ones; memories and links below are listed for all of them.
  std::vector<WorkerClassDescription> classes;
  std::vector<MemoryDescription> memories;  ///< NodeId is the index; node 0 is the host memory of compute node 0.
  std::vector<LinkDescription> links;
  std::vector<KernelTiming> kernels;
  std::vector<RelativeRate> rates;
  std::vector<PowerComponent> components;
  double power_conversion = 1.0;       ///< Of what is drawn, the share that arrives: 0..1.
  Seconds submission_overhead;         ///< The submitting thread spends it on each task; 0: submission takes no time.
  std::vector<ValueOrigin> origins;

  /// Ways between memories of one compute node, by the memories' places in that node: [from * local + to].
  std::vector<Route> local_routes;
  std::uint32_t memories_per_node = 1;
  /// By memory: the links from it to the network, and from the network to it; the latency is that of one half.
  std::vector<Route> to_network, from_network;

  /// @returns The way from one memory to another, across the network where they belong to different compute nodes.
  Route route(NodeId from, NodeId to) const {
    const std::uint32_t m = memories_per_node, a = from.value, b = to.value;
    if (a / m == b / m) {
      Route local = local_routes[(a % m) * m + b % m];
      for (std::uint32_t& link : local.links) link += a / m * links_per_node;
      return local;
    }
    Route way = to_network[a];
    way.links.insert(way.links.end(), from_network[b].links.begin(), from_network[b].links.end());
    way.latency += from_network[b].latency;
    return way;
  }
  std::uint32_t links_per_node = 0;    ///< Links of a compute node come together, those of node 0 first.
};

/// @returns What policies see of it: worker 0 is the first of the first class of compute node 0; compute nodes one after
///          the other, in each the classes in the order of the description.
Machine to_machine(const MachineDescription& description);

}  // namespace mitra
