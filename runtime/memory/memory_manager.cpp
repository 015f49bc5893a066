// Data, transfers, and what tasks need of them. Room and who has to leave it: memory_room.cpp.
// Flow: worker -> [memory manager] -> driver -> transfer's end -> worker.
#include "memory/memory_manager.hpp"

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "memory/task_data.hpp"

namespace mitra::memory {

namespace {

bool fetches(AccessMode mode) { return mode == AccessMode::read || mode == AccessMode::readwrite || mode == AccessMode::commute; }
bool writes(AccessMode mode) {
  return mode == AccessMode::write || mode == AccessMode::readwrite || mode == AccessMode::commute;
}

}  // namespace

MemoryManager::MemoryManager(const Machine& machine, MemoryClient& client, bool asks_for_victims)
    : client_(client), asks_for_victims_(asks_for_victims), nodes_(machine.memory_nodes.size()),
      replicas_(machine.memory_nodes.size()), data_(1) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].capacity = machine.memory_nodes[i].capacity.value;
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

void MemoryManager::add(detail::DataHeader& data, bool lent) {
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
  data_[number] = Datum{.header = &data, .size = size};
  data.replicas = number;
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

void MemoryManager::forget(detail::DataHeader& data) {
  const std::uint32_t number = std::exchange(data.replicas, 0);
  if (number == 0) return;
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
  if (!under_way) free_data_.push_back(number);  // otherwise its transfers still name it, and the last of them frees it
}

// ------------------------------------------------------------------------------------------------ transfers

std::uint32_t MemoryManager::new_transfer(Transfer transfer) {
  if (free_transfers_.empty()) {
    free_transfers_.push_back(static_cast<std::uint32_t>(transfers_.size()));
    transfers_.emplace_back();
  }
  const std::uint32_t number = free_transfers_.back();
  free_transfers_.pop_back();
  transfers_[number] = std::move(transfer);
  return number;
}

NodeId MemoryManager::best_source(std::uint32_t datum, NodeId to) const {
  const Datum& d = data_[datum];
  if (d.valid <= 1) return d.any_valid;
  NodeId best;
  Seconds least;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    if (NodeId(n) == to || replica(datum, NodeId(n)).state == ReplicaState::invalid) continue;
    const Seconds time = client_.copy_time(NodeId(n), to, Bytes(d.size));
    if (best.valid() && time >= least) continue;
    best = NodeId(n);
    least = time;
  }
  return best;
}

/// @pre room on `to` is taken, the replica is invalid, another one is valid. @returns The transfer under way to it.
std::uint32_t MemoryManager::fetch(std::uint32_t datum, NodeId to, bool urgent) {
  Replica& target = replica(datum, to);
  if (target.transfer != kNone) return target.transfer;
  const NodeId from = best_source(datum, to);
  MITRA_CHECK(from != to && replica(datum, from).state != ReplicaState::invalid, "datum ", datum, " is fetched to node ", to.value,
              " from node ", from.value, ", of ", data_[datum].valid, " that hold it; state here ", int(target.state));
  const std::uint32_t transfer = new_transfer({.datum = datum, .from = from, .to = to});
  target.transfer = transfer;
  pin(datum, from);
  client_.start_copy(from, to, Bytes(data_[datum].size), urgent, transfer);
  return transfer;
}

