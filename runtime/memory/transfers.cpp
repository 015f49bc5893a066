// Where content is fetched from, and what follows when it has arrived, or has not.
// Flow: memory manager -> [transfers] -> driver -> transfer's end -> memory manager.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "memory/memory_manager.hpp"
#include "memory/task_data.hpp"

namespace mitra::memory {

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

/// The valid replica from which a copy arrives first: behind those that are on their way from the same place.
/// @returns Not valid() if the way leads through the host's memory.
NodeId MemoryManager::best_source(std::uint32_t datum, NodeId to) const {
  const Datum& d = data_[datum];
  if (d.valid <= 1) return client_.reaches(d.any_valid, to) ? d.any_valid : NodeId();
  NodeId best;
  Seconds least;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    if (NodeId(n) == to || replica(datum, NodeId(n)).state == ReplicaState::invalid || !client_.reaches(NodeId(n), to)) continue;
    const Seconds time = client_.wait_time(NodeId(n), to) + client_.copy_time(NodeId(n), to, Bytes(d.size));
    if (best.valid() && time >= least) continue;
    best = NodeId(n);
    least = time;
  }
  return best;
}

/// Over idle links. What nobody has written comes from the host's memory.
Seconds MemoryManager::arrival_time(std::uint32_t datum, NodeId to) const {
  const Bytes size(data_[datum].size);
  const NodeId host = host_of_[to.index()], from = data_[datum].valid == 0 ? host : best_source(datum, to);
  if (from == to) return {};
  if (from.valid()) return client_.copy_time(from, to, size);
  return client_.copy_time(data_[datum].any_valid, host, size) + client_.copy_time(host, to, size);
}

/// A broadcast spreads: when copies of the datum are on their way from `from` already, one that has arrived elsewhere may
/// be the better source. @returns The transfer to wait for; none if `from` is as good.
std::uint32_t MemoryManager::source_under_way(std::uint32_t datum, NodeId from, NodeId to) const {
  if (replica(datum, from).outgoing == 0) return kNone;
  const Bytes size(data_[datum].size);
  std::uint32_t best = kNone;
  Seconds least = client_.wait_time(from, to) + client_.copy_time(from, to, size);
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const Replica& r = replica(datum, NodeId(n));
    if (NodeId(n) == to || r.transfer == kNone) continue;
    const Transfer& t = transfers_[r.transfer];
    if (!t.started || t.doomed || t.write_back || !client_.reaches(NodeId(n), to)) continue;
    // Those that wait for it go one after the other.
    const Seconds time = client_.wait_time(t.from, NodeId(n)) + client_.wait_time(NodeId(n), to) +
                         client_.copy_time(NodeId(n), to, Bytes(size.value * (1 + r.outgoing)));
    if (time >= least) continue;
    best = r.transfer;
    least = time;
  }
  return best;
}

/// @pre room on `to` is taken, the replica is invalid, another one is valid or on its way. @returns The transfer to it.
std::uint32_t MemoryManager::fetch(std::uint32_t datum, NodeId to, bool urgent) {
  Replica& target = replica(datum, to);
  if (target.transfer != kNone) {
    if (urgent) hasten(target.transfer);
    return target.transfer;
  }
  const bool restored = is_restored(datum);
  NodeId from = restored ? NodeId(0) : best_source(datum, to);
  std::uint32_t before = kNone;
  if (restored) {
    before = replica(datum, from).transfer;
  } else if (from.valid()) {
    MITRA_CHECK(from != to && replica(datum, from).state != ReplicaState::invalid, "datum ", datum, " is fetched to node ", to.value,
                " from node ", from.value, ", of ", data_[datum].valid, " that hold it; state here ", int(target.state));
    before = source_under_way(datum, from, to);
    if (before != kNone) from = transfers_[before].to;
  } else {
    from = host_of_[to.index()];
    // What only passes through takes room there even if there is none by the books: it has no other way.
    if (!replica(datum, from).allocated) static_cast<void>(make_room(from, room_for(datum, from)));
    const bool has_room = replica(datum, from).allocated || allocate(datum, from);
    MITRA_CHECK(has_room, "the host has no memory for datum ", datum, ", which passes through it");
    before = fetch(datum, from, urgent);
  }
  const std::uint32_t transfer = new_transfer({.datum = datum, .from = from, .to = to, .urgent = urgent, .follows = before != kNone});
  target.transfer = transfer;
  pin(datum, from);
  ++replica(datum, from).outgoing;
  if (from == NodeId(0)) client_.home_changed(datum);
  if (before != kNone) {
    transfers_[before].followers.push_back(transfer);
    if (urgent) hasten(before);
  }
  if (target.outgoing != 0) hold_up(transfer);
  start_if_free(transfer);
  return transfer;
}

