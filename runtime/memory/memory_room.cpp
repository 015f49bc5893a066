// Who takes room in a memory node, who may be sent away, and where to.
// Flow: memory manager -> [memory room] -> write-backs.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "memory/memory_manager.hpp"
#include "memory/task_data.hpp"

namespace mitra::memory {

namespace {

/// Victims that are compared by their next uses, and that a policy chooses among. Finding one takes less than the copies that it
/// saves. What streams past resident data is older than few of them: among the oldest 32 alone, there was no good choice.
constexpr std::size_t kCompared = 512;

}  // namespace

void MemoryManager::take_room(NodeId node, std::uint64_t bytes) {
  Node& n = nodes_[node.index()];
  n.used += bytes;
  n.peak = std::max(n.peak, n.used);
}

void MemoryManager::give_room(NodeId node, std::uint64_t bytes) { nodes_[node.index()].used -= bytes; }

void MemoryManager::list(std::uint32_t datum, NodeId node) {
  Replica& r = replica(datum, node);
  if (r.listed || is_kept(datum, node)) return;
  Node& n = nodes_[node.index()];
  r.listed = true;
  r.lru_previous = n.lru_last;
  r.lru_next = kNone;
  (n.lru_last == kNone ? n.lru_first : replica(n.lru_last, node).lru_next) = datum;
  n.lru_last = datum;
}

void MemoryManager::unlist(std::uint32_t datum, NodeId node) {
  Replica& r = replica(datum, node);
  if (!r.listed) return;
  Node& n = nodes_[node.index()];
  r.listed = false;
  (r.lru_previous == kNone ? n.lru_first : replica(r.lru_previous, node).lru_next) = r.lru_next;
  (r.lru_next == kNone ? n.lru_last : replica(r.lru_next, node).lru_previous) = r.lru_previous;
}

/// @returns False if the node has no memory left, whatever the books say: they are corrected.
bool MemoryManager::allocate(std::uint32_t datum, NodeId node) {
  Node& n = nodes_[node.index()];
  if (!client_.allocate(datum, node)) {
    if (host_of_[node.index()] != node && !n.left_out) n.capacity = std::max<std::uint64_t>(n.used, 1);
    return false;
  }
  replica(datum, node).allocated = true;
  ++data_[datum].copies;
  if (is_family_home(datum, node))
    take_family_room(datum, node);
  else
    take_room(node, room_for(datum, node));
  return true;
}

void MemoryManager::pin(std::uint32_t datum, NodeId node) {
  Replica& r = replica(datum, node);
  if (r.pins++ != 0) return;
  unlist(datum, node);
  nodes_[node.index()].pinned += data_[datum].size;
}

void MemoryManager::unpin(std::uint32_t datum, NodeId node) {
  Replica& r = replica(datum, node);
  if (--r.pins != 0) return;
  nodes_[node.index()].pinned -= data_[datum].size;
  if (r.transfer != kNone) return;
  if (r.state == ReplicaState::invalid)
    drop(datum, node);
  else
    list(datum, node);
}

void MemoryManager::set_state(std::uint32_t datum, NodeId node, ReplicaState state) {
  Replica& r = replica(datum, node);
  const bool was = r.state != ReplicaState::invalid, is = state != ReplicaState::invalid;
  r.state = state;
  if (node == NodeId(0)) client_.home_changed(datum);
  Datum& d = data_[datum];
  if (is && !was && ++d.valid == 1) d.any_valid = node;
  if (was && !is && --d.valid == 1) {
    for (std::uint32_t n = 0; n < nodes_.size(); ++n)
      if (replica(datum, NodeId(n)).state != ReplicaState::invalid) d.any_valid = NodeId(n);
  }
}

/// Gives the replica's room back. @pre nobody uses it
void MemoryManager::drop(std::uint32_t datum, NodeId node) {
  Replica& r = replica(datum, node);
  unlist(datum, node);
  if (r.state != ReplicaState::invalid) set_state(datum, node, ReplicaState::invalid);
  if (!r.allocated) return;
  r.allocated = false;
  --data_[datum].copies;
  if (!is_kept(datum, node)) give_room(node, data_[datum].size);
  client_.release(datum, node);
}

/// Drops unused replicas of which there are others, until `bytes` are free on the node; none if that is not enough.
/// @returns Whether they are free.
bool MemoryManager::drop_copies(NodeId node, std::uint64_t bytes) {
  Node& n = nodes_[node.index()];
  if (n.capacity == 0) return true;
  std::uint64_t copies = 0;
  for (std::uint32_t d = n.lru_first; d != kNone; d = replica(d, node).lru_next)
    if (data_[d].valid > 1) copies += data_[d].size;
  if (n.used + bytes > n.capacity + copies) return false;
  for (std::uint32_t d = n.lru_first; n.used + bytes > n.capacity;) {
    const std::uint32_t copy = std::exchange(d, replica(d, node).lru_next);
    if (data_[copy].valid <= 1) continue;
    drop(copy, node);
    ++evictions_;
  }
  return true;
}

/// @returns Whether the datum may leave for `node`, if there is room. Where tasks that wait for others hold its place, without
/// content, that is its room; where one may be writing, it is not.
bool MemoryManager::can_leave_for(NodeId node, std::uint32_t datum, NodeId from) const {
  const Replica& r = replica(datum, node);
  if (node == from || host_of_[node.index()] != host_of_[from.index()] || nodes_[node.index()].left_out) return false;
  const bool is_place = r.pins == r.published && r.state == ReplicaState::invalid && r.transfer == kNone && r.outgoing == 0;
  return (!r.allocated || is_place) && client_.reaches(from, node);
}

/// Room for what is to leave `from`: where it arrives first, the host before others that are as near; a peer only if it keeps
/// some room for its own tasks. Otherwise wherever there is any, with that of copies that lie elsewhere, too.
/// @returns Not valid() if there is none.
NodeId MemoryManager::refuge(std::uint32_t datum, NodeId from) {
  constexpr std::uint64_t kKeptFree = 8;  // a peer's share of its capacity: 1 / so much
  const std::uint64_t size = data_[datum].size;
  const NodeId host = host_of_[from.index()];
  NodeId nearest, widest;
  Seconds least;
  std::uint64_t most = 0;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const NodeId node((host.value + i) % static_cast<std::uint32_t>(nodes_.size()));  // the host comes first
    if (!can_leave_for(node, datum, from)) continue;
    if (replica(datum, node).allocated) return node;
    const Node& n = nodes_[node.index()];
    const std::uint64_t free = n.capacity == 0 ? ~std::uint64_t{0} : n.capacity > n.used ? n.capacity - n.used : 0;
    const std::uint64_t needed = room_for(datum, node);
    if (free < needed) continue;
    if (free > most) {
      most = free;
      widest = node;
    }
    if (node != host && n.capacity != 0 && free - size < n.capacity / kKeptFree) continue;
    const Seconds time = client_.copy_time(from, node, Bytes(size));
    if (nearest.valid() && time >= least) continue;
    nearest = node;
    least = time;
  }
  if (nearest.valid()) return nearest;
  if (widest.valid()) return widest;
  for (std::uint32_t n = host.value; n < nodes_.size(); ++n)
    if (can_leave_for(NodeId(n), datum, from) && drop_copies(NodeId(n), room_for(datum, NodeId(n)))) return NodeId(n);
  return {};
}

