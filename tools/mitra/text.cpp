// Flow: call -> [text] -> output. Thread-safety: thread-safe.

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace mitra::tool {

std::string format_seconds(Seconds time) {
  const double s = std::abs(time.value);
  if (s >= 1.0 || s == 0.0) return fmt::format("{:.3g} s", time.value);
  if (s >= 1e-3) return fmt::format("{:.3g} ms", time.value * 1e3);
  return fmt::format("{:.3g} us", time.value * 1e6);
}

std::string format_bytes(Bytes size) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(size.value);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string Table::text() const {
  const auto is_number = [](const std::string& cell) {
    return cell.empty() || cell == "-" || (cell.find_first_not_of("0123456789.+-e%") == std::string::npos);
  };
  std::string text;
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (std::size_t c = 0; c < headers_.size(); ++c) {
    widths.push_back(headers_[c].size());
    for (const auto& row : rows_) widths[c] = std::max(widths[c], row[c].size());
    numeric.push_back(std::ranges::all_of(rows_, [&](const auto& row) { return is_number(row[c]); }));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t c = 0; c < cells.size(); ++c)
      out += numeric[c] ? fmt::format("{:>{}}  ", cells[c], widths[c]) : fmt::format("{:<{}}  ", cells[c], widths[c]);
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  line(headers_);
  for (const auto& row : rows_) line(row);
  return text;
}

}  // namespace mitra::tool
