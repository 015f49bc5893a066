// The data of a task that have replicas, each once.
// Flow: memory manager. Thread-safety: immutable.
#pragma once

#include <cstdint>

#include <mitra/access.hpp>
#include <mitra/detail/task_header.hpp>

#include "graph/tree_levels.hpp"

namespace mitra::memory {

constexpr bool fetches(AccessMode mode) {
  return mode == AccessMode::read || mode == AccessMode::readwrite || mode == AccessMode::commute;
}
constexpr bool writes(AccessMode mode) {
  return mode == AccessMode::write || mode == AccessMode::readwrite || mode == AccessMode::commute;
}

/// A contribution to a reduction lies in a copy of its own. What a transition of a partition tree enters or leaves without
/// bringing it has the mode `scratch`: only the copies under way end before.
constexpr bool takes_room(AccessMode mode) { return mode != AccessMode::reduce && mode != AccessMode::scratch; }

/// Calls f(number, mode) once for each datum of the task that has replicas; of several accesses to one, with the strongest.
template <class F>
void for_each_datum(const detail::TaskHeader& task, F&& f) {
  const detail::AccessWord* words = task.access_words();
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const std::uint32_t number = words[i].data()->replicas;
    if (number == 0 || words[i].mode() == AccessMode::scratch) continue;
    AccessMode mode = words[i].mode();
    if (mode != AccessMode::reduce && words[i].operation() & graph::kTransition) {
      f(number, words[i].operation() & graph::kBring ? AccessMode::read : AccessMode::scratch);
      continue;
    }
    bool seen = false;
    for (std::size_t j = 0; j < task.accesses; ++j) {
      if (j == i || words[j].data() != words[i].data() || words[j].mode() == AccessMode::scratch) continue;
      seen |= j < i;
      if (words[j].mode() != mode) mode = AccessMode::readwrite;
    }
    if (!seen) f(number, mode);
  }
}

}  // namespace mitra::memory
