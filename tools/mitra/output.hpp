// Where the results of a call go: a text for people on standard output, JSON to a file or to standard output.
// Flow: call -> [output]. Thread-safety: main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "call.hpp"
#include "json.hpp"

namespace mitra::tool {

class Output {
 public:
  /// The option --json of every call that has results. @param target  Lives as long as the call.
  static Option json_option(std::optional<std::string>& target);

  /// @param json_target  A file, "-" for standard output, or nothing.
  /// @throws ConfigError if the file cannot be written: better before the work than after it.
  explicit Output(const std::optional<std::string>& json_target);

  /// Is there a reader of text? Not where JSON goes to standard output: then nothing else goes there.
  bool has_text() const { return json_target_ != "-"; }
  bool has_json() const { return json_target_.has_value(); }
  void text(std::string_view text) const;
  /// @throws std::runtime_error if the file cannot be written any more.
  void json(const Json& value) const;

 private:
  std::optional<std::string> json_target_;
};

}  // namespace mitra::tool
