#include "engine/devices/device_set.hpp"

#include <algorithm>

#include <mitra/emu_driver.hpp>
#include <mitra/error.hpp>
#include <mitra/numa_driver.hpp>
#include <mitra/spill_driver.hpp>

#include "engine/devices/settings.hpp"

namespace mitra::engine {

namespace {

constexpr std::uint64_t kHostShare = 4;  // fifths of the host's memory that data may take before they go to the spill directory
constexpr std::size_t kLargest = 64;  // DeviceWorkers has a bit for each

ClassId class_named(Machine& machine, const DeviceDescription& device, NodeId node) {
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c)
    if (machine.classes[c].name == device.worker_class) return ClassId(c);
  machine.classes.push_back({device.worker_class, WorkerKind::hip, node, {}});
  return ClassId(static_cast<std::uint32_t>(machine.classes.size() - 1));
}

/// "emu=64MB,emu1=32MB,host=2GB": by the name of a memory node, or by its worker class.
void limit_memories(std::string_view text, Machine& machine) {
  for_each_setting(text, [&](std::string_view key, std::string_view value) {
    const Bytes limit(static_cast<std::uint64_t>(quantity("MITRA_MEMORY", key, value, model::Dimension::bytes)));
    if (limit == Bytes(0)) throw ConfigError(detail::message("MITRA_MEMORY: ", key, "=", value, ": a limit is more than 0 bytes"));
    bool found = false;
    for (std::size_t n = 0; n < machine.memory_nodes.size(); ++n) {
      MemoryNode& node = machine.memory_nodes[n];
      bool named = node.name == key;
      for (const WorkerClass& c : machine.classes)
        if (c.name == key && c.kind != WorkerKind::cpu)
          for (const WorkerId w : c.workers) named |= machine.workers[w.index()].node == NodeId(static_cast<std::uint32_t>(n));
      if (!named) continue;
      found = true;
      node.capacity = node.capacity == Bytes(0) ? limit : std::min(node.capacity, limit);
    }
    if (found) return;
    std::string names;
    for (const MemoryNode& node : machine.memory_nodes) names += (names.empty() ? "" : ", ") + node.name;
    throw ConfigError(detail::message("MITRA_MEMORY: there is no memory '", key, "'; known: ", names));
  });
}

/// The memories of the domains in which there are workers, but for the first worker's: that is the host's.
std::unique_ptr<DeviceDriver> make_domains(const Config& config, Machine& machine) {
  NumaOptions options;
  options.bind = config.bind;
  for (const Worker& worker : machine.workers)
    if (worker.numa_domain != machine.workers[0].numa_domain &&
        std::ranges::find(options.domains, worker.numa_domain) == options.domains.end())
      options.domains.push_back(worker.numa_domain);
  if (options.domains.empty()) {
    machine.remarks.emplace_back("numa=nodes: all workers are in one NUMA domain, and the host's memory is one");
    return nullptr;
  }
  std::ranges::sort(options.domains);
  return make_numa_driver(options);
}

/// Cores near a part of the host's memory that is a node work there.
void settle_workers(Machine& machine, const DeviceDescription& memory, NodeId node) {
  for (Worker& worker : machine.workers)
    if (machine.classes[worker.worker_class.index()].kind == WorkerKind::cpu && worker.numa_domain == memory.numa_domain) worker.node = node;
  for (WorkerClass& c : machine.classes)
    if (!c.workers.empty()) c.node = machine.workers[c.workers.front().index()].node;
}

}  // namespace

HipSetting parse_hip(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  HipSetting setting{std::string(text.substr(0, colon)), {}};
  if (setting.mode != "auto" && setting.mode != "on" && setting.mode != "off")
    throw ConfigError(detail::message("MITRA_HIP=", text, ": auto, on or off is expected"));
  for_each_setting(text.substr(std::min(colon + 1, text.size())), [&](std::string_view key, std::string_view value) {
    if (key != "blas")
      throw ConfigError(detail::message("MITRA_HIP: unknown setting '", key, "' of GPUs; known: blas; auto:blas=off for instance"));
    if (value != "auto" && value != "off" && value.find('/') == value.npos)
      throw ConfigError(detail::message("MITRA_HIP: blas=", value, ": auto, off or the path of librocblas.so is expected"));
    setting.options.blas = value;
  });
  return setting;
}

