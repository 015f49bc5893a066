// Flow: --models, MITRA_MODELS -> [models file] -> calls. Thread-safety: main thread.

#include "models_file.hpp"

#include <filesystem>

#include <mitra/error.hpp>
#include <mitra/model_store.hpp>

namespace mitra::tool {

std::string ModelsFile::path(const std::string& config_models, const std::string& machine) const {
  if (given_) return *given_;
  if (config_models.empty())
    throw ConfigError("there is no place for measured times: XDG_CACHE_HOME and HOME are not set; name a file with --models");
  if (machine == host_name()) return config_models;
  const std::filesystem::path usual(default_models_path("/", "", machine));
  return (std::filesystem::path(config_models).parent_path() / usual.filename()).string();
}

}  // namespace mitra::tool
