// Data, and what tasks need of them. Transfers: transfers.cpp. Room and who has to leave it: memory_room.cpp.
// Flow: worker -> [memory manager] -> driver -> transfer's end -> worker.
#include "memory/memory_manager.hpp"

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "memory/task_data.hpp"

namespace mitra::memory {

MemoryManager::MemoryManager(const Machine& machine, MemoryClient& client, bool asks_for_victims, bool unwritten_at_home)
    : client_(client), asks_for_victims_(asks_for_victims), unwritten_at_home_(unwritten_at_home),
      nodes_(machine.memory_nodes.size()), replicas_(machine.memory_nodes.size()), data_(1) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].capacity = machine.memory_nodes[i].capacity.value;
    if (nodes_[i].capacity != 0) smallest_ = std::min(smallest_, nodes_[i].capacity);
    std::size_t host = 0;
    while (machine.memory_nodes[host].compute_node != machine.memory_nodes[i].compute_node) ++host;
    host_of_.push_back(NodeId(static_cast<std::uint32_t>(host)));
  }
}

Bytes MemoryManager::working_set(const detail::TaskHeader& task) {
  std::uint64_t sum = 0;
  const detail::AccessWord* words = task.access_words();
  for (std::size_t i = 0; i < task.accesses; ++i) {
    bool seen = false;
    for (std::size_t j = 0; j < i; ++j) seen |= words[j].data() == words[i].data();
    if (!seen) sum += words[i].data()->shape.bytes().value;
  }
  return Bytes(sum);
}

// ------------------------------------------------------------------------------------------------ data

void MemoryManager::add(detail::DataHeader& data, bool lent, bool keeps_home) {
  const std::uint64_t size = data.shape.bytes().value;
  if (size == 0) return;  // a token lies nowhere
  std::uint32_t number;
  if (!free_data_.empty()) {
    number = free_data_.back();
    free_data_.pop_back();
  } else {
    number = static_cast<std::uint32_t>(data_.size());
    data_.emplace_back();
    replicas_.resize(data_.size() * nodes_.size());
  }
  data_[number] = Datum{.header = &data, .size = size, .keeps_home = keeps_home};
  data.replicas = number;
  bytes_ += size;
  if (!lent) return;
  allocate(number, NodeId(0));
  set_state(number, NodeId(0), ReplicaState::modified);
  list(number, NodeId(0));
}

void MemoryManager::place_as(detail::DataHeader& data, const MemoryManager& other, const detail::DataHeader& model) {
  if (data.replicas == 0) return;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const ReplicaState state = other.replica(model.replicas, NodeId(n)).state;
    if (state == ReplicaState::invalid) continue;
    allocate(data.replicas, NodeId(n));
    set_state(data.replicas, NodeId(n), state);
    list(data.replicas, NodeId(n));
  }
}

void MemoryManager::free_number(std::uint32_t datum) {
  if (data_[datum].header == nullptr && data_[datum].copies == 0) free_data_.push_back(datum);
}

void MemoryManager::forget(detail::DataHeader& data) {
  const std::uint32_t number = std::exchange(data.replicas, 0);
  if (number == 0) return;
  bytes_ -= data_[number].size;
  next_uses_.forget(number);
  bool under_way = false;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    Replica& r = replica(number, NodeId(n));
    r.partial = false;
    if (!r.allocated) continue;
    if (r.state != ReplicaState::invalid) set_state(number, NodeId(n), ReplicaState::invalid);
    if (r.transfer != kNone) {
      transfers_[r.transfer].doomed = true;
      under_way = true;
    } else if (r.pins == 0) {
      drop(number, NodeId(n));
    } else {
      under_way = true;  // the source of a transfer
    }
  }
  leave_family(number);
  data_[number].header = nullptr;
  if (!under_way) free_number(number);  // otherwise its transfers still name it, and the last of them frees it
}

/// The datum has been written by nobody, and is to be read.
void MemoryManager::materialise(std::uint32_t datum, NodeId wanted) {
  MITRA_CHECK(!data_[datum].stale, "datum ", datum, " is wanted on node ", wanted.value,
              ", and is not current: its parts are, or what it is a part of");
  const NodeId at = unwritten_at_home_ ? host_of_[wanted.index()] : wanted;
  Replica& r = replica(datum, at);
  if (!r.allocated) allocate(datum, at);
  set_state(datum, at, ReplicaState::modified);
  if (r.pins == 0) list(datum, at);
}

HomeState MemoryManager::home(std::uint32_t datum) const {
  const Replica& r = replica(datum, NodeId(0));
  // Where room is limited, what is looked at has to be pinned.
  if (r.state == ReplicaState::invalid || nodes_[0].capacity != 0) return HomeState::absent;
  return r.state == ReplicaState::modified && r.outgoing == 0 && data_[datum].valid == 1 ? HomeState::exclusive : HomeState::readable;
}

