// Where measured times lie: the file of this machine, and beside it those of others.
// Flow: --models, MITRA_MODELS -> [models file] -> calls. Thread-safety: main thread.
#pragma once

#include <optional>
#include <string>

#include "call.hpp"

namespace mitra::tool {

class ModelsFile {
 public:
  Option option() {
    return {"--models", &given_, "FILE", "The file of measured times [MITRA_MODELS, or models-MACHINE.toml in the cache directory]"};
  }
  /// @param config_models  Config::models
  /// @returns The file that was named, for whatever machine; else the machine's own in the directory of `config_models`.
  /// @throws ConfigError if there is no such directory.
  std::string path(const std::string& config_models, const std::string& machine) const;

 private:
  std::optional<std::string> given_;
};

}  // namespace mitra::tool