/// @returns Whether what leaves `from` for the host's memory can leave that, for storage that only the host reaches.
bool MemoryManager::leads_on(std::uint32_t datum, NodeId from) const {
  const NodeId host = host_of_[from.index()];
  if (from == host || nodes_[host.index()].left_out || replica(datum, host).allocated || !client_.reaches(from, host)) return false;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    const bool further = host_of_[i] == host && NodeId(i) != host && !n.left_out && !client_.reaches(from, NodeId(i)) && client_.reaches(host, NodeId(i));
    if (further && (n.capacity == 0 || n.used + data_[datum].size <= n.capacity)) return true;
  }
  return false;
}

void MemoryManager::will_use(const detail::TaskHeader& task) {
  for_each_datum(task, [&](std::uint32_t datum, AccessMode) { next_uses_.submitted(datum, task); });
}

void MemoryManager::may_run(const detail::TaskHeader& task) {
  for_each_datum(task, [&](std::uint32_t datum, AccessMode) { next_uses_.made_ready(datum, task); });
}

/// The unused replica whose datum is used last, as far as submitted tasks tell; of several, the one that has not been used for
/// longest. @pre there is one
std::uint32_t MemoryManager::used_last(NodeId node) {
  const Node& n = nodes_[node.index()];
  std::uint32_t last = n.lru_first;
  if (!is_tight()) return last;
  std::uint64_t latest = 0;
  std::size_t compared = 0;
  for (std::uint32_t d = n.lru_first; d != kNone && latest != NextUses::kNever && compared != kCompared; d = replica(d, node).lru_next) {
    ++compared;
    const std::uint64_t use = next_uses_.of(d);
    if (use <= latest) continue;
    latest = use;
    last = d;
  }
  return last;
}

