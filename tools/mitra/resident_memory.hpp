// How much memory a piece of work took: the growth of what is resident, at its peak.
// Flow: bench simulator -> [resident memory]. Thread-safety: one thread; other threads' memory counts, too.
#pragma once

#include <optional>

#include <mitra/types.hpp>

namespace mitra::tool {

/// Begins with its construction. Linux resets the peak of a process where it may write /proc/self/clear_refs.
class ResidentGrowth {
 public:
  ResidentGrowth();
  /// @returns Peak since the construction less what was resident then; nothing where the system does not tell.
  std::optional<Bytes> peak() const;

 private:
  std::optional<Bytes> before_;
};

}  // namespace mitra::tool
