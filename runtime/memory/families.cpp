// Partition trees: data that are parts of one another. On a host they share the root's memory; elsewhere each has replicas
// of its own, and transitions say which of them are current.
// Flow: partition -> families; transition's end -> [families] -> replicas.
#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "memory/memory_manager.hpp"
#include "memory/task_data.hpp"

namespace mitra::memory {

// ------------------------------------------------------------------------------------------------ room

void MemoryManager::join_family(detail::DataHeader& part, detail::DataHeader& root) {
  if (root.replicas == 0 || part.replicas == 0) return;
  Datum& whole = data_[root.replicas];
  if (whole.family == kNone) {
    if (free_families_.empty()) {
      free_families_.push_back(static_cast<std::uint32_t>(families_.size()));
      families_.emplace_back();
    }
    const std::uint32_t number = free_families_.back();
    free_families_.pop_back();
    families_[number] = {whole.keeps_home ? 0 : whole.size, 1, std::vector<bool>(nodes_.size(), false)};
    for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
      if (host_of_[n] != NodeId(n) || !replica(root.replicas, NodeId(n)).allocated) continue;
      unlist(root.replicas, NodeId(n));  // the memory stays as long as the family does
      families_[number].has_room[n] = true;
    }
    whole.family = number;
  }
  Datum& own = data_[part.replicas];
  own.family = whole.family;
  own.stale = true;  // until it enters
  ++families_[own.family].members;
}

void MemoryManager::leave_family(std::uint32_t datum) {
  const std::uint32_t number = data_[datum].family;
  if (number == kNone || --families_[number].members != 0) return;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n)
    if (families_[number].has_room[n]) give_room(NodeId(n), families_[number].size);
  free_families_.push_back(number);
}

/// @returns What one more replica takes on the node.
std::uint64_t MemoryManager::room_for(std::uint32_t datum, NodeId node) const {
  if (!is_kept(datum, node)) return data_[datum].size;
  if (data_[datum].family == kNone) return 0;  // the application has it
  const Family& family = families_[data_[datum].family];
  return family.has_room[node.index()] ? 0 : family.size;
}

void MemoryManager::take_family_room(std::uint32_t datum, NodeId node) {
  take_room(node, room_for(datum, node));
  families_[data_[datum].family].has_room[node.index()] = true;
}

// ------------------------------------------------------------------------------------------------ which level is current

void MemoryManager::make_current(std::uint32_t datum, NodeId node) {
  if (data_[datum].valid != 0) return;  // current already, in another domain: of equal content
  Replica& r = replica(datum, node);
  if (r.transfer != kNone) transfers_[r.transfer].doomed = true;
  if (!r.allocated) allocate(datum, node);
  set_state(datum, node, ReplicaState::modified);
  if (r.pins == 0 && r.transfer == kNone) list(datum, node);
}

void MemoryManager::make_stale(std::uint32_t datum) {
  data_[datum].stale = true;
  for (std::uint32_t n = 0; data_[datum].copies > 0 && n < nodes_.size(); ++n) {
    Replica& r = replica(datum, NodeId(n));
    if (!r.allocated) continue;
    if (r.state != ReplicaState::invalid) set_state(datum, NodeId(n), ReplicaState::invalid);
    if (r.transfer != kNone)
      transfers_[r.transfer].doomed = true;
    else if (r.pins == 0)
      drop(datum, NodeId(n));
  }
}

void MemoryManager::regrouped(const detail::TaskHeader& transition, NodeId node) {
  const detail::AccessWord* words = transition.access_words();
  for (std::size_t i = 0; i < transition.accesses; ++i) {
    const std::uint32_t datum = words[i].data()->replicas;
    const unsigned bits = words[i].operation();
    if (datum == 0) continue;
    Datum& d = data_[datum];
    if (bits & graph::kEnter) {
      d.stale = false;
      if (bits & graph::kPart) ++d.entered;
      if (!(bits & graph::kNothing)) make_current(datum, node);
    }
    if (bits & graph::kLeave) {
      // Other tasks may have cut the same datum, to read it: the part is theirs until the last of them has left it.
      const bool last = !(bits & graph::kPart) || d.entered <= 1;
      if ((bits & graph::kPart) && d.entered != 0) --d.entered;
      if (last) make_stale(datum);
    }
  }
  for (std::uint32_t n = 0; n < nodes_.size(); ++n)
    if (!nodes_[n].waiting.empty()) admit_waiting(NodeId(n));
  retry_stuck();
}

void MemoryManager::enter_fresh(detail::DataHeader& whole, std::span<detail::DataHeader* const> parts, bool stays) {
  if (whole.replicas == 0) return;
  const bool written = data_[whole.replicas].valid != 0;
  const NodeId node = data_[whole.replicas].any_valid;
  for (detail::DataHeader* part : parts) {
    Datum& d = data_[part->replicas];
    d.stale = false;
    ++d.entered;
    if (written) make_current(part->replicas, node);
  }
  if (!stays) make_stale(whole.replicas);
}

}  // namespace mitra::memory
