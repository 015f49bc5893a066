// Which cores work together: Config::teams, read and applied to the cores of a machine.
// Flow: Config, topology -> [teams] -> workers. Thread-safety: immutable code.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <mitra/machine.hpp>

namespace mitra::model {

/// What Config::teams asks for.
struct TeamChoice {
  enum class Kind { none, l3, size };
  Kind kind = Kind::none;
  unsigned cores = 0;  ///< Of a team.
  unsigned count = 0;  ///< Teams; 0: as many as there is room for.
};

/// @throws ConfigError for a text that is none of "", "0", "l3", "N", "KxN".
TeamChoice parse_teams(std::string_view text);

/// Where a core is.
struct CorePlace {
  int l3_domain = 0;
  int numa_domain = 0;
};

/// Deals the cores to workers. A team stays within one NUMA domain, and within one last-level cache where one is large enough.
/// Teams take the last cores of a domain and the last domains first: what is left for single cores begins with core 0, where
/// the application's thread most likely is.
/// @returns The cores of each worker, by their places in `cores`: first the single cores, then the teams, each in order.
/// @throws ConfigError if there is no room for the teams; it says for which there is.
std::vector<std::vector<std::size_t>> deal_cores(const TeamChoice& choice, const std::vector<CorePlace>& cores);

/// A processor that the process may use, by the operating system's index.
struct Processor {
  int index = 0;
  int l3_domain = 0;
};

/// Binds the workers of one core to the processors of their cache that no team is bound to.
void bind_single_cores(Machine& machine, const std::vector<Processor>& processors);

}  // namespace mitra::model
