// Links and routes of a machine file: templates between groups of memories become directed links and ways.
// Flow: machine reader -> [machine links] -> machine description. Thread-safety: one thread.
#pragma once

#include <string>
#include <vector>

#include <mitra/machine_description.hpp>

#include "model/machine_section.hpp"

namespace mitra::model {

/// A memory as the file writes it, and its instances in one compute node.
struct MemoryGroup {
  std::string name;
  std::uint32_t first = 0, count = 1;
  std::uint32_t package = 1;  ///< Instances that come together in one package.
};

/// The name that [[link]] and [[route]] give to what lies outside of a compute node.
inline constexpr const char* kNetwork = "network";

/// Reads `[[link]]` and `[[route]]`; fills links, routes and memories of all compute nodes.
/// @pre `machine` has the memories of compute node 0, and its number of compute nodes.
/// @throws ConfigError for unknown memories and links, for a second way, and for a memory without a way to the host's.
void read_links(Section& root, const std::vector<MemoryGroup>& groups, MachineDescription& machine,
                std::vector<ValueOrigin>& origins);

/// The name of one memory of compute node 0: the group's, with a number where there are several.
std::string instance_name(const MemoryGroup& group, std::uint32_t instance);

}  // namespace mitra::model
