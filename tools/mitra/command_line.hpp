// Reads the command line with CLI11, which command_line.cpp alone includes: it takes longer to compile than all else.
// Flow: main -> [command line] -> call. Thread-safety: main thread.
#pragma once

#include <memory>
#include <vector>

#include "call.hpp"

namespace mitra::tool {

/// Fills the options of the call that the command line names.
/// @returns The call to execute; null if it asked for help or the version, which have been printed.
/// @throws ConfigError for an unknown call or option, or a value that is none; it lists what is known.
Call* read_command_line(int argc, const char* const* argv, const std::vector<std::unique_ptr<Call>>& calls);

}  // namespace mitra::tool