/// @returns False if nothing on the node may leave it.
bool MemoryManager::evict_one(NodeId node) {
  Node& n = nodes_[node.index()];
  if (n.lru_first == kNone) return false;
  std::uint32_t victim = kNone;
  if (!asks_for_victims_) {
    victim = used_last(node);
  } else {
    candidates_.clear();
    for (std::uint32_t d = n.lru_first; d != kNone && candidates_.size() < kCompared; d = replica(d, node).lru_next)
      candidates_.emplace_back(detail::AccessWord(data_[d].header, AccessMode::read));
    const std::size_t chosen = client_.choose_victim(node, candidates_);
    MITRA_CHECK(chosen <= candidates_.size(), "the policy chose victim ", chosen, " of ", candidates_.size());
    victim = chosen < candidates_.size() ? candidates_[chosen].header()->replicas : used_last(node);
  }
  if (evict(victim, node)) return true;
  // Nowhere is room for that one: for a smaller one, or for one of which there is a copy?
  for (std::uint32_t d = n.lru_first; d != kNone; d = replica(d, node).lru_next)
    if (d != victim && evict(d, node)) return true;
  if (!std::exchange(n.stuck, true)) ++stuck_nodes_;
  return false;
}

/// Drops an unused replica, or starts to bring it elsewhere. @returns False if there is no room for it.
bool MemoryManager::evict(std::uint32_t victim, NodeId node) {
  const Datum& datum = data_[victim];
  if (datum.valid > 1) {
    drop(victim, node);
    ++evictions_;
    return true;
  }
  NodeId target = refuge(victim, node);
  // A node that turns out to be full is not proposed again.
  const auto has_room = [&] { return replica(victim, target).allocated || allocate(victim, target); };
  for (std::size_t attempts = nodes_.size(); target.valid() && !has_room(); target = refuge(victim, node))
    if (--attempts == 0) return false;
  const bool over_the_host = !target.valid() && leads_on(victim, node);
  if (over_the_host) {  // which is full: it holds a little more than it should, until that has gone on
    target = host_of_[node.index()];
    if (!allocate(victim, target)) return false;
  }
  if (!target.valid()) return false;
  ++evictions_;
  pin(victim, node);  // until its copy has arrived
  ++replica(victim, node).outgoing;
  if (node == NodeId(0)) client_.home_changed(victim);
  nodes_[node.index()].leaving += datum.size;
  const std::uint32_t transfer = new_transfer({.datum = victim, .from = node, .to = target, .write_back = true, .urgent = true});
  replica(victim, target).transfer = transfer;
  start(transfer);
  if (over_the_host) static_cast<void>(make_room(target, 0));
  return true;
}

std::uint64_t MemoryManager::bytes_to_reserve(std::span<const Use> uses, NodeId node) const {
  std::uint64_t bytes = 0;
  std::uint32_t counted = kNone;  // a family whose room is in `bytes`
  for (const auto [datum, mode] : uses) {
    if (!takes_room(mode) || replica(datum, node).allocated) continue;
    if (is_family_home(datum, node) && std::exchange(counted, data_[datum].family) == data_[datum].family) continue;
    bytes += room_for(datum, node);
  }
  return bytes;
}

std::uint64_t MemoryManager::bytes_of(std::span<const Use> uses) const {
  std::uint64_t bytes = 0;
  for (const auto [datum, mode] : uses)
    if (takes_room(mode)) bytes += data_[datum].size;
  return bytes;
}

