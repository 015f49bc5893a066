// Private buffers of a datum: one for each running task that reduces into it, or uses it as scratch.
// A reduce copy starts as the identity, is taken up again by later tasks of the group, and is folded at its end.
// Flow: engine (address of an access) -> [private copies] -> task body, fold task. Thread-safety: thread-safe.
#pragma once

#include <cstddef>
#include <vector>

#include <mitra/driver.hpp>

#include "graph/datum.hpp"

namespace mitra::memory {

/// @returns A buffer of the datum's packed shape, for one task; contributions of earlier tasks may be in it already.
/// @throws std::bad_alloc
void* take_reduce_copy(graph::Datum& datum, const detail::ReduceOperation& operation, Driver& driver);
/// The task is over: what it contributed stays in the copy.
void give_reduce_copy(graph::Datum& datum, void* copy);

void* take_scratch(graph::Datum& datum, Driver& driver);
void give_scratch(graph::Datum& datum, void* buffer);

/// The copies that hold contributions, for the fold that takes them: those which are left at its end become scratch.
class PartialResults {
 public:
  explicit PartialResults(graph::Datum& datum);
  ~PartialResults();
  PartialResults(const PartialResults&) = delete;
  PartialResults& operator=(const PartialResults&) = delete;

  std::size_t size() const { return copies_.size(); }
  void* operator[](std::size_t i) const { return copies_[i]; }
  void* last() const { return copies_.back(); }
  /// The last one is the caller's from now on.
  void release_last() { copies_.pop_back(); }

 private:
  graph::Datum& datum_;
  std::vector<void*> copies_;
};

/// Folds `from` into `into`, both packed; `from` becomes scratch, also where the operation throws.
void fold_copies(graph::Datum& datum, const detail::ReduceOperation& operation, void* into, void* from);
/// Folds a packed copy into the datum itself.
void fold_into_datum(graph::Datum& datum, const detail::ReduceOperation& operation, void* copy);

/// The datum's own memory, allocated now if it was not. @throws std::bad_alloc
void* home_address(graph::Datum& datum, Driver& driver);
/// Gives back all memory that the engine allocated for the datum.
/// Gives the datum's memory at home back, if it is Mitra's own and no parts lie in it. @pre nobody uses it
void free_home(graph::Datum& datum, Driver& driver) noexcept;
void release_all(graph::Datum& datum, Driver& driver) noexcept;

}  // namespace mitra::memory
