// "KEY=VALUE,..." of options that describe devices and memories.
// Flow: Config -> [settings] -> device set, emu options. Thread-safety: immutable.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>

#include <mitra/error.hpp>

#include "model/machine_units.hpp"

namespace mitra::engine {

/// Splits "a=b,c=d"; calls f(key, value) for each.
template <class F>
void for_each_setting(std::string_view text, F&& f) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    f(item.substr(0, equals), equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
}

inline double quantity(std::string_view variable, std::string_view key, std::string_view value, model::Dimension dimension) {
  const auto found = model::parse_quantity(value, dimension);
  if (!found) throw ConfigError(detail::message(variable, ": ", key, "=", value, ": ", model::describe(dimension), " is expected"));
  return *found;
}

template <class Number>
Number number(std::string_view variable, std::string_view key, std::string_view value) {
  Number result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc{} || end != value.data() + value.size())
    throw ConfigError(detail::message(variable, ": ", key, "=", value, ": a number is expected"));
  return result;
}

}  // namespace mitra::engine
