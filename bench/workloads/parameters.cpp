// Flow: command line, tests -> [parameters] -> workload. Thread-safety: immutable.

#include "workloads/parameters.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <mitra/error.hpp>

namespace mitra::workloads {
namespace {

template <class Number>
bool parse(const std::string& text, Number& into) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, into);
  return error == std::errc{} && stop == end;
}

}  // namespace

Parameters::Parameters(std::string workload, const std::vector<ParameterInfo>& known, const GivenValues& given)
    : workload_(std::move(workload)) {
  for (const ParameterInfo& parameter : known) values_.emplace_back(parameter.name, parameter.value);
  for (const auto& [name, value] : given) {
    const auto found = std::ranges::find(values_, name, &std::pair<std::string, std::string>::first);
    if (found == values_.end()) {
      std::string names;
      for (const ParameterInfo& parameter : known) names += (names.empty() ? "" : ", ") + parameter.name;
      throw ConfigError(
          detail::message("the workload '", workload_, "' has no parameter '", name, "'; known: ", names));
    }
    found->second = value;
  }
}

const std::string& Parameters::text(std::string_view name) const {
  const auto found = std::ranges::find(values_, name, &std::pair<std::string, std::string>::first);
  MITRA_CHECK(found != values_.end(), "the workload ", workload_, " asks for its parameter ", name,
              ", which it does not list");
  return found->second;
}

std::uint64_t Parameters::integer(std::string_view name, std::uint64_t least, std::uint64_t most) const {
  std::uint64_t value = 0;
  if (!parse(text(name), value) || value < least || value > most)
    throw ConfigError(detail::message(workload_, ": ", name, " is a whole number from ", least, " to ", most, ", not '",
                                      text(name), "'"));
  return value;
}

double Parameters::real(std::string_view name) const {
  double value = 0;
  if (!parse(text(name), value) || !std::isfinite(value) || value < 0)
    throw ConfigError(detail::message(workload_, ": ", name, " is a number of at least 0, not '", text(name), "'"));
  return value;
}

std::size_t Parameters::choice(std::string_view name, std::initializer_list<const char*> known) const {
  const auto found = std::ranges::find(known, text(name), [](const char* word) { return std::string(word); });
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  std::string words;
  for (const char* word : known) words += (words.empty() ? "" : ", ") + std::string(word);
  throw ConfigError(detail::message(workload_, ": unknown ", name, " '", text(name), "'; known: ", words));
}

}  // namespace mitra::workloads
