// From the tree of a machine file to a machine description.
// Flow: machine document -> [machine reader] -> machine file. Thread-safety: immutable code.
#pragma once

#include <mitra/machine_description.hpp>

#include "model/machine_document.hpp"

namespace mitra::model {

/// @param root  Of a document in which everything that it extends has been merged.
/// @param name  Of the machine, where the file does not say it.
/// @throws ConfigError "file:line: what; expected what" for unknown keys, missing units and impossible values.
MachineDescription read_machine(const DocumentNode& root, const std::string& name);

}  // namespace mitra::model