DeviceSet::DeviceSet(const Config& config, Machine& machine) {
  const HipSetting hip = parse_hip(config.hip);
  const bool emulated = !config.emu.empty() && config.emu != "0";
  if (emulated && hip.mode == "on")
    throw ConfigError("MITRA_HIP=on beside MITRA_EMU: GPUs and emulated devices do not go together, time passes at another speed");
  if (emulated)
    drivers_.push_back(make_emu_driver(parse_emu_options(config.emu, static_cast<unsigned>(std::max(1, machine.processors)))));
  else if (hip.mode != "off")
    drivers_.push_back(make_hip_driver(hip.options));
  if (hip.mode == "on" && drivers_[0]->devices().empty()) throw ConfigError(detail::message("MITRA_HIP=on: ", drivers_[0]->remark()));
  for (const auto& make : config.devices) drivers_.push_back(make());
  if (config.numa == "nodes")
    if (auto domains = make_domains(config, machine)) drivers_.insert(drivers_.begin(), std::move(domains));
  if (!config.spill.empty()) {
    SpillOptions options;
    options.directory = config.spill;
    drivers_.push_back(make_spill_driver(options));
  }
  for (const auto& driver : drivers_)
    if (!driver->remark().empty()) machine.remarks.emplace_back(driver->remark());
  std::size_t count = 0;
  for (const auto& driver : drivers_) count += driver->devices().size();
  if (count == 0) {
    limit_memories(config.memory, machine);  // a memory that there is not is an error all the same
    return;
  }
  if (count > kLargest) throw ConfigError(detail::message(count, " devices; at most ", kLargest, " can be used"));
  const Bytes host = machine.memory_nodes[0].capacity;
  for (const auto& driver : drivers_) {
    core_slowdown_ = std::max(core_slowdown_, driver->core_slowdown());
    for (unsigned d = 0; d < driver->devices().size(); ++d) {
      const DeviceDescription& description = driver->devices()[d];
      Device device{driver.get(), d, NodeId(static_cast<std::uint32_t>(machine.memory_nodes.size())), {}};
      const bool runs = description.streams > 0;
      machine.memory_nodes.push_back({runs ? detail::message(description.worker_class, d) : description.name, description.capacity});
      if (runs) {
        emulates_ |= driver->implementation() == WorkerKind::cpu;
        const ClassId worker_class = class_named(machine, description, device.node);
        device.worker = WorkerId(static_cast<std::uint32_t>(machine.workers.size()));
        Worker worker{device.worker, worker_class, device.node, -1, -1 - static_cast<int>(d), description.numa_domain};
        worker.power_domain = description.power_domain;
        machine.classes[worker_class.index()].workers.push_back(device.worker);
        machine.workers.push_back(worker);
      }
      if (description.host_memory) {
        has_host_memories_ = true;
        settle_workers(machine, description, device.node);
      }
      devices_.push_back(device);
    }
  }
  limit_memories(config.memory, machine);
  if (machine.memory_nodes[0].capacity != host) host_limit_ = machine.memory_nodes[0].capacity;
  if (!config.spill.empty() && host_limit_ == Bytes(0)) {
    if (host == Bytes(0)) throw ConfigError("MITRA_SPILL: the size of the host's memory is not known; say how much of it Mitra may take: MITRA_MEMORY=host=64GB");
    std::uint64_t apart = 0;  // in nodes of its own
    for (const Device& device : devices_)
      if (device.is_host_memory()) apart += device.description().capacity.value;
    host_limit_ = machine.memory_nodes[0].capacity = Bytes((host.value - std::min(apart, host.value / 2)) / 5 * kHostShare);
  }
  of_node_.assign(machine.memory_nodes.size(), -1);
  for (std::size_t i = 0; i < devices_.size(); ++i) of_node_[devices_[i].node.index()] = static_cast<int>(i);
}

}  // namespace mitra::engine
