// The tasks that one task has submitted: they are ordered among themselves, and their parent waits for them.
// Flow: submission inside a task -> [domain] -> completion of the parent. Thread-safety: each member says.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <unordered_map>
#include <vector>

#include "graph/partition_tree.hpp"

namespace mitra::engine {

struct Domain {
  std::atomic<std::int64_t> open{1};  ///< Children that have not finished, and the parent's body.
  std::atomic<bool> body_failed{false};       ///< The parent's own body threw, or was poisoned.
  std::unordered_map<graph::Datum*, graph::DependencyState> states;  ///< Under the submission lock.
  std::unordered_map<graph::Datum*, graph::TreeLevel> levels;        ///< Of data with parts. Under the submission lock.
  std::vector<graph::Datum*> open_reductions;  ///< Not folded yet. Under the submission lock.
  std::atomic<int> leases{0};                  ///< Data that the body has acquired. Another thread may release a guard.
  std::exception_ptr first_error;  ///< Of a child, not yet reported to the parent. Under Outcomes' mutex.

  /// The domain of a running parent lies in its `link`, which the policy has given back.
  static Domain& of(const detail::TaskHeader& parent) { return *static_cast<Domain*>(parent.link); }
};

}  // namespace mitra::engine