// ------------------------------------------------------------------------------------------------ tasks

namespace {

void collect(const detail::TaskHeader& task, std::vector<Use>& uses) {
  uses.clear();
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) { uses.push_back({datum, mode}); });
}

}  // namespace

bool MemoryManager::acquire(const detail::TaskHeader& task, NodeId node, std::uint32_t ticket) {
  collect(task, uses_);
  return acquire(uses_, node, ticket, (task.traits & detail::kInternal) != 0 && task.accesses == 1);
}
void MemoryManager::release(const detail::TaskHeader& task, NodeId node) {
  collect(task, uses_);
  const std::vector<Use> uses = uses_;  // others are looked at meanwhile
  release(uses, node);
}
void MemoryManager::release_unused(const detail::TaskHeader& task, NodeId node) {
  collect(task, uses_);
  const std::vector<Use> uses = uses_;
  release_unused(uses, node);
}
void MemoryManager::prefetch(const detail::TaskHeader& task, NodeId node) {
  collect(task, uses_);
  prefetch(std::span<const Use>(uses_), node);
}

namespace {

/// A transition enters some of its data, or leaves them, without bringing them.
bool is_transition(std::span<const Use> uses) {
  return std::ranges::any_of(uses, [](const Use& use) { return use.mode == AccessMode::scratch; });
}

}  // namespace

/// Nothing has to be brought, nor waited for.
bool MemoryManager::in_place(std::span<const Use> uses, NodeId node) const {
  if (nodes_[node.index()].gone) return false;
  return std::ranges::all_of(uses, [&](const Use& use) {
    const Replica& r = replica(use.datum, node);
    if (!takes_room(use.mode) || !r.allocated || r.transfer != kNone) return false;
    return (!fetches(use.mode) || r.state != ReplicaState::invalid) && (!writes(use.mode) || r.outgoing == 0);
  });
}

bool MemoryManager::acquire(std::span<const Use> uses, NodeId node, std::uint32_t number, bool folds) {
  if (!folds && in_place(uses, node)) {
    for (const Use& use : uses) pin(use.datum, node);
    return true;
  }
  if (tickets_.size() <= number) tickets_.resize(number + 1);
  Ticket& ticket = tickets_[number];
  ticket.uses.assign(uses.begin(), uses.end());
  ticket.node = node;
  ticket.missing = 0;
  ticket.folds = folds;
  ticket.refused = false;
  Node& n = nodes_[node.index()];
  if (n.gone) return client_.data_refused(number, Refusal::lost_node), false;
  ticket.lost = std::ranges::any_of(ticket.uses, [&](const Use& use) { return data_[use.datum].lost && fetches(use.mode); });
  if (ticket.lost) {
    if (!is_transition(ticket.uses)) return client_.data_refused(number, Refusal::lost_data), false;
    // The levels of its tree change all the same: when what is under way has ended, as ever.
    ticket.refused = true;
    for (Use& use : ticket.uses) use.mode = AccessMode::scratch;
  }
  if ((!n.waiting.empty() && bytes_to_reserve(ticket.uses, node) != 0) || !reserve(ticket.uses, node, n.excesses != 0)) {
    n.waiting.push_back(number);
    if (n.waiting.size() == 1) admit_waiting(node);  // what cannot ever be had is refused at once
    return false;
  }
  admit(number);
  if (tickets_[number].missing != 0) return false;
  if (!tickets_[number].refused) return true;
  tell(number);
  return false;
}

void MemoryManager::tell(std::uint32_t ticket) {
  if (!tickets_[ticket].refused) return client_.data_ready(ticket);
  const std::vector<Use> uses(tickets_[ticket].uses);
  const bool lost = tickets_[ticket].lost || std::ranges::any_of(uses, [&](const Use& use) { return data_[use.datum].lost && wants(ticket, use.datum); });
  release_unused(uses, tickets_[ticket].node);
  client_.data_refused(ticket, lost ? Refusal::lost_data : Refusal::transfers);
}

void MemoryManager::begin_excess(NodeId host) {
  MITRA_CHECK(host_of_[host.index()] == host, "node ", host.value, " is no host's: it has no more than it has");
  if (nodes_[host.index()].excesses++ == 0) admit_waiting(host);
}

bool MemoryManager::withdraw(std::uint32_t ticket) {
  auto& waiting = nodes_[tickets_[ticket].node.index()].waiting;
  const auto found = std::ranges::find(waiting, ticket);
  if (found == waiting.end()) return false;
  waiting.erase(found);
  return true;
}

/// Nodes that found no room elsewhere for what is to leave them try again: there may be some now.
void MemoryManager::retry_stuck() {
  if (stuck_nodes_ == 0) return;
  stuck_nodes_ = 0;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n)
    if (std::exchange(nodes_[n].stuck, false)) admit_waiting(NodeId(n));
}

