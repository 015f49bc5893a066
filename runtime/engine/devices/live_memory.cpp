// What the memory manager of a live run knows of data: their registration, their parts, where the application sees them.
// Flow: task engine -> [live memory] -> memory manager, lineage.
#include "engine/devices/live_memory.hpp"

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "graph/partition_tree.hpp"
#include "memory/private_copies.hpp"

namespace mitra::engine {

using graph::Datum;
using memory::HomeState;

namespace {

/// Without a limit of its own, the host's memory is what the operating system gives.
Machine with_host_limit(Machine machine, Bytes limit) {
  machine.memory_nodes[0].capacity = limit;
  return machine;
}

/// What does not fit the memory of its domain, a core does at home.
Machine with_cores_at_home(Machine machine, const DeviceSet& devices) {
  for (Worker& worker : machine.workers)
    if (devices.is_host(worker.node)) worker.node = NodeId(0);
  return machine;
}

}  // namespace

LiveMemory::LiveMemory(TaskEngine& engine, const Machine& machine, const DeviceSet& devices, Driver& host, SchedulingPolicy& policy,
                       std::unique_ptr<PerformanceModel> model, bool recovers)
    : engine_(engine), machine_(machine), devices_(devices), host_(host), policy_(policy),
      has_teams_(std::ranges::any_of(machine.workers, [](const Worker& w) { return w.cores > 1; })), largest_(with_cores_at_home(machine, devices)),
      manager_(with_host_limit(machine, devices.host_limit()), *this, policy.chooses_victims(), false), costs_(machine, std::move(model)),
      recovers_(recovers && devices.host_limit() == Bytes(0) && !devices.has_host_memories()), frees_home_(devices.host_limit() != Bytes(0)),
      lineage_(*this), buffers_(machine.memory_nodes.size()), extras_(1),
      per_device_(devices.all().size()) {
  for (const Device& device : devices.all()) pools_.emplace_back(device);
  for (std::size_t i = 0; i < per_device_.size(); ++i) {
    const DeviceDescription& d = devices[i].description();
    per_device_[i].in = per_device_[i].out = {d.bandwidth, d.latency, 0};
    per_device_[i].peer = {d.peer_bandwidth, d.latency, 0};
  }
}

LiveMemory::~LiveMemory() {
  // Data whose handles outlive the engine: their buffers on devices go with the pools.
  const std::size_t nodes = machine_.memory_nodes.size();
  for (std::uint32_t d = 1; d < manager_.numbers(); ++d)
    for (std::uint32_t n = 1; n < nodes; ++n)
      if (void* memory = std::exchange(buffer(d, NodeId(n)), nullptr))
        pools_[place_of(NodeId(n))].give(static_cast<std::byte*>(memory), manager_.size(d));
  for (auto& [size, buffers] : spare_)
    for (void* memory : buffers) host_.release(NodeId(0), memory, Bytes(size));
  for (Extra& extra : extras_)
    for (Datum* part : extra.contributions) {
      host_.release(NodeId(0), part->host, part->shape.bytes());
      delete part;
    }
}

// ------------------------------------------------------------------------------------------------ data

void LiveMemory::add(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  datum.shape_number = costs_.shape_number(datum.shape) & 0xffffff;
  if (datum.shape.bytes() == Bytes(0)) {
    datum.home.store(static_cast<std::uint8_t>(HomeState::exclusive), std::memory_order_release);  // a token lies everywhere
    return;
  }
  // Its number is known to the manager's client before anything is told of it.
  const std::size_t nodes = machine_.memory_nodes.size();
  buffers_.resize((manager_.numbers() + 1) * nodes);
  extras_.resize(manager_.numbers() + 1);
  lineage_.grow(manager_.numbers() + 1);
  manager_.add(datum, datum.lent, datum.lent);
  tight_.store(manager_.is_tight(), std::memory_order_relaxed);
  extras_[datum.replicas].datum = &datum;
  home_changed(datum.replicas);
}

void LiveMemory::forget(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0) return;
  Extra& extra = extras_[datum.replicas];
  for (Datum* part : extra.contributions) drop_private(*part);
  if (extra.away) std::erase(away_, datum.replicas);
  lineage_.forget(datum.replicas);
  extra = {};
  manager_.forget(datum);
  tight_.store(manager_.is_tight(), std::memory_order_relaxed);
}

void LiveMemory::add_part(Datum& part, Datum& root) {
  const std::scoped_lock lock(mutex_);
  // From its first part on its content is not followed: parts share the home, whose writes nobody tells of.
  lineage_.forget(root.replicas, false);
  if (recovers_ && manager_.is_written(root.replicas)) manager_.write_back(root);
  add(part);
  manager_.join_family(part, root);
  home_changed(part.replicas);
}

void LiveMemory::enter_fresh(Datum& whole, std::span<detail::DataHeader* const> parts, bool stays) {
  const std::scoped_lock lock(mutex_);
  manager_.enter_fresh(whole, parts, stays);
}

void LiveMemory::regrouped(const detail::TaskHeader& transition) {
  const std::scoped_lock lock(mutex_);
  manager_.regrouped(transition, NodeId(0));
}

void LiveMemory::moved(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  forget(datum);
  add(datum);
}

/// A datum of a device's task alone.
Datum& LiveMemory::private_datum(const detail::Shape& shape, void* host) {
  auto datum = std::make_unique<Datum>();
  datum->shape = shape.packed();
  datum->host = host;
  datum->lent = host != nullptr;
  datum->engine = &engine_;
  add(*datum);
  return *datum.release();
}

void LiveMemory::drop_private(Datum& datum) {
  forget(datum);
  if (datum.host != nullptr) host_.release(NodeId(0), datum.host, datum.shape.bytes());
  delete &datum;
}

std::vector<Datum*> LiveMemory::take_away_from_home() {
  const std::scoped_lock lock(mutex_);
  std::vector<Datum*> data;
  for (const std::uint32_t number : std::exchange(away_, {})) {
    extras_[number].away = false;
    if (manager_.home(number) != HomeState::exclusive && !manager_.is_stale(number)) data.push_back(extras_[number].datum);
  }
  return data;
}

void LiveMemory::still_away(const Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0 || std::exchange(extras_[datum.replicas].away, true)) return;
  away_.push_back(datum.replicas);
}

bool LiveMemory::moves_at_home(const Datum& datum) {
  const std::scoped_lock lock(mutex_);
  return datum.replicas != 0 && manager_.moves_at_home(datum.replicas);
}

bool LiveMemory::away_from_home(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0) return false;
  if (manager_.moves_at_home(datum.replicas)) return true;
  return graph::root_of(datum).lent && manager_.is_written(datum.replicas) && manager_.state(datum.replicas, NodeId(0)) == memory::ReplicaState::invalid;
}

void LiveMemory::home_changed(std::uint32_t number) {
  Extra& extra = extras_[number];
  if (extra.datum == nullptr) return;
  // A fold has to ask for contributions that lie on devices.
  HomeState home = extra.contributions.empty() ? manager_.home(number) : HomeState::absent;
  if (home == HomeState::exclusive && lineage_.home_is_needed(number)) home = HomeState::readable;  // its writer has to ask
  extra.datum->home.store(static_cast<std::uint8_t>(home), std::memory_order_release);
  if (home == HomeState::exclusive || extra.away || !graph::root_of(*extra.datum).lent) return;
  extra.away = true;
  away_.push_back(number);
}

}  // namespace mitra::engine