bool MemoryManager::can_ever_hold(std::span<const Use> uses, NodeId node) const {
  const std::uint64_t capacity = nodes_[node.index()].capacity;
  return capacity == 0 || bytes_of(uses) <= capacity;
}

/// @returns Whether `bytes` are free now; if not, what can leave is on its way.
bool MemoryManager::make_room(NodeId node, std::uint64_t bytes) {
  Node& n = nodes_[node.index()];
  if (n.capacity == 0) return true;
  while (n.used + bytes > n.capacity) {
    if (n.used + bytes <= n.capacity + n.leaving) return false;
    if (!evict_one(node)) return false;
  }
  return true;
}

/// As make_room for what the task lacks on the node; what it has there stays.
bool MemoryManager::make_room_for(std::span<const Use> uses, NodeId node) {
  const auto each_replica = [&](auto&& f) {
    for (const auto [datum, mode] : uses)
      if (takes_room(mode) && replica(datum, node).allocated) f(datum);
  };
  each_replica([&](std::uint32_t datum) { pin(datum, node); });
  const bool made = make_room(node, bytes_to_reserve(uses, node));
  each_replica([&](std::uint32_t datum) { unpin(datum, node); });
  return made;
}

/// Takes room for all of them, or for none. @returns Whether there is room now; if not, what can leave is on its way.
/// @param at_once  There is none too little by the books.
bool MemoryManager::reserve(std::span<const Use> uses, NodeId node, bool at_once) {
  for (;;) {
    const std::uint64_t capacity = nodes_[node.index()].capacity;
    if (bytes_to_reserve(uses, node) != 0 && !make_room_for(uses, node) && !at_once) return false;
    taken_.clear();
    const bool have_all = std::ranges::all_of(uses, [&](const Use& use) {
      if (!takes_room(use.mode) || replica(use.datum, node).allocated) return true;
      if (!allocate(use.datum, node)) return false;
      taken_.push_back(use.datum);
      return true;
    });
    if (have_all) return true;
    for (const std::uint32_t taken : taken_) drop(taken, node);
    // The node has turned out to be smaller than it said: once more by the new books, since what is unused may leave it.
    if (nodes_[node.index()].capacity == capacity || !can_ever_hold(uses, node)) return false;
  }
}

LargestMemories::LargestMemories(const Machine& machine) {
  constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
  for (const Worker& worker : machine.workers) {
    const MemoryNode& node = machine.memory_nodes[worker.node.index()];
    Largest& largest = by_kind_[static_cast<std::size_t>(machine.classes[worker.worker_class.index()].kind)];
    const std::uint64_t bytes = node.capacity == Bytes(0) ? kNoLimit : node.capacity.value;
    if (bytes > largest.bytes) largest = {bytes, node.name};
  }
}

std::uint8_t LargestMemories::kinds_with_room(const detail::TaskHeader& task, std::uint8_t kinds) const {
  const std::uint64_t needed = MemoryManager::working_set(task).value;
  std::uint8_t fits = 0;
  for (std::size_t kind = 0; kind < kWorkerKinds; ++kind)
    if (needed <= by_kind_[kind].bytes) fits |= static_cast<std::uint8_t>(1U << kind);
  if ((kinds & fits) != 0 || kinds == 0) return kinds & fits;
  std::string sizes;
  for (std::size_t kind = 0; kind < kWorkerKinds; ++kind)
    if ((kinds >> kind & 1U) != 0 && by_kind_[kind].bytes != 0)
      sizes += detail::message(sizes.empty() ? "" : ", ", by_kind_[kind].name, ' ', by_kind_[kind].bytes);
  if (sizes.empty()) return kinds & fits;  // there are no such workers: that is another error
  throw SubmitError(detail::message("submit '", task.name(), "': its data take ", needed,
                                    " bytes, more than any memory where it could run (", sizes, ")"));
}

std::optional<Bytes> MemoryManager::room(NodeId node) const {
  const Node& n = nodes_[node.index()];
  if (n.capacity == 0) return std::nullopt;
  return Bytes(n.capacity > n.pinned ? n.capacity - n.pinned : 0);
}

}  // namespace mitra::memory
