// One call of the program: its name, its options, what it does. A file a call; the list is in calls.cpp.
// Flow: main -> command_line -> [call] -> output. Thread-safety: main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mitra::tool {

/// The exit status of the program.
enum class Status : int {
  done = 0,
  failed = 1,      ///< A task threw, a result is wrong, a measurement could not be taken.
  wrong_call = 2,  ///< An unknown name, option or value; an exception says what is known.
};

/// An option or, without dashes, a positional argument. Lists are separated by commas. What is not given stays as is.
struct Option {
  using Target = std::variant<bool*, std::string*, std::uint64_t*, std::optional<std::string>*,
                              std::optional<std::uint64_t>*, std::vector<std::string>*, std::vector<std::uint64_t>*>;

  std::string flags;  ///< "--json", or "WORKLOAD".
  Target into;
  std::string value;  ///< What the help calls the value: "N", "FILE"; empty for a flag.
  std::string help;
  std::string group = "Options";
};

class Call {
 public:
  virtual ~Call() = default;
  virtual std::string name() const = 0;  ///< One word, or a group and a word: "bench overhead".
  virtual std::string summary() const = 0;
  virtual std::string examples() const = 0;  ///< Whole lines, as one types them.
  virtual std::vector<Option> options() = 0;
  /// Runs with the options as they have been read.
  /// @throws ConfigError for a wrong call; anything else for a run that failed.
  virtual Status execute() = 0;
};

/// Every call, in the order of the help.
std::vector<std::unique_ptr<Call>> calls();

}  // namespace mitra::tool
