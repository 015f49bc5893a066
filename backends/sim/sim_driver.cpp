// Virtual time: one queue for launches and timers, one network for copies; the clock goes to whatever comes first.
// Flow: memory manager, engine -> [sim driver] -> event queue, copy engines, fluid network. Thread-safety: serialised.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include <mitra/error.hpp>
#include <mitra/sim_driver.hpp>

#include "copy_engines.hpp"
#include "event_queue.hpp"
#include "fluid_network.hpp"

namespace mitra {

namespace {

constexpr std::size_t kAlignment = 64;
using Bucket = Bytes SimTraffic::*;

std::vector<double> bandwidths(const MachineDescription& machine) {
  std::vector<double> all;
  for (const LinkDescription& link : machine.links) {
    if (!(link.bandwidth > 0.0) || !std::isfinite(link.bandwidth))
      throw ConfigError(detail::message("machine '", machine.name, "': link '", link.name, "' has a bandwidth of ",
                                        link.bandwidth, " bytes/s; it must be above zero and finite"));
    all.push_back(link.bandwidth);
  }
  return all;
}

void check_routes(const MachineDescription& machine) {
  const std::size_t memories = machine.memories.size(), local = machine.memories_per_node, nodes = machine.compute_nodes;
  const auto refuse = [&](const auto&... what) {
    throw ConfigError(detail::message("machine '", machine.name, "': ", what...));
  };
  if (local == 0 || memories != local * nodes)
    refuse(memories, " memories are not ", nodes, " compute nodes of ", local, " each");
  if (local > 1 && machine.local_routes.size() != local * local)
    refuse("there are ", machine.local_routes.size(), " routes among the ", local,
           " memories of a compute node; each pair needs one: ", local * local);
  if (nodes > 1 && (machine.to_network.size() != memories || machine.from_network.size() != memories))
    refuse("there are ", machine.to_network.size(), " routes to the network and ", machine.from_network.size(),
           " from it; each of the ", memories, " memories needs both");
}

/// Who computes in a memory, and how many of them.
struct Users {
  bool cpu = false, gpu = false;
  unsigned engines = 0;
};

std::vector<Users> users_of_memories(const MachineDescription& machine) {
  std::vector<Users> users(machine.memories.size());
  for (const WorkerClassDescription& one : machine.classes) {
    const auto used = [&](const MemoryDescription& memory) {
      return memory.group == one.memory || memory.name == one.memory;
    };
    const auto instances = static_cast<unsigned>(std::max<std::ptrdiff_t>(
        1, std::ranges::count_if(machine.memories, [&](const auto& m) { return m.compute_node == 0 && used(m); })));
    for (std::size_t i = 0; i < users.size(); ++i) {
      if (!used(machine.memories[i])) continue;
      (one.kind == WorkerKind::cpu ? users[i].cpu : users[i].gpu) = true;
      if (one.kind == WorkerKind::cpu) continue;
      const unsigned workers = std::max(1U, (one.count + instances - 1) / instances);
      users[i].engines += workers * one.copy_engines;
    }
  }
  return users;
}

}  // namespace

struct SimDriver::Core {
  /// A pair of memories.
  struct Way {
    sim::RouteId route;  ///< None: not looked up yet.
    std::vector<std::uint32_t> links;
    Seconds latency;
    double narrowest = 0.0;  ///< Bytes/s; infinite without links.
    sim::CopyEngines* engines = nullptr;
    Bucket bucket = nullptr;
  };
  struct Copy {
    std::uint64_t token = 0;
    Bytes size;
    Way* way = nullptr;
  };
  struct Memory {
    Users users;
    sim::CopyEngines in, out;
    std::vector<Way> ways;  ///< By target; made when the memory is first a source.
  };

  explicit Core(const MachineDescription& m) : machine(m), network(bandwidths(m)), asked(m.links.size()) {
    check_routes(m);
    for (const Users& users : users_of_memories(m))
      memories.push_back({users, sim::CopyEngines(users.engines), sim::CopyEngines(users.engines), {}});
  }