void MemoryManager::copy_arrived(std::uint32_t number) {
  Transfer transfer = std::exchange(transfers_[number], {});
  free_transfers_.push_back(number);
  const std::uint32_t datum = transfer.datum;
  const NodeId from = transfer.from, to = transfer.to;
  if (!transfer.contribution) {
    Replica& target = replica(datum, to);
    target.transfer = kNone;
    const bool stale = transfer.doomed || data_[datum].header == nullptr;
    if (!stale) {
      set_state(datum, to, ReplicaState::shared);
      Replica& source = replica(datum, from);
      source.state = after(source.state, ReplicaEvent::read_elsewhere);
    }
    if (transfer.write_back) nodes_[from.index()].leaving -= data_[datum].size;
    unpin(datum, from);
    if (transfer.write_back && !stale && replica(datum, from).pins == 0) {
      drop(datum, from);
      if (data_[datum].valid == 1) target.state = ReplicaState::modified;  // otherwise, somebody fetched it meanwhile
    }
    // Somebody wants what was written meanwhile, elsewhere: between a parent and its children the order of submission does
    // not keep readers and writers apart.
    if (stale && !transfer.tickets.empty() && target.state == ReplicaState::invalid) {
      auto& tickets = transfers_[fetch(datum, to, true)].tickets;
      tickets.insert(tickets.end(), transfer.tickets.begin(), transfer.tickets.end());
      transfer.tickets.clear();
    }
    if (target.pins == 0) {
      if (target.state == ReplicaState::invalid)
        drop(datum, to);
      else
        list(datum, to);
    }
    if (data_[datum].header == nullptr && data_[datum].copies == 0) free_data_.push_back(datum);
  }
  for (const std::uint32_t ticket : transfer.tickets)
    if (--tickets_[ticket].missing == 0) client_.data_ready(ticket);
  admit_waiting(from);
  admit_waiting(to);
  retry_stuck();
}

// ------------------------------------------------------------------------------------------------ tasks

std::uint64_t MemoryManager::bytes_to_reserve(const detail::TaskHeader& task, NodeId node) const {
  std::uint64_t bytes = 0;
  std::uint32_t counted = kNone;  // a family whose room is in `bytes`
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    const Replica& r = replica(datum, node);
    if (mode == AccessMode::reduce || r.allocated) return;
    if (is_family_home(datum, node) && std::exchange(counted, data_[datum].family) == data_[datum].family) return;
    bytes += room_for(datum, node);
  });
  return bytes;
}

bool MemoryManager::acquire(const detail::TaskHeader& task, NodeId node, std::uint32_t ticket) {
  if (tickets_.size() <= ticket) tickets_.resize(ticket + 1);
  tickets_[ticket] = {&task, node, 0, true};
  Node& n = nodes_[node.index()];
  if (n.capacity != 0) {
    if (bytes_to_reserve(task, node) != 0 && (!n.waiting.empty() || !make_room_for(task, node))) {
      n.waiting.push_back(ticket);
      return false;
    }
  }
  admit(ticket);
  return tickets_[ticket].missing == 0;
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
    if (!make_room_for(*tickets_[ticket].task, node)) return;
    n.waiting.pop_front();
    admit(ticket);
    if (tickets_[ticket].missing == 0) client_.data_ready(ticket);
  }
}

/// The datum has been written by nobody: it comes to be in the host memory of the compute node that asks first.
void MemoryManager::materialise(std::uint32_t datum, NodeId wanted) {
  MITRA_CHECK(!data_[datum].stale, "datum ", datum, " is wanted on node ", wanted.value,
              ", and is not current: its parts are, or what it is a part of");
  const NodeId host = host_of_[wanted.index()];
  Replica& r = replica(datum, host);
  if (!r.allocated) allocate(datum, host);
  set_state(datum, host, ReplicaState::modified);
  if (r.pins == 0) list(datum, host);
}

void MemoryManager::admit(std::uint32_t number) {
  const detail::TaskHeader& task = *tickets_[number].task;
  const NodeId node = tickets_[number].node;
  auto wait_for = [&](std::uint32_t transfer) {
    transfers_[transfer].tickets.push_back(number);
    ++tickets_[number].missing;
  };
  // Room and pins first: what is fetched below may have to come from what would be pushed out.
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    Replica& r = replica(datum, node);
    if (mode == AccessMode::reduce) {
      r.partial = true;
      return;
    }
    if (!r.allocated) allocate(datum, node);
    pin(datum, node);
  });
  const bool folds = (task.traits & detail::kInternal) != 0 && task.accesses == 1;
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    if (!fetches(mode)) {
      // What is on its way would land on top of what the task writes.
      if (mode == AccessMode::write && replica(datum, node).transfer != kNone) wait_for(replica(datum, node).transfer);
      return;
    }
    if (data_[datum].valid == 0) materialise(datum, node);
    if (replica(datum, node).state == ReplicaState::invalid) wait_for(fetch(datum, node, true));
    if (!folds) return;
    for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
      Replica& r = replica(datum, NodeId(n));
      if (!r.partial) continue;
      r.partial = false;
      if (NodeId(n) == node) continue;
      const std::uint32_t transfer = new_transfer({.datum = datum, .from = NodeId(n), .to = node, .contribution = true});
      client_.start_copy(NodeId(n), node, Bytes(data_[datum].size), true, transfer);
      wait_for(transfer);
    }
  });
}

