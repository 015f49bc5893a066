// Flow: call -> [output]. Thread-safety: main thread.

#include "output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <mitra/error.hpp>

namespace mitra::tool {

Option Output::json_option(std::optional<std::string>& target) {
  return {"--json", &target, "FILE", "Write the results as JSON; `-` is standard output, and nothing else goes there"};
}

Output::Output(const std::optional<std::string>& json_target) : json_target_(json_target) {
  if (!has_json() || *json_target_ == "-") return;
  // Appending nothing leaves an existing file alone, should the call fail.
  if (!std::ofstream(*json_target_, std::ios::app))
    throw ConfigError("--json: cannot write '" + *json_target_ + "': " + std::strerror(errno));
}

void Output::text(std::string_view text) const {
  if (has_text()) std::fwrite(text.data(), 1, text.size(), stdout);
}

void Output::json(const Json& value) const {
  if (!has_json()) return;
  const std::string text = value.text();
  if (*json_target_ == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  std::ofstream file(*json_target_, std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("--json: cannot write '" + *json_target_ + "': " + std::strerror(errno));
}

}  // namespace mitra::tool
