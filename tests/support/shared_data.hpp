// Other people's graphs and measurements, which are not part of the project: tests that need them are skipped without.
// Flow: [shared data] -> tests. Thread-safety: thread-safe.
#pragma once

#include <filesystem>
#include <string>

#include "support/catch.hpp"

namespace mitra::test {

/// @param name  Relative to the folder, such as "stg". @returns Its path; empty where it is missing, and the test says so.
inline std::string shared_data(const std::string& name) {
  std::string path = std::string(MITRA_SHARED_DATA_DIR) + '/' + name;
  if (std::filesystem::exists(path)) return path;
  WARN("skipped: " << path << " is missing");
  return {};
}

}  // namespace mitra::test
