// Flow: machine description -> [machine writer] -> TOML. Thread-safety: immutable code.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <mitra/machine_file.hpp>

#include "model/machine_links.hpp"
#include "model/machine_units.hpp"

namespace mitra {

namespace {

using model::Dimension;

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out + "\"";
}

std::string key_of(std::string_view name) {
  const bool bare = !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                                         std::string_view::npos;
  return bare ? std::string(name) : in_quotes(name);
}

/// A number that TOML takes for a floating-point one.
std::string real(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Writer {
 public:
  explicit Writer(const MachineDescription& machine) : m_(machine) {
    for (const ValueOrigin& origin : machine.origins) origins_.emplace(origin.key, &origin);
  }

  std::string write() {
    line("name", in_quotes(m_.name));
    if (!m_.summary.empty()) line("summary", in_quotes(m_.summary));
    if (m_.compute_nodes != 1) value("", "compute_nodes", std::to_string(m_.compute_nodes));
    if (m_.submission_overhead > Seconds()) quantity("", "submission_overhead", m_.submission_overhead.value, Dimension::time);
    memories();
    for (const WorkerClassDescription& c : m_.classes) worker_class(c);
    power();
    links();
    kernels();
    return std::move(text_);
  }

 private:
  void line(std::string_view key, std::string_view value) { text_ += fmt::format("{} = {}\n", key_of(key), value); }
  void header(const std::string& name) { text_ += fmt::format("\n{}\n", name); }

  /// `text`, with the origin of `path`.`key` if one is known.
  void value(const std::string& path, std::string_view key, const std::string& text) {
    line(key, with_origin(path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), text));
  }
  std::string with_origin(const std::string& path, const std::string& text) const {
    const auto found = origins_.find(path);
    if (found == origins_.end()) return text;
    const ValueOrigin& origin = *found->second;
    std::string about;
    if (!origin.source.empty()) about += ", source = " + in_quotes(origin.source);
    if (origin.assumption) about += ", assumption = true";
    if (!origin.note.empty()) about += ", note = " + in_quotes(origin.note);
    return about.empty() ? text : fmt::format("{{ value = {}{} }}", text, about);
  }
  /// What the file stated stays stated, also where it is the default.
  bool has_origin(const std::string& path, std::string_view key) const { return origins_.contains(fmt::format("{}.{}", path, key)); }
  void quantity(const std::string& path, std::string_view key, double number, Dimension dimension) {
    value(path, key, in_quotes(model::format_quantity(number, dimension)));
  }
  void known_quantity(const std::string& path, std::string_view key, double number, Dimension dimension) {
    if (number != 0.0 || has_origin(path, key)) quantity(path, key, number, dimension);
  }
  void count(const std::string& path, std::string_view key, unsigned number, unsigned usual) {
    if (number != usual || has_origin(path, key)) value(path, key, std::to_string(number));
  }

  /// Names of the file's own are those of compute node 0 without its mark.
  std::string plain(const std::string& name) const {
    return m_.compute_nodes > 1 && name.starts_with("n0.") ? name.substr(3) : name;
  }

  void memories();
  void worker_class(const WorkerClassDescription& c);
  void worker_power(const std::string& path, const WorkerPower& p);
  void power();
  void links();
  void route(const std::string& from, const std::string& to, const Route& way);
  void kernels();

  const MachineDescription& m_;
  std::map<std::string, const ValueOrigin*> origins_;
  std::string text_;
};

void Writer::memories() {
  for (std::uint32_t i = 0; i < m_.memories_per_node;) {
    const MemoryDescription& memory = m_.memories[i];
    std::uint32_t end = i + 1;
    while (end < m_.memories_per_node && m_.memories[end].group == memory.group) ++end;
    const std::string path = "memory." + memory.group;
    header(fmt::format("[memory.{}]", key_of(memory.group)));
    count(path, "count", end - i, 1);
    known_quantity(path, "capacity", static_cast<double>(memory.capacity.value), Dimension::bytes);
    known_quantity(path, "bandwidth", memory.bandwidth, Dimension::byte_rate);
    known_quantity(path, "idle", memory.idle.value, Dimension::power);
    known_quantity(path, "energy", memory.joules_per_byte, Dimension::energy_per_byte);
    i = end;
  }
}

void Writer::worker_power(const std::string& path, const WorkerPower& p) {
  quantity(path, "idle", p.idle.value, Dimension::power);
  quantity(path, "static", p.static_power.value, Dimension::power);
  for (std::size_t i = 0; i < kPrecisions; ++i)
    quantity(path, to_string(static_cast<Precision>(i)), p.dynamic[i].value, Dimension::power);
  quantity(path, "stream", p.stream.value, Dimension::power);
  value(path, "v0", real(p.v0));
  value(path, "v1", real(p.v1));
  value(path, "v_min", real(p.v_min));
  known_quantity(path, "clock_max", p.clock_max, Dimension::frequency);
  known_quantity(path, "clock_min", p.clock_min, Dimension::frequency);
  known_quantity(path, "cap", p.cap.value, Dimension::power);
  known_quantity(path, "cap_min", p.cap_min.value, Dimension::power);
  known_quantity(path, "cap_max", p.cap_max.value, Dimension::power);
  known_quantity(path, "cap_settle", p.cap_settle.value, Dimension::time);
  known_quantity(path, "clock_switch", p.clock_switch.value, Dimension::time);
}

void Writer::worker_class(const WorkerClassDescription& c) {
  const std::string path = "class." + c.name, table = "class." + key_of(c.name);
  // The file counts all cores, the description those that are left beside the drivers of GPUs.
  unsigned cores = c.count;
  const auto single = std::ranges::find_if(
      m_.classes, [](const WorkerClassDescription& each) { return each.kind == WorkerKind::cpu && each.cores == 1; });
  if (single != m_.classes.end() && &*single == &c)
    for (const WorkerClassDescription& other : m_.classes)
      if (other.driver_core) cores += other.count;
  header(fmt::format("[{}]", table));
  line("kind", in_quotes(to_string(c.kind)));
  value(path, "count", std::to_string(cores));
  count(path, "cores", c.cores, 1);
  if (c.team_efficiency < 1.0) value(path, "team_efficiency", real(c.team_efficiency));
  count(path, "l3_domains", c.l3_domains, 1);
  line("memory", in_quotes(c.memory));
  known_quantity(path, "kernel_overhead", c.kernel_overhead.value, Dimension::time);
  known_quantity(path, "task_overhead", c.task_overhead.value, Dimension::time);
  known_quantity(path, "bandwidth", c.bandwidth, Dimension::byte_rate);
  count(path, "streams", c.streams, 1);
  count(path, "pipeline", c.pipeline, c.streams);
  count(path, "copy_engines", c.copy_engines, 1);
  if (c.driver_core) line("driver_core", "true");
  if (c.can_abort) line("can_abort", "true");

  const bool has_peak = std::ranges::any_of(c.peak, [](double peak) { return peak > 0.0; });
  if (has_peak) {
    header(fmt::format("[{}.peak]", table));
    for (std::size_t p = 0; p < kPrecisions; ++p)
      known_quantity(path + ".peak", to_string(static_cast<Precision>(p)), c.peak[p], Dimension::flop_rate);
    header(fmt::format("[{}.efficiency]", table));
    for (std::size_t p = 0; p < kPrecisions; ++p)
      if (c.efficiency[p] > 0.0) value(path + ".efficiency", to_string(static_cast<Precision>(p)), real(c.efficiency[p]));
  }
  if (c.power.known) {
    header(fmt::format("[{}.power]", table));
    worker_power(path + ".power", c.power);
  }
}

void Writer::power() {
  if (m_.power_conversion != 1.0 || !m_.components.empty()) header("[power]");
  if (m_.power_conversion != 1.0) value("power", "conversion", real(m_.power_conversion));
  if (!m_.components.empty()) header("[power.constant]");
  for (const PowerComponent& component : m_.components)
    quantity("power.constant", component.name, component.power.value, Dimension::power);
  for (std::uint32_t c = 0; c < m_.classes.size(); ++c) {
    bool first = true;
    for (const RelativeRate& rate : m_.rates) {
      if (rate.worker_class != ClassId(c)) continue;
      if (std::exchange(first, false)) header(fmt::format("[rates.{}]", key_of(m_.classes[c].name)));
      value("rates." + m_.classes[c].name, rate.codelet, real(rate.rate));
    }
  }
}

void Writer::route(const std::string& from, const std::string& to, const Route& way) {
  header("[[route]]");
  line("from", in_quotes(from));
  line("to", in_quotes(to));
  std::string names;
  for (const std::uint32_t link : way.links) names += fmt::format("{}{}", names.empty() ? "" : ", ", in_quotes(plain(m_.links[link].name)));
  line("links", fmt::format("[{}]", names));
  line("latency", in_quotes(model::format_quantity(way.latency.value, Dimension::time)));
}

void Writer::links() {
  for (std::uint32_t i = 0; i < m_.links_per_node; ++i) {
    const LinkDescription& link = m_.links[i];
    const std::string name = plain(link.name);
    // An expanded link is called "TEMPLATE FROM>TO"; where its values come from is said of the template.
    std::string path = "link." + name;
    if (!origins_.contains(path + ".bandwidth")) path = "link." + name.substr(0, name.rfind(' '));
    header("[[link]]");
    line("name", in_quotes(name));
    quantity(path, "bandwidth", link.bandwidth, Dimension::byte_rate);
    known_quantity(path, "energy", link.joules_per_byte, Dimension::energy_per_byte);
  }
  const std::uint32_t memories = m_.memories_per_node;
  for (std::uint32_t a = 0; a < memories; ++a)
    for (std::uint32_t b = 0; b < memories; ++b)
      if (a != b) route(plain(m_.memories[a].name), plain(m_.memories[b].name), m_.local_routes[a * memories + b]);
  if (m_.compute_nodes == 1) return;
  for (std::uint32_t a = 0; a < memories; ++a) {
    route(plain(m_.memories[a].name), model::kNetwork, m_.to_network[a]);
    route(model::kNetwork, plain(m_.memories[a].name), m_.from_network[a]);
  }
}

void Writer::kernels() {
  for (const KernelTiming& kernel : m_.kernels) {
    const std::string& name = m_.classes[kernel.worker_class.index()].name;
    std::string shapes;
    for (const std::string& shape : kernel.shapes) shapes += fmt::format("{}{}", shapes.empty() ? "" : ", ", in_quotes(shape));
    const std::string path = fmt::format("kernel.{}.{}.{}", kernel.codelet, fmt::join(kernel.shapes, "+"), to_string(kernel.precision));
    header("[[kernel]]");
    line("codelet", in_quotes(kernel.codelet));
    line("shape", kernel.shapes.size() == 1 ? shapes : fmt::format("[{}]", shapes));
    line("precision", in_quotes(to_string(kernel.precision)));
    line("time", fmt::format("{{ {} = {} }}", key_of(name),
                             with_origin(path + ".time." + name, in_quotes(model::format_quantity(kernel.seconds.value, Dimension::time)))));
    if (kernel.spread > 0.0) line("spread", real(kernel.spread));
    known_quantity(path, "flops", kernel.flops, Dimension::flops);
  }
}

}  // namespace

std::string write_machine_file(const MachineDescription& description) { return Writer(description).write(); }

}  // namespace mitra
