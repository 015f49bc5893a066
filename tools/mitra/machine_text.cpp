// Flow: machine file -> [machine text] -> output. Thread-safety: thread-safe.

#include "machine_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text.hpp"

namespace mitra::tool {
namespace {

/// "16.07 TB/s"; "-" where nothing is known.
std::string si(double value, const char* unit) {
  if (value == 0.0) return "-";
  constexpr std::array large{"", "k", "M", "G", "T", "P", "E"};
  constexpr std::array small{"", "m", "u", "n", "p"};
  std::size_t i = 0;
  if (value >= 1.0) {
    for (; value >= 999.95 && i + 1 < large.size(); ++i) value /= 1000;
    return fmt::format("{:.4g} {}{}", value, large[i], unit);
  }
  for (; value < 1.0 && i + 1 < small.size(); ++i) value *= 1000;
  return fmt::format("{:.4g} {}{}", value, small[i], unit);
}

std::string watts(Watts power, bool known = true) { return known ? fmt::format("{:.4g} W", power.value) : "-"; }

/// How often something occurs in one compute node: equal links and memories are one row.
struct Row {
  std::vector<std::string> cells;
  unsigned count = 1;
};

std::string counted(std::vector<std::string> headers, const std::vector<Row>& rows) {
  headers.insert(headers.begin() + 1, "count");
  Table table(std::move(headers));
  for (const Row& row : rows) {
    std::vector<std::string> cells = row.cells;
    cells.insert(cells.begin() + 1, std::to_string(row.count));
    table.row(std::move(cells));
  }
  return table.text();
}

void count_in(std::vector<Row>& rows, std::vector<std::string> cells) {
  const auto known = std::ranges::find(rows, cells, &Row::cells);
  if (known != rows.end()) ++known->count;
  else rows.push_back({std::move(cells), 1});
}

std::string classes_text(const MachineDescription& machine) {
  std::vector<std::string> headers{"class", "kind", "count", "memory"};
  std::array<bool, kPrecisions> used{};
  for (const WorkerClassDescription& c : machine.classes)
    for (std::size_t p = 0; p < kPrecisions; ++p) used[p] = used[p] || c.peak[p] > 0.0;
  for (std::size_t p = 0; p < kPrecisions; ++p)
    if (used[p]) headers.push_back(fmt::format("{} (share reached)", to_string(static_cast<Precision>(p))));
  headers.insert(headers.end(), {"overhead", "idle", "fp64 busy", "cap"});
  Table table(headers);
  for (const WorkerClassDescription& c : machine.classes) {
    std::vector<std::string> cells{c.name, to_string(c.kind), std::to_string(c.count), c.memory};
    for (std::size_t p = 0; p < kPrecisions; ++p)
      if (used[p]) cells.push_back(c.peak[p] > 0.0 ? fmt::format("{} ({:.3g})", si(c.peak[p], "FLOP/s"), c.efficiency[p]) : "-");
    const WorkerPower& power = c.power;
    cells.insert(cells.end(), {si(c.kernel_overhead.value, "s"), watts(power.idle, power.known),
                               watts(power.static_power + power.dynamic[0], power.known), watts(power.cap, power.cap > Watts())});
    table.row(std::move(cells));
  }
  std::string text = table.text();
  for (const WorkerClassDescription& c : machine.classes)
    if (c.driver_core) text += fmt::format("Each {} keeps a core busy, which is not counted.\n", c.name);
  return text;
}

std::string memories_text(const MachineDescription& machine) {
  std::vector<Row> rows;
  for (std::uint32_t m = 0; m < machine.memories_per_node; ++m) {
    const MemoryDescription& memory = machine.memories[m];
    count_in(rows, {memory.group, memory.capacity.value == 0 ? "no limit" : si(static_cast<double>(memory.capacity.value), "B"),
                    si(memory.bandwidth, "B/s"), si(memory.joules_per_byte, "J/B"), watts(memory.idle, memory.idle > Watts())});
  }
  return counted({"memory", "capacity", "bandwidth", "energy", "idle"}, rows);
}

std::string links_text(const MachineDescription& machine) {
  std::vector<Row> rows;
  for (std::uint32_t l = 0; l < machine.links_per_node; ++l) {
    const LinkDescription& link = machine.links[l];
    std::string name = link.name;
    if (machine.compute_nodes > 1 && name.starts_with("n0.")) name.erase(0, 3);
    name.erase(std::min(name.rfind(' '), name.size()));  // "TEMPLATE FROM>TO"
    count_in(rows, {name, si(link.bandwidth, "B/s"), si(link.joules_per_byte, "J/B")});
  }
  if (rows.empty()) return "";
  return fmt::format("\n{}", counted({"link", "bandwidth", "energy"}, rows));
}

/// The ways between the memories of a node, where they are few enough to be read.
std::string routes_text(const MachineDescription& machine) {
  const std::uint32_t memories = machine.memories_per_node;
  if (memories < 2 || memories > 6) return "";
  Table table({"from", "to", "bandwidth", "latency", "links"});
  for (std::uint32_t a = 0; a < memories; ++a)
    for (std::uint32_t b = 0; b < memories; ++b) {
      if (a == b) continue;
      const Route& route = machine.local_routes[a * memories + b];
      double bandwidth = 0.0;
      std::vector<std::string> links;
      for (const std::uint32_t l : route.links) {
        bandwidth = bandwidth == 0.0 ? machine.links[l].bandwidth : std::min(bandwidth, machine.links[l].bandwidth);
        links.push_back(machine.links[l].name);
      }
      table.row({machine.memories[a].name, machine.memories[b].name, si(bandwidth, "B/s"), si(route.latency.value, "s"), join(links)});
    }
  return fmt::format("\n{}", table.text());
}

std::string power_text(const MachineDescription& machine) {
  std::string text;
  for (const PowerComponent& component : machine.components)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", component.name, watts(component.power));
  const bool known = std::ranges::any_of(machine.classes, [](const auto& c) { return c.power.known; });
  if (!known && text.empty()) return "";
  double idle = 0.0;
  for (const WorkerClassDescription& c : machine.classes) idle += c.count * c.power.idle.value;
  for (std::uint32_t m = 0; m < machine.memories_per_node; ++m) idle += machine.memories[m].idle.value;
  for (const PowerComponent& component : machine.components) idle += component.power.value;
  return fmt::format("\npower: constant {}; conversion {}; an idle node draws {:.4g} W\n", text.empty() ? "none" : text,
                     machine.power_conversion, idle / machine.power_conversion);
}

std::string kernels_text(const MachineDescription& machine) {
  std::string text;
  if (!machine.kernels.empty()) {
    Table table({"kernel", "shape", "precision", "class", "time", "spread"});
    for (const KernelTiming& kernel : machine.kernels)
      table.row({kernel.codelet, fmt::format("{}", fmt::join(kernel.shapes, " ")), to_string(kernel.precision),
                 machine.classes[kernel.worker_class.index()].name, si(kernel.seconds.value, "s"),
                 kernel.spread > 0.0 ? fmt::format("{:.2g}", kernel.spread) : "-"});
    text += fmt::format("\n{}", table.text());
  }
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c) {
    std::vector<std::string> rates;
    for (const RelativeRate& rate : machine.rates)
      if (rate.worker_class == ClassId(c)) rates.push_back(fmt::format("{} {:.3g}", rate.codelet, rate.rate));
    if (!rates.empty()) text += fmt::format("\nrates of {}, gemm = 1: {}\n", machine.classes[c].name, join(rates));
  }
  return text;
}

std::string origins_text(const MachineDescription& machine, bool all) {
  const auto assumed = std::ranges::count_if(machine.origins, &ValueOrigin::assumption);
  const auto silent = std::ranges::count_if(machine.origins, [](const ValueOrigin& o) { return o.source.empty() && !o.assumption; });
  std::string text = fmt::format("\n{} values, of which {} are assumptions, and of {} the file does not say where they come from\n",
                                 machine.origins.size(), assumed, silent);
  Table table({"value", "", "", "source or reason"});
  for (const ValueOrigin& origin : machine.origins) {
    if (!all && !origin.assumption) continue;
    const bool both = !origin.source.empty() && !origin.note.empty();
    const std::string why = both ? fmt::format("{} ({})", origin.source, origin.note) : origin.source.empty() ? origin.note : origin.source;
    table.row({origin.key, origin.value, origin.assumption ? "assumed" : "", why});
  }
  if (all || assumed > 0) text += fmt::format("\n{}", table.text());
  return text;
}

Json known(double value) { return value == 0.0 ? Json() : Json(value); }

Json by_precision(const std::array<double, kPrecisions>& values) {
  Json object = Json::object({});
  for (std::size_t p = 0; p < kPrecisions; ++p) object.set(to_string(static_cast<Precision>(p)), known(values[p]));
  return object;
}

Json power_json(const WorkerPower& power) {
  if (!power.known) return {};
  std::array<double, kPrecisions> dynamic{};
  for (std::size_t p = 0; p < kPrecisions; ++p) dynamic[p] = power.dynamic[p].value;
  return Json::object({{"idle_w", power.idle.value},
                       {"static_w", power.static_power.value},
                       {"dynamic_w", by_precision(dynamic)},
                       {"stream_w", power.stream.value},
                       {"voltage", Json::object({{"v0", power.v0}, {"v1", power.v1}, {"v_min", power.v_min}})},
                       {"clock_max_hz", known(power.clock_max)},
                       {"clock_min_hz", known(power.clock_min)},
                       {"cap_w", known(power.cap.value)},
                       {"cap_min_w", known(power.cap_min.value)},
                       {"cap_max_w", known(power.cap_max.value)},
                       {"cap_settle_s", power.cap_settle.value},
                       {"clock_switch_s", power.clock_switch.value}});
}

Json class_json(const WorkerClassDescription& c) {
  return Json::object({{"name", c.name},
                       {"kind", to_string(c.kind)},
                       {"count", c.count},
                       {"cores", c.cores},
                       {"l3_domains", c.l3_domains},
                       {"memory", c.memory},
                       {"peak_flops_per_s", by_precision(c.peak)},
                       {"efficiency", by_precision(c.efficiency)},
                       {"kernel_overhead_s", c.kernel_overhead.value},
                       {"task_overhead_s", c.task_overhead.value},
                       {"bandwidth_bytes_per_s", known(c.bandwidth)},
                       {"streams", c.streams},
                       {"pipeline", c.pipeline},
                       {"copy_engines", c.copy_engines},
                       {"driver_core", c.driver_core},
                       {"can_abort", c.can_abort},
                       {"power", power_json(c.power)}});
}

Json routes_json(const MachineDescription& machine) {
  Json routes = Json::array();
  const std::uint32_t memories = machine.memories_per_node;
  for (std::uint32_t a = 0; a < memories; ++a)
    for (std::uint32_t b = 0; b < memories; ++b) {
      if (a == b) continue;
      const Route& route = machine.local_routes[a * memories + b];
      Json links = Json::array();
      for (const std::uint32_t l : route.links) links.push(machine.links[l].name);
      routes.push(Json::object({{"from", a}, {"to", b}, {"links", links}, {"latency_s", route.latency.value}}));
    }
  return routes;
}

}  // namespace

