// This machine, as hwloc sees it within the process's cpuset.
// Flow: [topology] -> engine -> policies. Thread-safety: immutable code.
#pragma once

#include <string_view>

#include <mitra/machine.hpp>

namespace mitra::model {

/// @param workers  Cores wanted, each of them a worker or a part of a team; 0: all allowed. More than there are are not bound.
/// @param bind     Workers are to be bound: single cores to the processors that share their last-level cache, teams to theirs.
/// @param teams    Config::teams.
/// @throws ConfigError if hwloc cannot tell what this machine is, or the teams have no room on it.
Machine discover_machine(unsigned workers, bool bind, std::string_view teams = {});

}  // namespace mitra::model
