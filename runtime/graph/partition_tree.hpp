// Data in parts, the parts in parts again: who lies in whom, and which level of a tree is current among which tasks.
// Flow: Runtime::tiled -> [partition tree] -> tree levels -> transitions. Thread-safety: each part says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <mitra/detail/partition.hpp>

#include "graph/datum.hpp"

namespace mitra::graph {

/// One way in which a datum is cut. Lives as long as the tree. @thread immutable
struct Partition {
  Datum* whole = nullptr;
  detail::PartitionSpec spec;
  std::vector<std::unique_ptr<Datum>> parts;   ///< Column-major.
  std::vector<detail::DataHeader*> headers;    ///< The same.
  bool read_only() const { return spec.windows; }
};

/// Which of a datum and its parts are current, for the tasks of one domain. @thread under the submission lock
///
///           | the datum | parts of `active`               | parts of other partitions
///  whole    | current   | -                               | stale
///  shared   | current   | current, of all that are active | stale
///  split    | stale     | current, of the only one        | stale
///  unknown  | of a recording: what comes before its replay decides
///
/// Below a datum that is current nothing is split; below one that is stale, and not split, nothing counts.
struct TreeLevel {
  enum class Mode : std::uint8_t { whole, shared, split, unknown };
  Mode mode = Mode::whole;
  std::vector<Partition*> active;

  bool has(const Partition* partition) const {
    for (const Partition* p : active)
      if (p == partition) return true;
    return false;
  }
  void set(Mode to, Partition* only = nullptr) {
    mode = to;
    active.clear();
    if (only != nullptr) active.push_back(only);
  }
};

/// The place of a datum that has parts, or is one.
struct TreeNode {
  Datum* root = nullptr;          ///< Owns the tree. @thread immutable, as the next three
  Partition* within = nullptr;    ///< Null for the root.
  std::size_t offset = 0;         ///< Bytes from the root's address.
  std::uint32_t depth = 0;
  std::vector<std::unique_ptr<Partition>> partitions;  ///< @thread added under the engine's lock on data
  TreeLevel level;                ///< Among tasks that no task submitted.
};

inline Datum* parent_of(const Datum& datum) { return datum.tree->within == nullptr ? nullptr : datum.tree->within->whole; }
inline bool in_tree(const Datum& datum) { return datum.root.in_tree.load(std::memory_order_acquire); }
inline Datum& root_of(Datum& datum) { return in_tree(datum) ? *datum.tree->root : datum; }

/// Is `datum` the same as `whole`, or a part of it, or a part of its parts?
inline bool lies_in(const Datum& datum, const Datum& whole) {
  if (&datum == &whole) return true;
  if (!in_tree(datum) || !in_tree(whole) || datum.tree->root != whole.tree->root) return false;
  const Datum* at = &datum;
  while (at != nullptr && at != &whole) at = parent_of(*at);
  return at != nullptr;
}

/// Can both not be current at the same time, if one of them is written? A datum and what lies in it; members of two
/// partitions of one datum, also where they do not overlap; and neighbouring windows.
bool exclude_each_other(const Datum& a, const Datum& b);

/// Calls f(Datum&) for the datum and for everything that lies in it.
template <class F>
void for_each_in_tree(Datum& datum, F&& f) {
  f(datum);
  if (datum.tree == nullptr) return;
  for (auto& partition : datum.tree->partitions)
    for (auto& part : partition->parts) for_each_in_tree(*part, f);
}

/// A handle's share of a datum: of the tree that it lies in.
inline std::shared_ptr<detail::DataHeader> share_of(Datum& datum) {
  return {root_of(datum).shared_from_this(), &datum};
}

/// @returns The partition of the datum with this specification; null if there is none.
Partition* find_partition(const Datum& whole, const detail::PartitionSpec& spec);
/// Cuts the datum's extent. The parts know their place and shape, and have no address yet if the root has none.
std::unique_ptr<Partition> make_partition(Datum& whole, const detail::PartitionSpec& spec);
/// The root has moved: so have all its parts.
void place_parts(Datum& root);

}  // namespace mitra::graph
