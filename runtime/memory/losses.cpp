// A memory that is gone with what lay there alone, and what is made of it.
// Flow: client -> [losses] -> client: restored content -> memory manager.
#include <algorithm>
#include <utility>

#include "memory/memory_manager.hpp"

namespace mitra::memory {

std::vector<std::uint32_t> MemoryManager::lose(NodeId node) {
  Node& n = nodes_[node.index()];
  n.gone = n.left_out = true;
  std::vector<std::uint32_t> lost;
  for (Transfer& transfer : transfers_) {
    if (transfer.datum == kNone || (transfer.from != node && transfer.to != node) || transfer.restores) continue;
    transfer.doomed = true;
    if (transfer.to != node) continue;
    for (const std::uint32_t ticket : transfer.tickets)
      if (tickets_[ticket].node == node) tickets_[ticket].refused = true;
  }
  for (std::uint32_t d = 1; d < data_.size(); ++d) {
    Replica& r = replica(d, node);
    if (!r.allocated) continue;
    if (r.state != ReplicaState::invalid) {
      set_state(d, node, ReplicaState::invalid);
      if (data_[d].valid == 0 && data_[d].header != nullptr) lost.push_back(d);
    }
    if (r.transfer == kNone && r.pins == 0) drop(d, node);
  }
  for (const std::uint32_t ticket : std::exchange(n.waiting, {})) client_.data_refused(ticket, Refusal::lost_node);
  return lost;
}

void MemoryManager::restore(std::uint32_t datum) {
  const NodeId home(0);
  Replica& r = replica(datum, home);
  if (r.transfer != kNone) {
    transfers_[r.transfer].doomed = false;
    transfers_[r.transfer].restores = true;
    return;
  }
  if (r.pins != r.outgoing) return;  // by a task, which overwrites it: who would read it waits for a transfer
  if (!r.allocated) allocate(datum, home);
  if (r.outgoing == 0) {
    client_.put_home(datum);
    set_state(datum, home, ReplicaState::modified);
    return list(datum, home);
  }
  // Older content is still on its way from there: a transfer that has nothing to copy, and waits for those.
  const std::uint32_t transfer = new_transfer({.datum = datum, .from = home, .to = home, .urgent = true, .restores = true});
  r.transfer = transfer;
  hold_up(transfer);
  pin(datum, home);
  ++r.outgoing;
  client_.home_changed(datum);
}

}  // namespace mitra::memory