  Memory& memory(NodeId node) {
    if (node.value >= memories.size())
      throw MisuseError(detail::message("there is no memory node ", node.value, " in machine '", machine.name, "', which has ",
                                        memories.size(), ", counted from 0"));
    return memories[node.index()];
  }

  Way& way(NodeId from, NodeId to) {
    Memory& source = memory(from);
    Memory& target = memory(to);
    if (source.ways.empty()) source.ways.resize(memories.size());
    Way& found = source.ways[to.index()];
    if (!found.route.valid()) look_up(from, to, source, target, found);
    return found;
  }

  void look_up(NodeId from, NodeId to, Memory& source, Memory& target, Way& way) {
    const mitra::Route route = machine.route(from, to);
    try {
      way.route = network.add_route(route.links);
    } catch (const MisuseError& error) {
      throw ConfigError(detail::message("machine '", machine.name, "', from memory '", machine.memories[from.index()].name,
                                        "' to '", machine.memories[to.index()].name, "': ", error.what()));
    }
    way.links = route.links;
    way.latency = route.latency;
    way.narrowest = std::numeric_limits<double>::infinity();
    for (const std::uint32_t link : route.links) way.narrowest = std::min(way.narrowest, machine.links[link].bandwidth);
    way.engines = target.in.exist() ? &target.in : source.out.exist() ? &source.out : nullptr;

    const bool from_device = source.users.gpu && !source.users.cpu, to_device = target.users.gpu && !target.users.cpu;
    if (from.value / machine.memories_per_node != to.value / machine.memories_per_node)
      way.bucket = &SimTraffic::network;
    else if (from_device)
      way.bucket = to_device ? &SimTraffic::device_to_device : &SimTraffic::device_to_host;
    else
      way.bucket = to_device ? &SimTraffic::host_to_device : &SimTraffic::host_to_host;
  }

  std::uint32_t new_copy() {
    if (free.empty()) {
      free.push_back(static_cast<std::uint32_t>(copies.size()));
      copies.emplace_back();
    }
    const std::uint32_t slot = free.back();
    free.pop_back();
    return slot;
  }

  void send(std::uint32_t slot, Seconds now) {
    const Copy& copy = copies[slot];
    network.start(copy.way->route, static_cast<double>(copy.size.value), copy.way->latency, now, slot);
  }

  /// A copy has arrived: its engine turns to the next one. @returns The copy's token.
  std::uint64_t arrived(std::uint32_t slot, Seconds now) {
    const Copy copy = copies[slot];
    free.push_back(slot);
    for (const std::uint32_t link : copy.way->links) asked[link] -= copy.size.value;
    traffic.*copy.way->bucket += copy.size;
    std::uint32_t following = 0;
    if (copy.way->engines != nullptr && copy.way->engines->give(following)) send(following, now);
    return copy.token;
  }

