// A machine description, as people and as programs read it.
// Flow: machine file -> [machine text] -> output. Thread-safety: thread-safe.
#pragma once

#include <string>

#include <mitra/machine_description.hpp>

#include "json.hpp"

namespace mitra::tool {

/// @param all_origins  Where every value comes from, not only those that are assumptions.
std::string describe(const MachineDescription& machine, bool all_origins);
Json to_json(const MachineDescription& machine, bool all_origins);

}  // namespace mitra::tool
