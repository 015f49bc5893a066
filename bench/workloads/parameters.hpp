// The parameters of a workload: names, defaults, and the values of one run, checked.
// Flow: command line, tests -> [parameters] -> workload. Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mitra::workloads {

/// One parameter, as `mitra workloads` lists it.
struct ParameterInfo {
  std::string name;
  std::string value;    ///< The default.
  std::string summary;  ///< Meaning and unit.
};

using GivenValues = std::map<std::string, std::string, std::less<>>;

/// Every parameter of a workload with its value: the given one, or else the default.
class Parameters {
 public:
  /// @throws ConfigError for a given name that is not listed; it names the known ones.
  Parameters(std::string workload, const std::vector<ParameterInfo>& known, const GivenValues& given = {});

  /// @throws ConfigError unless the value is a whole number from `least` to `most`.
  std::uint64_t integer(std::string_view name, std::uint64_t least, std::uint64_t most) const;
  /// @throws ConfigError unless the value is a number of at least 0.
  double real(std::string_view name) const;
  /// @returns The position of the value in `known`. @throws ConfigError if it is not there.
  std::size_t choice(std::string_view name, std::initializer_list<const char*> known) const;

  /// Name and value of each, in the order of the list.
  const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }

 private:
  const std::string& text(std::string_view name) const;

  std::string workload_;
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace mitra::workloads