void MemoryManager::admit_waiting(NodeId node) {
  Node& n = nodes_[node.index()];
  while (!n.waiting.empty()) {
    const std::uint32_t ticket = n.waiting.front();
    if (!can_ever_hold(tickets_[ticket].uses, node)) {
      n.waiting.pop_front();
      client_.data_refused(ticket, Refusal::no_memory);
      continue;
    }
    // A host's capacity is a wish: where nothing is left that could leave, it takes more.
    const bool nothing_leaves = host_of_[node.index()] == node && n.pinned == 0 && n.leaving == 0;
    if (!reserve(tickets_[ticket].uses, node, n.excesses != 0) && !(nothing_leaves && reserve(tickets_[ticket].uses, node, true))) {
      if (!can_ever_hold(tickets_[ticket].uses, node)) continue;  // the node has turned out to be smaller than it said
      return;
    }
    n.waiting.pop_front();
    admit(ticket);
    if (tickets_[ticket].missing == 0) tell(ticket);
  }
}

/// The datum's content, not only its room.
bool MemoryManager::wants(std::uint32_t ticket, std::uint32_t datum) const {
  return std::ranges::any_of(tickets_[ticket].uses, [&](const Use& use) { return use.datum == datum && fetches(use.mode); });
}

void MemoryManager::wait_for(std::uint32_t ticket, std::uint32_t transfer) {
  transfers_[transfer].tickets.push_back(ticket);
  ++tickets_[ticket].missing;
}

/// Whoever copies from what a task is about to write has to be done before.
void MemoryManager::wait_for_copies_from(std::uint32_t ticket, std::uint32_t datum, NodeId node) {
  if (replica(datum, node).outgoing == 0) return;
  for (std::uint32_t t = 0; t < transfers_.size(); ++t)
    if (transfers_[t].datum == datum && transfers_[t].from == node && !transfers_[t].contribution) wait_for(ticket, t);
}

/// @pre All that the ticket uses has room on its node.
void MemoryManager::admit(std::uint32_t number) {
  const NodeId node = tickets_[number].node;
  const bool folds = tickets_[number].folds;
  const auto& uses = tickets_[number].uses;
  // Room and pins first: what is fetched below may have to come from what would be pushed out.
  for (const auto [datum, mode] : uses) {
    Replica& r = replica(datum, node);
    if (mode == AccessMode::reduce) {
      r.partial = true;
      continue;
    }
    if (!takes_room(mode)) continue;
    MITRA_CHECK(r.allocated, "datum ", datum, " has no room on node ", node.value, ", where it was reserved");
    pin(datum, node);
  }
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto [datum, mode] = uses[i];
    Replica& r = replica(datum, node);
    if (writes(mode) || mode == AccessMode::scratch) wait_for_copies_from(number, datum, node);
    if (!fetches(mode)) {
      // What is on its way would land on top of what the task writes.
      if (mode != AccessMode::reduce && r.transfer != kNone) wait_for(number, r.transfer);
      continue;
    }
    if (!is_written(datum) && r.transfer == kNone) materialise(datum, node);
    if (replica(datum, node).state == ReplicaState::invalid) wait_for(number, fetch(datum, node, true));
    if (!folds) continue;
    for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
      Replica& part = replica(datum, NodeId(n));
      if (!part.partial) continue;
      part.partial = false;
      if (NodeId(n) == node) continue;
      const std::uint32_t transfer = new_transfer({.datum = datum, .from = NodeId(n), .to = node, .contribution = true, .urgent = true});
      start(transfer);
      wait_for(number, transfer);
    }
  }
}

/// The datum's content is what was written on `node`, and nothing else.
void MemoryManager::written(std::uint32_t datum, NodeId node) {
  Replica& own = replica(datum, node);
  if (nodes_[node.index()].gone) return;  // what it wrote is gone with it
  data_[datum].lost = false;
  set_state(datum, node, ReplicaState::modified);
  if (own.transfer != kNone) transfers_[own.transfer].doomed = true;  // fetched by a child, or its parent, meanwhile
  for (std::uint32_t n = 0; data_[datum].copies > 1 && n < nodes_.size(); ++n) {
    Replica& other = replica(datum, NodeId(n));
    if (NodeId(n) == node || !other.allocated) continue;
    if (other.state != ReplicaState::invalid) set_state(datum, NodeId(n), ReplicaState::invalid);
    if (other.transfer != kNone)
      transfers_[other.transfer].doomed = true;
    else if (other.pins == 0)
      drop(datum, NodeId(n));
  }
  if (node == NodeId(0)) client_.home_changed(datum);
}

void MemoryManager::release(std::span<const Use> uses, NodeId node) {
  for (const auto [datum, mode] : uses) {
    if (!takes_room(mode)) continue;
    if (writes(mode)) written(datum, node);
    unpin(datum, node);
  }
  admit_waiting(node);
  retry_stuck();
}