void MemoryManager::release(const detail::TaskHeader& task, NodeId node) {
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    if (mode == AccessMode::reduce) return;
    if (writes(mode)) {
      Replica& own = replica(datum, node);
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
    }
    unpin(datum, node);
  });
  admit_waiting(node);
  retry_stuck();
}

void MemoryManager::release_unused(const detail::TaskHeader& task, NodeId node) {
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    if (mode != AccessMode::reduce) unpin(datum, node);
  });
  admit_waiting(node);
  retry_stuck();
}

void MemoryManager::prefetch(const detail::TaskHeader& task, NodeId node) {
  const Node& n = nodes_[node.index()];
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    Replica& r = replica(datum, node);
    const std::uint64_t size = data_[datum].size;
    if (!fetches(mode) || r.allocated || data_[datum].valid == 0) return;
    if (n.capacity != 0 && (n.used + size > n.capacity || !n.waiting.empty())) return;
    allocate(datum, node);
    fetch(datum, node, false);
  });
}

Bytes MemoryManager::bytes_missing(const detail::TaskHeader& task, NodeId node) const {
  std::uint64_t bytes = 0;
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    const Replica& r = replica(datum, node);
    if (!fetches(mode) || r.state != ReplicaState::invalid || r.transfer != kNone) return;
    if (data_[datum].valid != 0 || host_of_[node.index()] != node) bytes += data_[datum].size;  // unwritten data begin there
  });
  return Bytes(bytes);
}

Seconds MemoryManager::transfer_time(const detail::TaskHeader& task, NodeId node) const {
  Seconds sum;
  for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    const Replica& r = replica(datum, node);
    if (!fetches(mode) || r.state != ReplicaState::invalid || r.transfer != kNone) return;
    const NodeId from = data_[datum].valid == 0 ? host_of_[node.index()] : best_source(datum, node);
    if (from != node) sum += client_.copy_time(from, node, Bytes(data_[datum].size));
  });
  return sum;
}

bool MemoryManager::holds(const detail::DataHeader& data, NodeId node) const {
  if (data.replicas == 0) return true;
  const Replica& r = replica(data.replicas, node);
  return r.state != ReplicaState::invalid || (r.transfer != kNone && !transfers_[r.transfer].doomed);
}

void MemoryManager::check() const {
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    std::uint64_t used = 0, pinned = 0;
    for (std::uint32_t d = 1; d < data_.size(); ++d) {
      const Replica& r = replica(d, NodeId(n));
      used += r.allocated && !is_family_home(d, NodeId(n)) ? data_[d].size : 0;
      pinned += r.pins != 0 ? data_[d].size : 0;
      MITRA_CHECK(r.state == ReplicaState::invalid || !data_[d].stale, "datum ", d, " is stale, and valid on node ", n);
      MITRA_CHECK(r.state == ReplicaState::invalid || r.allocated, "datum ", d, " is valid on node ", n, ", where it has no room");
      MITRA_CHECK(r.state != ReplicaState::modified || data_[d].valid == 1, "datum ", d, " is modified on node ", n, ", and ",
                  data_[d].valid, " replicas are valid");
    }
    MITRA_CHECK(used <= nodes_[n].used, "node ", n, " counts ", nodes_[n].used, " bytes, its replicas ", used);
    MITRA_CHECK(pinned == nodes_[n].pinned, "node ", n, " counts ", nodes_[n].pinned, " pinned bytes, its replicas ", pinned);
  }
}

}  // namespace mitra::memory
