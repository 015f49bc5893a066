// This machine, as hwloc sees it within the process's cpuset.
// Flow: [topology] -> engine -> policies. Thread-safety: immutable code.
#pragma once

#include <mitra/machine.hpp>

namespace mitra::model {

/// @param workers  CPU workers wanted; 0: one for each core allowed. More workers than cores are not bound.
/// @param bind     Workers are to be bound to the processors that share their last-level cache.
/// @throws ConfigError if hwloc cannot tell what this machine is.
Machine discover_machine(unsigned workers, bool bind);

}  // namespace mitra::model
