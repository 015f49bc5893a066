// The report of a run in virtual time: energies that sum to the total, what the bounds need, counters.
#include <algorithm>
#include <limits>

#include <mitra/error.hpp>

#include "engine/task_engine.hpp"
#include "engine/virtual/virtual_time.hpp"

namespace mitra::engine {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

SimulationReport VirtualTime::report() const {
  SimulationReport report;
  report.makespan = std::max(Seconds(0.0), books_.makespan() - report_from_);
  report.unknown_tasks = books_.unknown;
  report.schedule_digest = books_.digest();
  report.decisions = {books_.decisions(),
                      books_.decisions_measured_ == 0 ? 0.0
                                                      : static_cast<double>(books_.decision_ns_) /
                                                            static_cast<double>(books_.decisions_measured_),
                      static_cast<double>(books_.longest_decision_ns_)};

  // Idle power flows all the time, the power of tasks in place of it while they run: the parts sum to the total.
  auto& energy = report.energy;
  double drawn = 0.0;
  auto add = [&](const std::string& name, double joules) {
    if (joules <= 0.0) return;
    energy.components.emplace_back(name, Joules(joules));
    drawn += joules;
  };
  for (std::size_t c = 0; c < machine_.classes.size(); ++c) {
    const RunBooks::Ended& sum = books_.by_class_[c];
    const WorkerClassDescription& description = description_.classes[c];
    const auto workers = static_cast<double>(machine_.classes[c].workers.size());
    const double idle_time = workers * description.streams * report.makespan.value - sum.busy.value;
    const double joules = sum.joules + std::max(0.0, idle_time / description.streams) * description.power.idle.value;
    report.classes.push_back({machine_.classes[c].name, machine_.classes[c].workers.size(), sum.busy, sum.tasks, Joules(joules)});
    report.tasks += sum.tasks;
    energy.known |= description.power.known;
    add(description.name, joules);
  }
  double memory_idle = 0.0;
  for (const MemoryDescription& memory : description_.memories) memory_idle += memory.idle.value;
  add("memory", memory_idle * report.makespan.value);
  add("links", (driver_.link_energy() - link_energy_before_).value);
  for (const PowerComponent& component : description_.components)
    add(component.name, component.power.value * description_.compute_nodes * report.makespan.value);
  add("conversion losses", drawn / description_.power_conversion - drawn);
  energy.total = Joules(drawn);
  energy.peak = Watts(books_.peak_power_ / description_.power_conversion);

  const SimTraffic& traffic = driver_.traffic();
  auto since = [](Bytes now, Bytes before) { return Bytes(now.value - before.value); };
  report.memory.to_device = since(traffic.host_to_device, traffic_before_.host_to_device);
  report.memory.from_device = since(traffic.device_to_host, traffic_before_.device_to_host);
  report.memory.between_devices = since(traffic.device_to_device, traffic_before_.device_to_device);
  report.memory.network = since(traffic.network, traffic_before_.network);
  report.memory.evictions = memory_.evictions();
  report.memory.transfers = transfers_;
  if (many_nodes_)
    for (std::uint32_t n = 0; n < machine_.memory_nodes.size(); ++n)
      report.memory.peak.emplace_back(machine_.memory_nodes[n].name, memory_.peak(NodeId(n)));

  BoundProblem& bounds = report.bounds;
  for (std::size_t c = 0; c < machine_.classes.size(); ++c) {
    const WorkerClassDescription& description = description_.classes[c];
    bounds.resources.push_back({description.name,
                                static_cast<double>(machine_.classes[c].workers.size()) * description.streams,
                                description.power.idle / static_cast<double>(description.streams)});
  }
  double constant = memory_idle;
  for (const PowerComponent& component : description_.components) constant += component.power.value * description_.compute_nodes;
  bounds.constant = Watts(constant);
  bounds.power_conversion = description_.power_conversion;
  BoundPath path;
  std::vector<std::uint64_t> on_path = books_.earlier_by_row_;
  on_path.resize(costs_.rows());
  for (std::uint32_t at = books_.phase_last_; at != 0; at = books_.path_[at].before) ++on_path[books_.path_[at].row];
  for (std::uint32_t row = 1; row < costs_.rows() && row < books_.tasks_by_row_.size(); ++row) {
    const std::uint64_t tasks = books_.tasks_by_row_[row];
    if (tasks == 0) continue;
    report.flops += static_cast<double>(tasks) * costs_.flops(row);
    BoundGroup group;
    group.name = costs_.name(row);
    group.tasks = tasks;
    for (std::size_t c = 0; c < machine_.classes.size(); ++c) {
      const ClassCost& cost = costs_.row(row)[c];
      const bool unknown_row = costs_.known_kinds(row) == 0;
      group.seconds.push_back(cost.known ? cost.seconds : unknown_row ? config_.unknown.value : kInfinity);
      group.watts.push_back(cost.watts);
    }
    bounds.groups.push_back(std::move(group));
    path.tasks_by_group.push_back(on_path[row]);
  }
  if (kept_ != nullptr) add_graph(bounds);
  bounds.critical_path = std::move(path);
  bounds.critical_path_seconds = books_.earlier_phases_ + books_.phase_end_;
  return report;
}

void VirtualTime::add_graph(BoundProblem& bounds) const {
  std::vector<std::uint32_t> group_of_row(costs_.rows());
  std::uint32_t groups = 0;
  for (std::uint32_t row = 1; row < costs_.rows() && row < books_.tasks_by_row_.size(); ++row)
    if (books_.tasks_by_row_[row] != 0) group_of_row[row] = groups++;
  // Of tasks that were split the time is that of their children, who are not on the paths through them.
  if (std::ranges::find(kept_->row, TaskCosts::kNothing) == kept_->row.end()) {
    BoundGraph graph;
    graph.first_predecessor = kept_->first_predecessor;
    graph.predecessors = kept_->predecessors;
    for (const std::uint32_t row : kept_->row) graph.group.push_back(group_of_row[row]);
    bounds.graph = std::move(graph);
  }
  if (!many_nodes_) return;
  std::vector<double> least(groups, kInfinity);
  for (std::size_t t = 0; t < kept_->size(); ++t) {
    if (kept_->row[t] == TaskCosts::kNothing) continue;
    double& of_group = least[group_of_row[kept_->row[t]]];
    of_group = std::min(of_group, kept_->bytes_in(t));
  }
  // The content comes from the host memories: into those of a class at the rate of the ways from them, all together.
  for (const WorkerClass& c : machine_.classes) {
    double rate = 0.0;
    bool at_home = false;
    std::vector<bool> seen(machine_.memory_nodes.size());
    for (const WorkerId id : c.workers) {
      const NodeId node = machine_.workers[id.index()].node;
      if (seen[node.index()]) continue;
      seen[node.index()] = true;
      std::uint32_t host = 0;
      while (machine_.memory_nodes[host].compute_node != machine_.memory_nodes[node.index()].compute_node) ++host;
      at_home |= host == node.value;
      if (host == node.value) continue;
      constexpr std::uint64_t kProbe = std::uint64_t{1} << 40;
      const Seconds time = driver_.transfer_time(NodeId(host), node, Bytes(kProbe)) - driver_.transfer_time(NodeId(host), node, Bytes(0));
      rate += static_cast<double>(kProbe) / time.value;
    }
    bounds.bandwidth_in.push_back(at_home ? 0.0 : rate);
    for (std::size_t g = 0; g < bounds.groups.size(); ++g) bounds.groups[g].bytes_in.push_back(at_home ? 0.0 : least[g]);
  }
}

void VirtualTime::restart_report() {
  if (kept_ != nullptr) keep_graph();
  books_ = RunBooks(description_, machine_);
  report_from_ = driver_.now();
  traffic_before_ = driver_.traffic();
  link_energy_before_ = driver_.link_energy();
  transfers_ = 0;
}

void TaskEngine::keep_graph() {
  if (virtual_time_ == nullptr) return;
  const std::scoped_lock lock(virtual_time_->mutex());
  virtual_time_->keep_graph();
  virtual_time_->restart_report();
}

void TaskEngine::restart_simulation() {
  if (virtual_time_ == nullptr) return;
  const std::scoped_lock lock(virtual_time_->mutex());
  if (!drained()) throw MisuseError("restart_simulation() while tasks are open: wait() for them first");
  virtual_time_->restart_report();
}

std::optional<SimulationReport> TaskEngine::simulation() const {
  if (virtual_time_ == nullptr) return std::nullopt;
  const std::scoped_lock lock(virtual_time_->mutex());
  return virtual_time_->report();
}

}  // namespace mitra::engine
