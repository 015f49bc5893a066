#include "model/machine_units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace mitra::model {

namespace {

struct Prefix {
  std::string_view text;
  double factor;
};

constexpr std::array<Prefix, 6> kLarge{{{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18}}};
constexpr std::array<Prefix, 5> kSmall{{{"m", 1e-3}, {"u", 1e-6}, {"\u00b5", 1e-6}, {"n", 1e-9}, {"p", 1e-12}}};
constexpr std::array<Prefix, 4> kBinary{
    {{"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"Ti", 0x1p40}}};

struct Unit {
  std::string_view name;
  double factor;
  bool large, small, binary;
};

std::array<Unit, 2> units_of(Dimension dimension) {
  switch (dimension) {
    case Dimension::time: return {{{"s", 1, false, true, false}, {}}};
    case Dimension::bytes: return {{{"B", 1, true, false, true}, {}}};
    case Dimension::byte_rate: return {{{"B/s", 1, true, false, true}, {"b/s", 0.125, true, false, false}}};
    case Dimension::flops: return {{{"FLOP", 1, true, false, false}, {}}};
    case Dimension::flop_rate: return {{{"FLOP/s", 1, true, false, false}, {}}};
    case Dimension::power: return {{{"W", 1, true, true, false}, {}}};
    case Dimension::frequency: return {{{"Hz", 1, true, false, false}, {}}};
    case Dimension::energy_per_byte: return {{{"J/B", 1, false, true, false}, {"J/bit", 8, false, true, false}}};
  }
  return {};
}

std::optional<double> factor_of(std::string_view prefix, const Unit& unit) {
  if (prefix.empty()) return unit.factor;
  const auto search = [&](const auto& prefixes) -> std::optional<double> {
    for (const Prefix& known : prefixes)
      if (known.text == prefix) return known.factor * unit.factor;
    return {};
  };
  std::optional<double> found;
  if (unit.large) found = search(kLarge);
  if (!found && unit.small) found = search(kSmall);
  if (!found && unit.binary) found = search(kBinary);
  return found;
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text, Dimension dimension) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number)) return {};
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  for (const Unit& known : units_of(dimension)) {
    if (known.name.empty() || !unit.ends_with(known.name)) continue;
    const std::optional<double> factor = factor_of(unit.substr(0, unit.size() - known.name.size()), known);
    if (factor && std::isfinite(number * *factor)) return number * *factor;
  }
  return {};
}

const char* describe(Dimension dimension) {
  switch (dimension) {
    case Dimension::time: return "a time such as \"150 us\"";
    case Dimension::bytes: return "an amount of memory such as \"432 GB\"";
    case Dimension::byte_rate: return "a bandwidth such as \"128 GB/s\"";
    case Dimension::flops: return "an amount of work such as \"2 GFLOP\"";
    case Dimension::flop_rate: return "a rate of computation such as \"288 TFLOP/s\"";
    case Dimension::power: return "a power such as \"1.65 W\"";
    case Dimension::frequency: return "a clock such as \"2.4 GHz\"";
    case Dimension::energy_per_byte: return "an energy such as \"3.5 pJ/bit\"";
  }
  return "";
}

std::string format_quantity(double value, Dimension dimension) {
  const Unit unit = units_of(dimension)[0];
  // The nearest prefix under which a short text reads back as the same number; without a prefix it always does.
  const auto attempt = [&](std::string_view prefix, double factor) -> std::optional<std::string> {
    const double scaled = value / factor;
    if (scaled < 1.0 || scaled >= 1000.0) return {};
    for (const int digits : {6, 12}) {
      std::string text = fmt::format("{:.{}g} {}{}", scaled, digits, prefix, unit.name);
      if (parse_quantity(text, dimension) == value) return text;
    }
    return {};
  };
  if (unit.large)
    for (const Prefix& prefix : kLarge)
      if (auto text = attempt(prefix.text, prefix.factor)) return *text;
  if (unit.small)
    for (const Prefix& prefix : kSmall)
      if (auto text = attempt(prefix.text, prefix.factor)) return *text;
  return fmt::format("{} {}", value, unit.name);
}

}  // namespace mitra::model
