#include "model/machine_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/machine_links.hpp"
#include "model/machine_section.hpp"

namespace mitra::model {

namespace {

// Limits that keep a slip of the pen from filling the memory.
constexpr unsigned kMaxComputeNodes = 65536, kMaxWorkers = 65536, kMaxMemories = 256;
constexpr std::size_t kMaxAllWorkers = 4'000'000, kMaxAllMemories = 1'000'000;

class Reader {
 public:
  Reader(const DocumentNode& root, const std::string& name) : root_(root, "", &machine_.origins) { machine_.name = name; }

  MachineDescription read();

 private:
  void read_memory(const DocumentNode& node);
  void read_class(const DocumentNode& node);
  void read_power(Section power, WorkerClassDescription& into);
  void subtract_driver_cores(const DocumentNode& classes);
  void complete_teams();
  void read_kernel(const DocumentNode& node);
  void read_rates(const DocumentNode& node);
  void read_constant_power(Section power);
  ClassId class_named(const DocumentNode& where, const std::string& name) const;
  void by_precision(std::optional<Section> section, const std::function<double(Section&, const char*)>& read,
                    std::array<double, kPrecisions>& into);

  MachineDescription machine_;
  Section root_;
  std::vector<MemoryGroup> groups_;
};

void Reader::by_precision(std::optional<Section> section, const std::function<double(Section&, const char*)>& read,
                          std::array<double, kPrecisions>& into) {
  if (!section) return;
  for (std::size_t p = 0; p < kPrecisions; ++p) into[p] = read(*section, to_string(static_cast<Precision>(p)));
  section->finish();
}

void Reader::read_memory(const DocumentNode& node) {
  if (node.key == kNetwork) fail_at(node, "a memory cannot be named 'network': [[link]]s mean the network by it");
  Section keys(node, "memory." + node.key, &machine_.origins);
  MemoryGroup group{node.key, static_cast<std::uint32_t>(machine_.memories.size()), keys.count("count", 1, kMaxMemories, 1),
                    keys.count("package", 1, kMaxMemories, 1)};
  MemoryDescription memory;
  memory.group = node.key;
  const double capacity = keys.quantity("capacity", Dimension::bytes, 0.0);
  if (capacity > 0x1p62 || (capacity > 0.0 && capacity < 1.0))
    fail_at(*keys.find("capacity"), fmt::format("{}.capacity: expected 1 B to 4 EB", keys.path()));
  memory.capacity = Bytes(static_cast<std::uint64_t>(std::llround(capacity)));
  memory.bandwidth = keys.quantity("bandwidth", Dimension::byte_rate, 0.0);
  memory.idle = Watts(keys.quantity("idle", Dimension::power, 0.0, true));
  memory.joules_per_byte = keys.quantity("energy", Dimension::energy_per_byte, 0.0, true);
  keys.finish();
  if (group.count % group.package != 0)
    fail_at(node, fmt::format("{}: {} instances do not fill packages of {}", keys.path(), group.count, group.package));
  if (machine_.memories.size() + group.count > kMaxMemories)
    fail_at(node, fmt::format("more than {} memories in one compute node", kMaxMemories));
  for (std::uint32_t i = 0; i < group.count; ++i) {
    memory.name = instance_name(group, i);
    for (const MemoryDescription& other : machine_.memories)
      if (other.name == memory.name || other.group == memory.name)
        fail_at(node, fmt::format("two memories are named '{}'; rename one of the groups", memory.name));
    machine_.memories.push_back(memory);
  }
  groups_.push_back(group);
}

void Reader::read_power(Section keys, WorkerClassDescription& into) {
  WorkerPower& power = into.power;
  power.known = true;
  const auto watts = [&](const char* key, Watts otherwise) {
    return Watts(keys.quantity(key, Dimension::power, otherwise.value, true));
  };
  power.idle = watts("idle", Watts());
  power.static_power = watts("static", power.idle);
  // A precision of which the file says nothing draws what the next wider one draws: unknown is not zero.
  Watts wider;
  if (keys.find("fp64") == nullptr && keys.find("fp32") != nullptr) wider = watts("fp32", Watts());
  for (std::size_t p = 0; p < kPrecisions; ++p) {
    const char* name = to_string(static_cast<Precision>(p));
    const bool read_already = p == 1 && keys.find("fp64") == nullptr;
    if (!read_already) wider = watts(name, wider);
    power.dynamic[p] = wider;
  }
  power.stream = watts("stream", power.dynamic[0]);
  power.v0 = keys.ratio("v0", -10.0, 10.0, 1.0);
  power.v1 = keys.ratio("v1", 0.0, 10.0, 0.0);
  power.v_min = keys.ratio("v_min", 0.0, 10.0, 0.0);
  power.clock_max = keys.quantity("clock_max", Dimension::frequency, 0.0);
  power.clock_min = keys.quantity("clock_min", Dimension::frequency, 0.0);
  power.cap = Watts(keys.quantity("cap", Dimension::power, 0.0));
  power.cap_min = Watts(keys.quantity("cap_min", Dimension::power, 0.0));
  power.cap_max = Watts(keys.quantity("cap_max", Dimension::power, 0.0));
  power.cap_settle = Seconds(keys.quantity("cap_settle", Dimension::time, 0.0, true));
  power.clock_switch = Seconds(keys.quantity("clock_switch", Dimension::time, 0.0, true));
  keys.finish();

  const auto wrong = [&](const char* key, const std::string& what) {
    fail_at(*keys.find(key), fmt::format("{}.{}", keys.path(), what));
  };
  if (power.clock_min > 0.0 && power.clock_max == 0.0) wrong("clock_min", "clock_min without clock_max; expected both");
  if (power.clock_min > power.clock_max) wrong("clock_min", "clock_min is above clock_max");
  if (std::max(power.v_min, power.v0 + power.v1) <= 0.0) wrong("v0", "v0 + v1 is the voltage at full clock; expected more than 0");
  if (power.cap_max > Watts() && power.cap_min > power.cap_max) wrong("cap_min", "cap_min is above cap_max");
  if (power.cap > Watts() && power.cap < power.cap_min) wrong("cap", "cap is below cap_min");
  if (power.cap_max > Watts() && power.cap > power.cap_max) wrong("cap", "cap is above cap_max");
}

void Reader::read_class(const DocumentNode& node) {
  Section keys(node, "class." + node.key, &machine_.origins);
  WorkerClassDescription c;
  c.name = node.key;
  keys.require("kind", "kind = \"cpu\"");
  keys.require("count", "count = 64");
  keys.require("memory", fmt::format("memory = \"{}\"", groups_.front().name));
  c.kind = static_cast<WorkerKind>(keys.word("kind", {"cpu", "hip"}, 0));
  c.count = keys.count("count", 1, kMaxWorkers, 0);
  c.cores = keys.count("cores", 1, kMaxWorkers, 1);
  c.team_efficiency = keys.ratio("team_efficiency", 1e-9, 1.0, 1.0);
  c.l3_domains = keys.count("l3_domains", 1, c.count, 1);
  c.memory = keys.text("memory", "");
  std::vector<std::string> known;
  for (const MemoryGroup& group : groups_) known.push_back(group.name);
  for (const MemoryDescription& memory : machine_.memories)
    if (std::ranges::find(known, memory.name) == known.end()) known.push_back(memory.name);
  if (std::ranges::find(known, c.memory) == known.end())
    fail_at(*keys.find("memory"), fmt::format("there is no memory '{}'{}; known: {}", c.memory.substr(0, 60),
                                              suggestion(c.memory, known), fmt::join(known, ", ")));
  c.kernel_overhead = Seconds(keys.quantity("kernel_overhead", Dimension::time, 0.0, true));
  c.task_overhead = Seconds(keys.quantity("task_overhead", Dimension::time, 0.0, true));
  c.bandwidth = keys.quantity("bandwidth", Dimension::byte_rate, 0.0);
  c.streams = keys.count("streams", 1, 1024, 1);
  c.pipeline = keys.count("pipeline", 1, 1024, c.streams);
  c.copy_engines = keys.count("copy_engines", 1, 1024, 1);
  c.driver_core = keys.flag("driver_core", false);
  c.can_abort = keys.flag("can_abort", false);
  by_precision(keys.section("peak"),
               [](Section& s, const char* p) { return s.quantity(p, Dimension::flop_rate, 0.0); }, c.peak);
  by_precision(keys.section("efficiency"), [](Section& s, const char* p) { return s.ratio(p, 1e-9, 1.0, 0.0); }, c.efficiency);
  for (std::size_t p = 0; p < kPrecisions; ++p) {
    const char* name = to_string(static_cast<Precision>(p));
    if (c.efficiency[p] > 0.0 && c.peak[p] == 0.0)
      fail_at(*keys.find("efficiency"), fmt::format("{}.efficiency.{} without a peak; expected {}.peak.{}", keys.path(), name, keys.path(), name));
    if (c.peak[p] > 0.0 && c.efficiency[p] == 0.0) c.efficiency[p] = 1.0;
  }
  if (std::optional<Section> power = keys.section("power")) read_power(*power, c);
  keys.finish();
  if (c.pipeline < c.streams)
    fail_at(*keys.find("pipeline"), fmt::format("{}.pipeline is below streams; a worker holds at least the tasks that it runs", keys.path()));
  if (c.driver_core && c.kind == WorkerKind::cpu)
    fail_at(*keys.find("driver_core"), fmt::format("{}.driver_core: a class of cores needs no core that drives it", keys.path()));
  machine_.classes.push_back(std::move(c));
}

/// Cores that drive GPUs run nothing else: they are taken from the first class of single cores.
void Reader::subtract_driver_cores(const DocumentNode& classes) {
  unsigned drivers = 0;
  for (const WorkerClassDescription& c : machine_.classes)
    if (c.driver_core) drivers += c.count;
  const auto single = std::ranges::find_if(
      machine_.classes, [](const WorkerClassDescription& c) { return c.kind == WorkerKind::cpu && c.cores == 1; });
  const auto cpus = single != machine_.classes.end()
                        ? single
                        : std::ranges::find(machine_.classes, WorkerKind::cpu, &WorkerClassDescription::kind);
  if (drivers == 0 || cpus == machine_.classes.end()) return;
  if (cpus->cores > 1)
    fail_at(*classes.find(cpus->name), fmt::format("class.{} has workers of {} cores, and {} single cores drive GPUs; expected "
                                                   "driver_core = false, and a count without those cores", cpus->name, cpus->cores, drivers));
  if (cpus->count <= drivers)
    fail_at(*classes.find(cpus->name), fmt::format("class.{}: {} cores, of which {} drive GPUs: none is left; leave the class out, or "
                                                   "write driver_core = false", cpus->name, cpus->count, drivers));
  cpus->count -= drivers;
  if (cpus->l3_domains > cpus->count) cpus->l3_domains = cpus->count;
}

/// What is not said of a team follows from its cores, if the machine has such cores as workers, too.
void Reader::complete_teams() {
  const auto core = std::ranges::find_if(
      machine_.classes, [](const WorkerClassDescription& c) { return c.kind == WorkerKind::cpu && c.cores == 1; });
  if (core == machine_.classes.end()) return;
  for (WorkerClassDescription& team : machine_.classes) {
    if (team.cores == 1) continue;
    const double cores = team.cores;
    for (std::size_t p = 0; p < kPrecisions; ++p) {
      if (team.peak[p] > 0.0 || core->peak[p] == 0.0) continue;
      team.peak[p] = cores * core->peak[p];
      team.efficiency[p] = core->efficiency[p] * team.team_efficiency;
    }
    if (team.bandwidth == 0.0 && core->bandwidth > 0.0) {
      team.bandwidth = cores * core->bandwidth;
      for (const MemoryDescription& memory : machine_.memories)
        if ((memory.group == team.memory || memory.name == team.memory) && memory.bandwidth > 0.0)
          team.bandwidth = std::min(team.bandwidth, memory.bandwidth);
    }
    if (team.power.known || !core->power.known) continue;
    WorkerPower& power = team.power = core->power;
    for (Watts* watts : {&power.idle, &power.static_power, &power.stream, &power.cap, &power.cap_min, &power.cap_max}) *watts = *watts * cores;
    for (Watts& watts : power.dynamic) watts = watts * cores;
  }
}

ClassId Reader::class_named(const DocumentNode& where, const std::string& name) const {
  std::vector<std::string> known;
  for (std::uint32_t c = 0; c < machine_.classes.size(); ++c) {
    if (machine_.classes[c].name == name) return ClassId(c);
    known.push_back(machine_.classes[c].name);
  }
  fail_at(where, fmt::format("there is no class '{}'{}; known: {}", name.substr(0, 60), suggestion(name, known), fmt::join(known, ", ")));
}

void Reader::read_kernel(const DocumentNode& node) {
  Section first(node, "kernel", nullptr);
  first.require("codelet", "codelet = \"gemm\"");
  first.require("shape", "shape = \"960x960\"");
  first.require("time", "time = { cpu = \"173 ms\" }");
  KernelTiming kernel;
  kernel.codelet = first.text("codelet", "");
  kernel.shapes = first.texts("shape");
  kernel.precision = static_cast<Precision>(first.word("precision", {"fp64", "fp32", "bf16", "fp8", "fp4"}, 0));

  Section keys(node, fmt::format("kernel.{}.{}.{}", kernel.codelet, fmt::join(kernel.shapes, "+"), to_string(kernel.precision)),
               &machine_.origins);
  for (const char* key : {"codelet", "shape", "precision"}) keys.find(key);
  if (kernel.shapes.empty()) fail_at(*keys.find("shape"), fmt::format("{}: expected a shape such as \"960x960\"", keys.path()));
  for (const std::string& shape : kernel.shapes) {
    const bool good = std::ranges::all_of(shape, [](char c) { return (c >= '0' && c <= '9') || c == 'x'; }) && shape.front() != 'x' &&
                      shape.back() != 'x' && shape.find("xx") == std::string::npos && std::ranges::count(shape, 'x') <= 1;
    if (!good) fail_at(*keys.find("shape"), fmt::format("shape \"{}\": expected rows and columns, such as \"960x960\"", shape.substr(0, 60)));
  }
  kernel.flops = keys.quantity("flops", Dimension::flops, 0.0);
  const DocumentNode* spread = keys.find("spread");
  std::optional<Section> spreads;
  if (spread != nullptr && spread->is_table()) spreads = keys.section("spread");
  else if (spread != nullptr) kernel.spread = keys.ratio("spread", 0.0, 10.0, 0.0);
  Section times = *keys.section("time");
  keys.finish();
  const std::vector<const DocumentNode*> classes = times.names(false);
  if (classes.empty()) fail_at(times.node(), fmt::format("{} is empty; expected time = {{ cpu = \"173 ms\" }}", times.path()));
  for (const DocumentNode* time : classes) {
    kernel.worker_class = class_named(*time, time->key);
    kernel.seconds = Seconds(times.quantity_of(*time, Dimension::time, false));
    if (spreads) kernel.spread = spreads->ratio(time->key, 0.0, 10.0, 0.0);
    for (const KernelTiming& other : machine_.kernels)
      if (other.codelet == kernel.codelet && other.shapes == kernel.shapes && other.precision == kernel.precision &&
          other.worker_class == kernel.worker_class)
        fail_at(*time, fmt::format("a second {}; leave one out", times.path()));
    machine_.kernels.push_back(kernel);
  }
  if (spreads) spreads->finish();
}

void Reader::read_rates(const DocumentNode& node) {
  Section keys(node, "rates." + node.key, &machine_.origins);
  const ClassId c = class_named(node, node.key);
  for (const DocumentNode* rate : keys.names(false))
    machine_.rates.push_back({rate->key, c, keys.ratio_of(*rate, 1e-6, 1000.0)});
}

void Reader::read_constant_power(Section power) {
  machine_.power_conversion = power.ratio("conversion", 0.01, 1.0, 1.0);
  if (std::optional<Section> constant = power.section("constant"))
    for (const DocumentNode* component : constant->names(false))
      machine_.components.push_back({component->key, Watts(constant->quantity_of(*component, Dimension::power, true))});
  power.finish();
}

MachineDescription Reader::read() {
  machine_.name = root_.text("name", machine_.name);
  machine_.summary = root_.text("summary", "");
  root_.find("extends");
  machine_.compute_nodes = root_.count("compute_nodes", 1, kMaxComputeNodes, 1);
  machine_.submission_overhead = Seconds(root_.quantity("submission_overhead", Dimension::time, 0.0, true));

  root_.require("memory", "[memory.dram]");
  Section memories = *root_.section("memory");
  for (const DocumentNode* node : memories.names(true)) read_memory(*node);
  if (groups_.empty()) fail_at(memories.node(), "[memory] is empty; expected a section such as [memory.dram]");
  root_.require("class", "[class.cpu]");
  Section classes = *root_.section("class");
  for (const DocumentNode* node : classes.names(true)) read_class(*node);
  if (machine_.classes.empty()) fail_at(classes.node(), "[class] is empty; expected a section such as [class.cpu]");
  complete_teams();
  subtract_driver_cores(classes.node());
  std::size_t workers = 0;
  for (const WorkerClassDescription& c : machine_.classes) workers += c.count;
  if (workers * machine_.compute_nodes > kMaxAllWorkers || machine_.memories.size() * machine_.compute_nodes > kMaxAllMemories)
    fail_at(root_.node(), fmt::format("{} workers and {} memories in each of {} compute nodes; expected at most {} workers and {} memories in all",
                                      workers, machine_.memories.size(), machine_.compute_nodes, kMaxAllWorkers, kMaxAllMemories));
  if (std::optional<Section> power = root_.section("power")) read_constant_power(*power);
  if (std::optional<Section> rates = root_.section("rates"))
    for (const DocumentNode* node : rates->names(true)) read_rates(*node);
  for (const DocumentNode& node : root_.tables("kernel")) read_kernel(node);
  read_links(root_, groups_, machine_, machine_.origins);
  root_.finish();
  return std::move(machine_);
}

}  // namespace

MachineDescription read_machine(const DocumentNode& root, const std::string& name) { return Reader(root, name).read(); }

}  // namespace mitra::model