/// What its target held before may still be on its way elsewhere, where nobody needs it any more.
void MemoryManager::hold_up(std::uint32_t transfer) {
  Transfer& held = transfers_[transfer];
  for (std::uint32_t t = 0; t < transfers_.size(); ++t) {
    if (t == transfer || transfers_[t].datum != held.datum || transfers_[t].from != held.to || transfers_[t].contribution) continue;
    transfers_[t].held_up.push_back(transfer);
    ++held.in_the_way;
  }
}

/// Those that it held up begin, or end where nobody wants them any more.
void MemoryManager::end_of_way(const Transfer& transfer) {
  for (const std::uint32_t held : transfer.held_up) {
    --transfers_[held].in_the_way;
    start_if_free(held);
  }
}

void MemoryManager::start_if_free(std::uint32_t number) {
  const Transfer& transfer = transfers_[number];
  if (transfer.follows || transfer.in_the_way != 0) return;
  if (transfer.doomed || transfer.from == transfer.to)  // nobody wants it any more, or there is nothing to copy
    copy_arrived(number);
  else
    start(number);
}

void MemoryManager::start(std::uint32_t number) {
  Transfer& transfer = transfers_[number];
  transfer.started = true;
  client_.start_copy({.transfer = number, .datum = transfer.datum, .from = transfer.from, .to = transfer.to,
                      .size = Bytes(data_[transfer.datum].size), .urgent = transfer.urgent, .contribution = transfer.contribution});
}

/// Somebody waits for it, and for those before it.
void MemoryManager::hasten(std::uint32_t number) {
  Transfer& transfer = transfers_[number];
  if (std::exchange(transfer.urgent, true)) return;
  if (transfer.started) return client_.hasten(number);
  const std::uint32_t before = replica(transfer.datum, transfer.from).transfer;
  if (before != kNone) hasten(before);
}

/// Its source may go, and be written.
void MemoryManager::end_at_source(const Transfer& transfer) {
  --replica(transfer.datum, transfer.from).outgoing;
  if (transfer.from == NodeId(0)) client_.home_changed(transfer.datum);
  if (transfer.write_back) nodes_[transfer.from.index()].leaving -= data_[transfer.datum].size;
  unpin(transfer.datum, transfer.from);
}

void MemoryManager::prefetch(std::span<const Use> uses, NodeId node) {
  const Node& n = nodes_[node.index()];
  if (n.left_out) return;
  for (const auto [datum, mode] : uses) {
    Replica& r = replica(datum, node);
    const std::uint64_t size = data_[datum].size;
    if (!fetches(mode) || r.allocated || !is_written(datum)) continue;
    if (n.capacity != 0 && (n.used + size > n.capacity || !n.waiting.empty())) return;
    if (!allocate(datum, node)) return;
    fetch(datum, node, false);
  }
}

void MemoryManager::write_back(const detail::DataHeader& data) {
  if (data.replicas == 0 || data_[data.replicas].valid == 0) return;
  const NodeId host = host_of_[data_[data.replicas].any_valid.index()];
  const Use use{data.replicas, AccessMode::read};
  prefetch(std::span<const Use>(&use, 1), host);
}