std::string describe(const MachineDescription& machine, bool all_origins) {
  std::size_t workers = 0;
  for (const WorkerClassDescription& c : machine.classes) workers += c.count;
  std::string text = fmt::format("{}{}{}\n", machine.name, machine.summary.empty() ? "" : ": ", machine.summary);
  if (machine.compute_nodes > 1)
    text += fmt::format("{} compute nodes, {} workers in all; what follows is one node\n", machine.compute_nodes,
                        workers * machine.compute_nodes);
  text += fmt::format("\n{}\n{}", classes_text(machine), memories_text(machine));
  text += links_text(machine) + routes_text(machine) + power_text(machine) + kernels_text(machine);
  return text + origins_text(machine, all_origins);
}

Json to_json(const MachineDescription& machine, bool all_origins) {
  std::size_t workers = 0;
  Json classes = Json::array(), memories = Json::array(), links = Json::array(), kernels = Json::array(), rates = Json::array(),
       constant = Json::object({}), origins = Json::array();
  for (const WorkerClassDescription& c : machine.classes) {
    workers += c.count;
    classes.push(class_json(c));
  }
  for (const MemoryDescription& memory : machine.memories)
    memories.push(Json::object({{"name", memory.name},
                                {"compute_node", memory.compute_node},
                                {"capacity_bytes", memory.capacity.value == 0 ? Json() : Json(memory.capacity.value)},
                                {"bandwidth_bytes_per_s", known(memory.bandwidth)},
                                {"idle_w", memory.idle.value},
                                {"joules_per_byte", memory.joules_per_byte}}));
  for (const LinkDescription& link : machine.links)
    links.push(Json::object({{"name", link.name}, {"bandwidth_bytes_per_s", link.bandwidth}, {"joules_per_byte", link.joules_per_byte}}));
  for (const KernelTiming& kernel : machine.kernels) {
    Json shapes = Json::array();
    for (const std::string& shape : kernel.shapes) shapes.push(shape);
    kernels.push(Json::object({{"codelet", kernel.codelet},
                               {"shapes", shapes},
                               {"precision", to_string(kernel.precision)},
                               {"class", machine.classes[kernel.worker_class.index()].name},
                               {"seconds", kernel.seconds.value},
                               {"spread", known(kernel.spread)}}));
  }
  for (const RelativeRate& rate : machine.rates)
    rates.push(Json::object(
        {{"codelet", rate.codelet}, {"class", machine.classes[rate.worker_class.index()].name}, {"rate", rate.rate}}));
  for (const PowerComponent& component : machine.components) constant.set(component.name, component.power.value);
  for (const ValueOrigin& origin : machine.origins)
    if (all_origins || origin.assumption)
      origins.push(Json::object({{"key", origin.key},
                                 {"value", origin.value},
                                 {"source", origin.source.empty() ? Json() : Json(origin.source)},
                                 {"assumption", origin.assumption},
                                 {"note", origin.note.empty() ? Json() : Json(origin.note)}}));
  return Json::object({{"name", machine.name},
                       {"summary", machine.summary},
                       {"compute_nodes", machine.compute_nodes},
                       {"worker_count", workers * machine.compute_nodes},
                       {"classes", classes},
                       {"memory_nodes", memories},
                       {"links", links},
                       {"routes", routes_json(machine)},
                       {"kernels", kernels},
                       {"rates", rates},
                       {"power", Json::object({{"conversion", machine.power_conversion}, {"constant_w", constant}})},
                       {"submission_overhead_s", machine.submission_overhead.value},
                       {all_origins ? "sources" : "assumptions", origins}});
}

}  // namespace mitra::tool
