#include "engine/devices/device_set.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <mitra/emu_driver.hpp>
#include <mitra/error.hpp>
#include <mitra/hip_driver.hpp>
#include <mitra/numa_driver.hpp>
#include <mitra/spill_driver.hpp>

#include "model/machine_units.hpp"

namespace mitra::engine {

namespace {

using model::Dimension;

constexpr std::uint64_t kHostShare = 4;  // fifths of the host's memory that data may take before they go to the spill directory
constexpr std::size_t kLargest = 64;  // DeviceWorkers has a bit for each

/// Splits "a=b,c=d"; calls f(key, value) for each.
template <class F>
void for_each_setting(std::string_view text, F&& f) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    f(item.substr(0, equals), equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
}

double quantity(std::string_view variable, std::string_view key, std::string_view value, Dimension dimension) {
  const auto found = model::parse_quantity(value, dimension);
  if (!found) throw ConfigError(detail::message(variable, ": ", key, "=", value, ": ", model::describe(dimension), " is expected"));
  return *found;
}

template <class Number>
Number number(std::string_view variable, std::string_view key, std::string_view value) {
  Number result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc{} || end != value.data() + value.size())
    throw ConfigError(detail::message(variable, ": ", key, "=", value, ": a number is expected"));
  return result;
}

/// "DEVICE@CALL"
EmuOptions::Fault fault(std::string_view key, std::string_view value, DeviceStatus status) {
  const std::size_t at = value.find('@');
  if (at == std::string_view::npos) throw ConfigError(detail::message("MITRA_EMU: ", key, "=", value, ": DEVICE@CALL is expected, 0@100 for instance"));
  return {number<unsigned>("MITRA_EMU", key, value.substr(0, at)), number<std::uint64_t>("MITRA_EMU", key, value.substr(at + 1)), status};
}

/// "4", "4:mem=256MB,bw=8GB/s,speed=20"
EmuOptions parse_emu(std::string_view text, const Machine& machine) {
  EmuOptions options;
  options.processors = static_cast<unsigned>(std::max(1, machine.processors));
  const std::size_t colon = std::min(text.find(':'), text.size());
  options.devices = number<unsigned>("MITRA_EMU", "devices", text.substr(0, colon));
  bool peer = false;
  for_each_setting(text.substr(std::min(colon + 1, text.size())), [&](std::string_view key, std::string_view value) {
    if (key == "mem") {
      options.memory = Bytes(static_cast<std::uint64_t>(quantity("MITRA_EMU", key, value, Dimension::bytes)));
    } else if (key == "bw") {
      options.bandwidth = quantity("MITRA_EMU", key, value, Dimension::byte_rate);
    } else if (key == "peer") {
      options.peer_bandwidth = value == "0" ? 0.0 : quantity("MITRA_EMU", key, value, Dimension::byte_rate);
      peer = true;
    } else if (key == "latency") {
      options.latency = Seconds(quantity("MITRA_EMU", key, value, Dimension::time));
    } else if (key == "speed") {
      options.speed = number<double>("MITRA_EMU", key, value);
    } else if (key == "streams") {
      options.streams = number<unsigned>("MITRA_EMU", key, value);
    } else if (key == "pipeline") {
      options.pipeline = number<unsigned>("MITRA_EMU", key, value);
    } else if (key == "seed") {
      options.seed = number<std::uint64_t>("MITRA_EMU", key, value);
    } else if (key == "poison") {
      options.poison = number<unsigned>("MITRA_EMU", key, value) != 0;
    } else if (key == "lose") {
      options.faults.push_back(fault(key, value, DeviceStatus::lost));
    } else if (key == "fail") {
      options.faults.push_back(fault(key, value, DeviceStatus::failed));
    } else if (key == "oom") {
      options.faults.push_back(fault(key, value, DeviceStatus::out_of_memory));
    } else {
      throw ConfigError(detail::message("MITRA_EMU: unknown setting '", key, "' of emulated devices; known: mem, bw, peer, latency, speed, "
                                        "streams, pipeline, seed, poison, lose, fail, oom; 4:mem=256MB,bw=8GB/s,speed=20 for instance"));
    }
  });
  if (!peer) options.peer_bandwidth = options.bandwidth;
  for (const EmuOptions::Fault& f : options.faults)
    if (f.device >= options.devices)
      throw ConfigError(detail::message("MITRA_EMU: a fault of device ", f.device, ", of ", options.devices, " devices, counted from 0"));
  return options;
}

ClassId class_named(Machine& machine, const DeviceDescription& device, NodeId node) {
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c)
    if (machine.classes[c].name == device.worker_class) return ClassId(c);
  machine.classes.push_back({device.worker_class, WorkerKind::hip, node, {}});
  return ClassId(static_cast<std::uint32_t>(machine.classes.size() - 1));
}

/// "emu=64MB,emu1=32MB,host=2GB": by the name of a memory node, or by its worker class.
void limit_memories(std::string_view text, Machine& machine) {
  for_each_setting(text, [&](std::string_view key, std::string_view value) {
    const Bytes limit(static_cast<std::uint64_t>(quantity("MITRA_MEMORY", key, value, Dimension::bytes)));
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

DeviceSet::DeviceSet(const Config& config, Machine& machine) {
  if (config.hip != "auto" && config.hip != "on" && config.hip != "off")
    throw ConfigError(detail::message("MITRA_HIP=", config.hip, ": auto, on or off is expected"));
  const bool emulated = !config.emu.empty() && config.emu != "0";
  if (emulated && config.hip == "on")
    throw ConfigError("MITRA_HIP=on beside MITRA_EMU: GPUs and emulated devices do not go together, time passes at another speed");
  if (emulated)
    drivers_.push_back(make_emu_driver(parse_emu(config.emu, machine)));
  else if (config.hip != "off")
    drivers_.push_back(make_hip_driver());
  if (config.hip == "on" && drivers_[0]->devices().empty()) throw ConfigError(detail::message("MITRA_HIP=on: ", drivers_[0]->remark()));
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