  const MachineDescription& machine;
  sim::FluidNetwork network;
  sim::EventQueue events;        ///< Launches and timers: the kind is that of SimCompletion.
  std::vector<std::uint64_t> asked;  ///< By link: bytes of copies that wait or are under way.
  std::vector<Memory> memories;  ///< Never resized: ways point to engines in it.
  std::vector<Copy> copies;
  std::vector<std::uint32_t> free;
  SimTraffic traffic;
};

SimDriver::SimDriver(const MachineDescription& machine) : core_(std::make_unique<Core>(machine)) {}
SimDriver::~SimDriver() = default;

void* SimDriver::allocate(NodeId node, Bytes size) noexcept {
  if (node.value != 0) return nullptr;
  return ::operator new(size.value, std::align_val_t(kAlignment), std::nothrow);
}
void SimDriver::release(NodeId, void* memory, Bytes) noexcept { ::operator delete(memory, std::align_val_t(kAlignment)); }

SimEventId SimDriver::launch(Seconds duration, std::uint64_t token) {
  if (!(duration.value >= 0.0) || !std::isfinite(duration.value))
    throw MisuseError(detail::message("a launch cannot take ", duration.value, " s; give a finite time, zero or more"));
  return {core_->events.push(now_ + duration, {token, static_cast<std::uint32_t>(SimCompletion::Kind::launch)}).value};
}

SimEventId SimDriver::timer(Seconds at, std::uint64_t token) {
  if (!(at >= now_) || !std::isfinite(at.value))
    throw MisuseError(detail::message("a timer cannot be set to ", at.value, " s; it is ", now_.value,
                                      " s, and a timer lies in the finite future"));
  return {core_->events.push(at, {token, static_cast<std::uint32_t>(SimCompletion::Kind::timer)}).value};
}

bool SimDriver::take_back(SimEventId id) noexcept { return core_->events.cancel({id.value}); }

void SimDriver::copy(NodeId from, NodeId to, Bytes size, bool urgent, std::uint64_t token) {
  if (from == to)
    throw MisuseError(detail::message("a copy from memory node ", from.value, " to itself; there is nothing to move"));
  Core::Way& way = core_->way(from, to);
  const std::uint32_t slot = core_->new_copy();
  core_->copies[slot] = {token, size, &way};
  for (const std::uint32_t link : way.links) core_->asked[link] += size.value;
  if (way.engines == nullptr || way.engines->take(slot, urgent)) core_->send(slot, now_);
}

bool SimDriver::next(SimCompletion& completion) {
  const Seconds first = core_->events.next_time();
  if (const sim::FlowEnd* end = core_->network.advance(first)) {
    const auto [slot, time] = *end;
    core_->network.pop();
    now_ = std::max(now_, time);
    completion = {SimCompletion::Kind::copy, core_->arrived(static_cast<std::uint32_t>(slot), now_), now_};
    return true;
  }
  if (core_->events.empty()) return false;
  const sim::Event event = core_->events.pop();
  now_ = first;
  completion = {static_cast<SimCompletion::Kind>(event.kind), event.token, now_};
  return true;
}

Seconds SimDriver::next_time() const { return std::min(core_->events.next_time(), core_->network.next_event()); }

Seconds SimDriver::advance_to(Seconds at) {
  if (!(at >= now_) || !std::isfinite(at.value))
    throw MisuseError(detail::message("the clock cannot go to ", at.value, " s; it is ", now_.value, " s"));
  now_ = std::min(at, core_->events.next_time());
  if (const sim::FlowEnd* end = core_->network.advance(now_)) now_ = end->time;
  return now_;
}

Seconds SimDriver::transfer_time(NodeId from, NodeId to, Bytes size) const {
  if (from == to) return {};
  const Core::Way& way = core_->way(from, to);
  return way.latency + Seconds(static_cast<double>(size.value) / way.narrowest);
}

Seconds SimDriver::backlog(NodeId from, NodeId to) const {
  Seconds longest;
  if (from == to) return longest;
  for (const std::uint32_t link : core_->way(from, to).links)
    longest = std::max(longest, Seconds(static_cast<double>(core_->asked[link]) / core_->machine.links[link].bandwidth));
  return longest;
}

std::size_t SimDriver::waiting_copies() const {
  std::size_t count = 0;
  for (const Core::Memory& memory : core_->memories) count += memory.in.waiting() + memory.out.waiting();
  return count;
}

const SimTraffic& SimDriver::traffic() const { return core_->traffic; }

std::vector<double> SimDriver::link_bytes() const { return core_->network.carried(now_); }

Joules SimDriver::link_energy() const {
  const std::vector<double> bytes = link_bytes();
  Joules sum;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += Joules(bytes[i] * core_->machine.links[i].joules_per_byte);
  return sum;
}

}  // namespace mitra
