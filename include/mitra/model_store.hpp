// The file that keeps measured times from one run to the next: one for each machine, TOML, units in its keys.
// Flow: history model, imports -> [model store] -> file -> history model, `mitra models`. Thread-safety: thread-safe,
// between processes too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <mitra/measured_times.hpp>

namespace mitra {

/// All that is measured of one machine.
struct ModelSet {
  std::string machine;                ///< Whose times they are: a host's name.
  std::vector<TimingRecord> records;  ///< Sorted by key, each key once.
};

/// The version of the format that this library writes, and the newest that it reads.
inline constexpr int kModelFormat = 1;

/// Adds records to a set: those of equal keys are merged. @see merge_into
void merge_into(ModelSet& set, const std::vector<TimingRecord>& records);

/// @param file  Named in errors.
/// @throws ConfigError with file, line and reason for a text that is no model file, or one of a newer version.
ModelSet parse_models(std::string_view text, std::string_view file);

/// @returns The text of a model file; parse_models() gives the same set back.
std::string write_models(const ModelSet& set);

/// @returns What the file holds. @throws ConfigError if there is none, it cannot be read, or it is broken.
ModelSet load_models(const std::string& path);

/// Merges `news` into the file, which is created where it is missing, with its directory. Processes that merge at the same
/// time wait for each other (a lock on PATH.lock), and a reader sees the old file or the new one, never a part.
/// @throws ConfigError if the file holds another machine's times, is broken or newer, or cannot be written: it is left as
///         it was, and so is `news`.
void merge_models(const std::string& path, const ModelSet& news);

/// @returns CACHE/mitra/models-MACHINE.toml, where CACHE is `xdg_cache_home`, or .cache in `home` if that is empty.
/// @throws ConfigError if both are empty.
std::string default_models_path(std::string_view xdg_cache_home, std::string_view home, std::string_view machine);

/// @returns The name of this machine: that of its host, up to the first dot.
std::string host_name();

}  // namespace mitra