void MemoryManager::release_unused(std::span<const Use> uses, NodeId node) {
  for (const auto [datum, mode] : uses)
    if (takes_room(mode)) unpin(datum, node);
  admit_waiting(node);
  retry_stuck();
}

void MemoryManager::publish(std::span<const Use> uses, NodeId node) {
  for (const auto [datum, mode] : uses) {
    if (writes(mode)) written(datum, node);
    if (takes_room(mode)) ++replica(datum, node).published;
  }
}

void MemoryManager::resume(std::span<const Use> uses, NodeId node) {
  for (const auto [datum, mode] : uses)
    if (takes_room(mode) && replica(datum, node).published != 0) --replica(datum, node).published;
}

bool MemoryManager::acquire_again(std::span<const Use> uses, NodeId node, std::uint32_t number) {
  if (tickets_.size() <= number) tickets_.resize(number + 1);
  tickets_[number].uses.assign(uses.begin(), uses.end());
  for (Use& use : tickets_[number].uses)  // also what it only writes: its children may have
    if (use.mode == AccessMode::write) use.mode = AccessMode::readwrite;
  tickets_[number].node = node;
  tickets_[number].missing = 0;
  tickets_[number].refused = tickets_[number].lost = false;
  for (const auto [datum, mode] : uses) {
    if (!takes_room(mode)) continue;
    // What was fetched for a child that then ran elsewhere may still be under way.
    if (writes(mode)) wait_for_copies_from(number, datum, node);
    if (replica(datum, node).state == ReplicaState::invalid && is_written(datum)) wait_for(number, fetch(datum, node, true));
  }
  return tickets_[number].missing == 0;
}

// ------------------------------------------------------------------------------------------------ questions

Bytes MemoryManager::bytes_missing(const detail::TaskHeader& task, NodeId node) const {
  std::uint64_t bytes = 0;
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    const Replica& r = replica(datum, node);
    if (!fetches(mode) || r.state != ReplicaState::invalid || r.transfer != kNone) return;
    if (data_[datum].valid != 0 || (unwritten_at_home_ && host_of_[node.index()] != node)) bytes += data_[datum].size;
  });
  return Bytes(bytes);
}

Seconds MemoryManager::transfer_time(const detail::TaskHeader& task, NodeId node) const {
  Seconds sum;
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    const Replica& r = replica(datum, node);
    if (!fetches(mode) || r.state != ReplicaState::invalid || r.transfer != kNone) return;
    if (data_[datum].valid == 0 && !unwritten_at_home_) return;
    sum += arrival_time(datum, node);
  });
  return sum;
}

bool MemoryManager::holds(const detail::DataHeader& data, NodeId node) const {
  if (data.replicas == 0) return true;
  const Replica& r = replica(data.replicas, node);
  return r.state != ReplicaState::invalid || (r.transfer != kNone && !transfers_[r.transfer].doomed);
}

bool MemoryManager::is_held(const detail::DataHeader& data) const {
  if (data.replicas == 0) return false;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const Replica& r = replica(data.replicas, NodeId(n));
    if (r.state != ReplicaState::invalid && r.pins != r.outgoing) return true;
  }
  return false;
}

void MemoryManager::check() const {
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    std::uint64_t used = 0, pinned = 0;
    for (std::uint32_t d = 1; d < data_.size(); ++d) {
      const Replica& r = replica(d, NodeId(n));
      used += r.allocated && !is_kept(d, NodeId(n)) ? data_[d].size : 0;
      pinned += r.pins != 0 ? data_[d].size : 0;
      MITRA_CHECK(r.state == ReplicaState::invalid || !data_[d].stale, "datum ", d, " is stale, and valid on node ", n);
      MITRA_CHECK(r.state == ReplicaState::invalid || r.allocated, "datum ", d, " is valid on node ", n, ", where it has no room");
      MITRA_CHECK(r.state != ReplicaState::modified || data_[d].valid == 1, "datum ", d, " is modified on node ", n, ", and ",
                  data_[d].valid, " replicas are valid");
      std::uint32_t outgoing = 0;
      for (const Transfer& t : transfers_) outgoing += t.datum == d && t.from == NodeId(n) && !t.contribution;
      MITRA_CHECK(outgoing == r.outgoing, "datum ", d, " counts ", r.outgoing, " transfers from node ", n, ", and there are ", outgoing);
    }
    MITRA_CHECK(used <= nodes_[n].used, "node ", n, " counts ", nodes_[n].used, " bytes, its replicas ", used);
    MITRA_CHECK(pinned == nodes_[n].pinned, "node ", n, " counts ", nodes_[n].pinned, " pinned bytes, its replicas ", pinned);
  }
}

}  // namespace mitra::memory