void MemoryManager::copy_arrived(std::uint32_t number) {
  Transfer transfer = std::exchange(transfers_[number], {});
  free_transfers_.push_back(number);
  const std::uint32_t datum = transfer.datum;
  const NodeId from = transfer.from, to = transfer.to;
  std::vector<Transfer> lost_followers;
  if (!transfer.contribution) {
    Replica& target = replica(datum, to);
    target.transfer = kNone;
    const bool stale = transfer.doomed || transfer.given_up || data_[datum].header == nullptr;
    if (!stale) {
      if (transfer.restores) client_.put_home(datum);
      set_state(datum, to, ReplicaState::shared);
      client_.arrived(datum, to);
      Replica& source = replica(datum, from);
      source.state = after(source.state, ReplicaEvent::read_elsewhere);
      if (data_[datum].valid == 1) target.state = ReplicaState::modified;  // it was restored: the source has older content
    }
    end_at_source(transfer);
    if (transfer.write_back && !stale && replica(datum, from).pins == 0) {
      drop(datum, from);
      if (data_[datum].valid == 1) target.state = ReplicaState::modified;  // otherwise, somebody fetched it meanwhile
    }
    for (const std::uint32_t follower : transfer.followers) {
      if (!stale) {
        transfers_[follower].follows = false;
        start_if_free(follower);
        continue;
      }
      // What was to be passed on never came, or is not the content any more.
      const Transfer& lost = lost_followers.emplace_back(std::exchange(transfers_[follower], {}));
      free_transfers_.push_back(follower);
      Replica& end = replica(datum, lost.to);
      end.transfer = kNone;
      end_at_source(lost);
      const bool wanted = !transfer.given_up && !nodes_[lost.to.index()].gone && is_written(datum) && data_[datum].header != nullptr && !lost.tickets.empty() && end.state == ReplicaState::invalid;
      if (wanted) {
        auto& tickets = transfers_[fetch(datum, lost.to, true)].tickets;
        tickets.insert(tickets.end(), lost.tickets.begin(), lost.tickets.end());
      } else {
        transfer.tickets.insert(transfer.tickets.end(), lost.tickets.begin(), lost.tickets.end());
        if (end.pins == 0 && end.state == ReplicaState::invalid) drop(datum, lost.to);
      }
    }
    // Somebody wants what was written meanwhile, elsewhere: between a parent and its children the order of submission does
    // not keep readers and writers apart.
    if (stale && !transfer.given_up && !nodes_[to.index()].gone && data_[datum].header != nullptr && !transfer.tickets.empty() && target.pins != 0 &&
        replica(datum, to).state == ReplicaState::invalid && is_written(datum)) {
      auto& tickets = transfers_[fetch(datum, to, true)].tickets;
      tickets.insert(tickets.end(), transfer.tickets.begin(), transfer.tickets.end());
      transfer.tickets.clear();
    }
    if (replica(datum, to).pins == 0 && replica(datum, to).transfer == kNone) {
      if (replica(datum, to).state == ReplicaState::invalid)
        drop(datum, to);
      else
        list(datum, to);
    }
    free_number(datum);
  }
  if (data_[datum].lost)  // for good
    for (const std::uint32_t ticket : transfer.tickets) tickets_[ticket].refused |= wants(ticket, datum);
  end_of_way(transfer);
  for (const Transfer& lost : lost_followers) end_of_way(lost);
  for (const std::uint32_t ticket : transfer.tickets)
    if (--tickets_[ticket].missing == 0) tell(ticket);
  admit_waiting(from);
  admit_waiting(to);
  retry_stuck();
}

void MemoryManager::copy_failed(std::uint32_t number) {
  constexpr std::uint8_t kAttempts = 3;
  Transfer& transfer = transfers_[number];
  if (transfer.doomed || transfer.restores) return copy_arrived(number);  // nobody wants what it would have brought
  if (data_[transfer.datum].header != nullptr && ++transfer.failures < kAttempts) {
    return start(number);
  }
  for (const std::uint32_t ticket : transfer.tickets) tickets_[ticket].refused = true;
  for (const std::uint32_t follower : transfer.followers)
    for (const std::uint32_t ticket : transfers_[follower].tickets) tickets_[ticket].refused = true;
  transfer.given_up = true;
  copy_arrived(number);
}

}  // namespace mitra::memory
