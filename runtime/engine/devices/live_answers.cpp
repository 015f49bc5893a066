// What policies ask of a run beside devices, and what it says of itself.
// Flow: policy -> SchedulerView -> [live answers] -> live costs, memory manager.
#include "engine/devices/live_memory.hpp"

#include <algorithm>

#include "engine/hot_path.hpp"

namespace mitra::engine {

std::size_t LiveMemory::choose_victim(NodeId node, std::span<const AccessRef> candidates) {
  return policy_.victim(node, candidates, engine_.thread_state().view);
}


std::optional<Estimate> LiveMemory::estimate(detail::TaskHeader& task, ClassId worker_class) {
  const std::scoped_lock lock(mutex_);
  return costs_.estimate(task, worker_class);
}
Seconds LiveMemory::busy_until(WorkerId worker) {
  const std::scoped_lock lock(mutex_);
  return costs_.busy_until(worker, engine_.now());
}
void LiveMemory::began(WorkerId worker, detail::TaskHeader& task, Seconds now) {
  const std::scoped_lock lock(mutex_);
  costs_.began(worker, task, now);
}
void LiveMemory::idle(WorkerId worker) {
  const std::scoped_lock lock(mutex_);
  costs_.ended(worker, false, engine_.now());
}
void LiveMemory::ended(WorkerId worker, std::uint32_t row, Seconds duration, bool holds_others, Seconds now) {
  const std::scoped_lock lock(mutex_);
  if (row != 0) costs_.learn(row, machine_.workers[worker.index()].worker_class, duration);
  costs_.ended(worker, holds_others, now);
}

Bytes LiveMemory::bytes_missing(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.bytes_missing(task, meant(task, node));
}
Seconds LiveMemory::transfer_time(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.transfer_time(task, meant(task, node));
}
Seconds LiveMemory::links_busy(NodeId node) {
  if (node == NodeId(0)) return Seconds(0.0);
  const std::scoped_lock lock(mutex_);
  return wait_time(NodeId(0), node);
}
bool LiveMemory::holds(const detail::DataHeader& data, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.holds(data, node);
}
std::optional<Bytes> LiveMemory::room(NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.room(node);
}
void LiveMemory::prefetch(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  manager_.prefetch(task, meant(task, node));
}
void LiveMemory::write_back(const detail::DataHeader& data) {
  const std::scoped_lock lock(mutex_);
  if (!manager_.is_held(data)) manager_.write_back(data);
}

std::string LiveMemory::describe_waiting() {
  std::string text;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return "  the memory manager is busy\n";
  for (const Frame& frame : frames_) {
    if (frame.task == nullptr) continue;
    const auto is_in = [&](const auto& list, const auto& what) { return std::ranges::find(list, what) != list.end(); };
    const auto& arrived = devices_.is_host(frame.node) ? arrived_at_host_ : per_device_[place_of(frame.node)].arrived;
    const bool asks = frame.state.load(std::memory_order_acquire) == Frame::State::waiting;
    if (!asks && !is_in(arrived, &frame)) continue;  // it is in somebody's hands
    const char* const what = !asks ? "has its data, and nobody takes it," : is_in(manager_.waiting(frame.node), frame.number) ? "waits for room" : "waits for its data";
    text += detail::message("  given away: task '", frame.task->name(), "' #", frame.task->id.load(std::memory_order_relaxed), ' ', what,
                            " in memory '", machine_.memory_nodes[frame.node.index()].name, '\'');
    if (frame.worker.valid()) text += detail::message(", worker ", frame.worker.value);
    text += '\n';
  }
  return text;
}

SimulationReport::Memory LiveMemory::report() {
  const std::scoped_lock lock(mutex_);
  SimulationReport::Memory report = sums_;
  report.evictions = manager_.evictions();
  for (std::uint32_t n = 0; n < machine_.memory_nodes.size(); ++n)
    report.peak.emplace_back(machine_.memory_nodes[n].name, manager_.peak(NodeId(n)));
  return report;
}

}  // namespace mitra::engine
