// Machine files: TOML texts that describe a machine, shipped with Mitra or one's own. docs/machines.md explains them.
// Flow: file, name -> [machine file] -> machine description. Thread-safety: thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/machine_description.hpp>

namespace mitra {

/// A machine file that is part of the library.
struct ShippedMachine {
  std::string_view name;
  std::string summary;    ///< One line.
  std::string_view text;  ///< TOML
};

/// @throws ConfigError "file:line: what; expected what" for broken TOML, unknown keys, missing units, impossible values;
///         or that the file cannot be read.
MachineDescription read_machine_file(const std::filesystem::path& path);

/// @param file_name  For messages; a file that the text extends is looked for beside it.
/// @throws ConfigError as read_machine_file does.
MachineDescription parse_machine(std::string_view text, std::string_view file_name);

/// A shipped machine, `identical` (4 workers) or `identical-N`, else the file of that path.
/// @throws ConfigError for an unknown name, with the shipped ones; or as read_machine_file does.
MachineDescription find_machine(std::string_view name_or_file);

/// The shipped machines, by name.
std::vector<ShippedMachine> shipped_machines();

/// Equal workers on one memory, of which nothing else is known: for graphs that state the times of their tasks.
/// @throws ConfigError if there is no worker, or more than 65536.
MachineDescription identical_machine(unsigned workers);

/// @returns TOML that parse_machine reads as the same machine. Links and routes are written one by one; the origins of
///          values are kept.
std::string write_machine_file(const MachineDescription& description);

}  // namespace mitra
