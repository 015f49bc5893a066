#include "model/machine_units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace mitra::model {

namespace {

struct Prefix {
  std::string_view text;
  int exponent = 0;  // of ten
  double factor = 1.0;
};

constexpr std::array<Prefix, 6> kLarge{{{"k", 3}, {"M", 6}, {"G", 9}, {"T", 12}, {"P", 15}, {"E", 18}}};
constexpr std::array<Prefix, 5> kSmall{{{"m", -3}, {"u", -6}, {"\u00b5", -6}, {"n", -9}, {"p", -12}}};
constexpr std::array<Prefix, 4> kBinary{{{"Ki", 0, 0x1p10}, {"Mi", 0, 0x1p20}, {"Gi", 0, 0x1p30}, {"Ti", 0, 0x1p40}}};

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

std::optional<Prefix> prefix_of(std::string_view text, const Unit& unit) {
  if (text.empty()) return Prefix{};
  const auto search = [&](const auto& prefixes) -> std::optional<Prefix> {
    for (const Prefix& known : prefixes)
      if (known.text == text) return known;
    return {};
  };
  std::optional<Prefix> found;
  if (unit.large) found = search(kLarge);
  if (!found && unit.small) found = search(kSmall);
  if (!found && unit.binary) found = search(kBinary);
  return found;
}

/// The number with so many zeros more, as if it had been written with them: "0.8" and -6 is 0.8e-6 to the last bit, which
/// 0.8 * 1e-6 is not.
std::optional<double> shifted(std::string_view number, int exponent) {
  if (exponent != 0) {
    const std::size_t mark = number.find_first_of("eE");
    int own = 0;
    if (mark != std::string_view::npos) {
      std::string_view digits = number.substr(mark + 1);
      if (digits.starts_with('+')) digits.remove_prefix(1);
      if (std::from_chars(digits.data(), digits.data() + digits.size(), own).ec != std::errc{} || std::abs(own) > 1000) return {};
    }
    return shifted(fmt::format("{}e{}", number.substr(0, mark), own + exponent), 0);
  }
  double value = 0.0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text, Dimension dimension) {
  std::string_view number = text.substr(0, text.find_first_not_of("0123456789.+-eE"));
  if (number.ends_with('E')) number.remove_suffix(1);  // of "1EB"
  std::string_view unit = text.substr(number.size());
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const Unit& known : units_of(dimension)) {
    if (known.name.empty() || !unit.ends_with(known.name)) continue;
    const std::optional<Prefix> prefix = prefix_of(unit.substr(0, unit.size() - known.name.size()), known);
    const std::optional<double> value = prefix ? shifted(number, prefix->exponent) : std::nullopt;
    if (value && std::isfinite(*value * prefix->factor * known.factor)) return *value * prefix->factor * known.factor;
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
  const auto attempt = [&](const Prefix& prefix) -> std::optional<std::string> {
    const double number = value * std::pow(10.0, -prefix.exponent);
    if (number < 1.0 || number >= 1000.0) return {};
    for (const int digits : {6, 12}) {
      std::string text = fmt::format("{:.{}g} {}{}", number, digits, prefix.text, unit.name);
      if (parse_quantity(text, dimension) == value) return text;
    }
    return {};
  };
  if (unit.large)
    for (const Prefix& prefix : kLarge)
      if (auto text = attempt(prefix)) return *text;
  if (unit.small)
    for (const Prefix& prefix : kSmall)
      if (auto text = attempt(prefix)) return *text;
  return fmt::format("{} {}", value, unit.name);
}

}  // namespace mitra::model
