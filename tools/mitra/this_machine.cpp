// Flow: Runtime::machine, machine file of `mitra calibrate` -> [this machine] -> `mitra machine --save`.

#include "this_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include <mitra/emu_driver.hpp>
#include <mitra/machine_file.hpp>
#include <mitra/model_store.hpp>

namespace mitra::tool {
namespace {

/// What hwloc knows: the cores, and their memory.
MachineDescription cores_of(const Machine& machine) {
  MachineDescription description;
  description.name = "this-machine";
  description.summary = fmt::format("{} workers on {} processors, found by hwloc", machine.workers.size(), machine.processors);
  MemoryDescription memory;
  memory.name = memory.group = "ram";
  memory.capacity = machine.memory_nodes[0].capacity;
  description.memories.push_back(std::move(memory));
  description.local_routes.push_back({});
  for (const WorkerClass& c : machine.classes) {
    if (c.kind != WorkerKind::cpu) continue;
    WorkerClassDescription about;
    about.name = c.name;
    about.kind = c.kind;
    about.cores = c.cores;
    about.count = static_cast<unsigned>(c.workers.size());
    about.memory = "ram";
    std::set<int> caches;
    for (const WorkerId id : c.workers) caches.insert(machine.workers[id.index()].l3_domain);
    about.l3_domains = static_cast<unsigned>(caches.size());
    description.classes.push_back(std::move(about));
  }
  return description;
}

/// Beside emulated devices bodies last longer than the processor time that they take.
void stretch_class(WorkerClassDescription& c, double factor) {
  for (double& peak : c.peak) peak /= factor;
  c.bandwidth /= factor;
  c.kernel_overhead = factor * c.kernel_overhead;
}

/// Adds the devices to a machine of cores alone. @pre the class of single cores is the first one
void add_emulated(MachineDescription& description, const EmuOptions& emu, const Machine& machine) {
  const auto devices = static_cast<std::uint32_t>(emu.devices);
  const EmuStretch stretched = stretch(emu);

  WorkerClassDescription device = description.classes.front();
  device.name = "emu";
  device.kind = WorkerKind::hip;
  device.count = emu.devices;
  device.cores = 1;
  device.l3_domains = 1;
  device.memory = "emu";
  device.streams = emu.streams;
  device.pipeline = std::max(emu.pipeline, emu.streams);
  device.copy_engines = 1;
  stretch_class(device, stretched.on_device);
  for (WorkerClassDescription& c : description.classes) stretch_class(c, stretched.on_core);
  description.classes.push_back(device);
  const ClassId emulated(static_cast<std::uint32_t>(description.classes.size() - 1));

  const std::size_t kernels = description.kernels.size();
  for (std::size_t k = 0; k < kernels; ++k) {
    KernelTiming on_device = description.kernels[k];
    description.kernels[k].seconds = stretched.on_core * on_device.seconds;
    if (on_device.worker_class != ClassId(0)) continue;
    on_device.worker_class = emulated;
    on_device.seconds = stretched.on_device * on_device.seconds;
    description.kernels.push_back(std::move(on_device));
  }
  const std::size_t rates = description.rates.size();
  for (std::size_t r = 0; r < rates; ++r)
    if (description.rates[r].worker_class == ClassId(0))
      description.rates.push_back({description.rates[r].codelet, emulated, description.rates[r].rate});

  // A device has an engine for copies into its memory, from the host's and its peers', and one for those to the host's.
  const std::uint32_t nodes = devices + 1;
  const auto way_in = [](std::uint32_t d) { return 2 * d; };
  const auto way_out = [](std::uint32_t d) { return 2 * d + 1; };
  description.local_routes.assign(std::size_t{nodes} * nodes, {});
  const auto route = [&](std::uint32_t from, std::uint32_t to, std::vector<std::uint32_t> links, Seconds latency) {
    description.local_routes[std::size_t{from} * nodes + to] = {std::move(links), latency};
  };
  for (std::uint32_t d = 0; d < devices; ++d) {
    MemoryDescription memory;
    memory.name = machine.memory_nodes[d + 1].name;
    memory.group = "emu";
    memory.capacity = machine.memory_nodes[d + 1].capacity;  // --memory may have made it less
    memory.bandwidth = 0.0;
    description.memories.push_back(std::move(memory));
    description.links.push_back({fmt::format("into {}", d), emu.bandwidth, 0.0});
    description.links.push_back({fmt::format("out of {}", d), emu.bandwidth, 0.0});
    route(0, d + 1, {way_in(d)}, emu.latency);
    route(d + 1, 0, {way_out(d)}, emu.latency);
  }
  const bool own_links = emu.peer_bandwidth > 0.0 && emu.peer_bandwidth != emu.bandwidth;
  for (std::uint32_t d = 0; own_links && d < devices; ++d) description.links.push_back({fmt::format("peers to {}", d), emu.peer_bandwidth, 0.0});
  for (std::uint32_t from = 0; from < devices; ++from)
    for (std::uint32_t to = 0; to < devices; ++to) {
      if (from == to) continue;
      if (emu.peer_bandwidth > 0.0)
        route(from + 1, to + 1, {own_links ? 2 * devices + to : way_in(to)}, emu.latency);
      else
        route(from + 1, to + 1, {way_out(from), way_in(to)}, 2.0 * emu.latency);
    }
  description.memories_per_node = nodes;
  description.links_per_node = static_cast<std::uint32_t>(description.links.size());
  description.to_network.resize(nodes);
  description.from_network.resize(nodes);
}

/// The cores as `mitra calibrate` has measured them, or as far as hwloc knows them.
MachineDescription calibrated(const Runtime& rt, bool& measured) {
  const std::string host = host_name(), &models = rt.config().models;
  const std::filesystem::path path = std::filesystem::path(models).parent_path() / ("machine-" + host + ".toml");
  MachineDescription description = cores_of(rt.machine());
  measured = !models.empty() && std::filesystem::exists(path);
  if (!measured) return description;
  const MachineDescription found = find_machine(path.string());
  const WorkerClassDescription counted = description.classes.front();
  description = found;
  // Teams have no times of their own.
  description.classes.resize(1);
  description.classes.front().count = counted.count;
  description.classes.front().l3_domains = counted.l3_domains;
  description.origins.clear();  // of values that are stretched now
  return description;
}

}  // namespace

std::string file_of_this_machine(const Runtime& rt) {
  const Machine& machine = rt.machine();
  const std::string_view text = rt.config().emu;
  if (text.empty() || text == "0")
    return "# Found by hwloc. How fast its workers are is not known: without [class.cpu.peak] and [[kernel]] rows a simulation\n"
           "# knows no durations but those that tasks state themselves. docs/machines.md says how to add them.\n" +
           write_machine_file(cores_of(machine));
  const EmuOptions emu = parse_emu_options(text, static_cast<unsigned>(std::max(1, machine.processors)));
  bool measured = false;
  MachineDescription description = calibrated(rt, measured);
  add_emulated(description, emu, machine);
  description.name = fmt::format("{}-emu{}", measured ? description.name : "this-machine", emu.devices);
  description.summary = fmt::format("{} cores and {} emulated devices on {} processors", description.classes.front().count, emu.devices,
                                    machine.processors);
  const EmuStretch stretched = stretch(emu);
  const std::string head =
      measured ? fmt::format("# Times that `mitra calibrate` has measured on a core, {:.4g} times as long on cores and {:.4g} times on devices:\n"
                             "# docs/devices.md, \"How time passes\".\n",
                             stretched.on_core, stretched.on_device)
               : "# How fast its workers are is not known: call `mitra calibrate`, and write this file again.\n";
  return fmt::format("# MITRA_EMU={}\n", text) + head + write_machine_file(description);
}

}  // namespace mitra::tool
