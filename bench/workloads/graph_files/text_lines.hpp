// Lines and words of a text file, and numbers that are what they have to be; errors say file, line and reason.
// Flow: file -> [text lines] -> file formats. Thread-safety: one thread an object.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <mitra/error.hpp>

namespace mitra::workloads {

/// "graph.stg:12: "
inline std::string at_line(const std::string& file, std::size_t line) { return detail::message(file, ':', line, ": "); }

/// A text as an error shows it: not too long, and without what a terminal would obey.
inline std::string shown(std::string_view text) {
  std::string result = "'";
  for (const char c : text.substr(0, 40)) result += c >= ' ' && c != 127 ? c : '?';
  return result + (text.size() > 40 ? "...'" : "'");
}

class TextLines {
 public:
  TextLines(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  /// Goes to the next line, without its end. @returns False after the last one.
  bool next() {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    ++number_;
    return true;
  }
  std::string_view line() const { return line_; }
  std::size_t number() const { return number_; }

  /// Takes the next word off the line; empty at its end.
  std::string_view word() { return word_of(line_); }
  /// Takes the next word off any text.
  static std::string_view word_of(std::string_view& text) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) {
      text = {};
      return {};
    }
    const std::size_t end = text.find_first_of(" \t", start);
    const std::string_view result = text.substr(start, end == std::string_view::npos ? end : end - start);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
    return result;
  }

  [[noreturn]] void fail(const std::string& reason) const { throw Error(at_line(file_, number_) + reason); }

  /// @throws Error unless `text` is a whole number from 0 to `most`.
  std::uint64_t whole(std::string_view text, std::string_view what,
                      std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const {
    std::uint64_t value = 0;
    if (!parse(text, value) || value > most)
      fail(detail::message(what, " is a whole number",
                           most == std::numeric_limits<std::uint64_t>::max() ? std::string() : " from 0 to " + std::to_string(most),
                           ", not ", shown(text)));
    return value;
  }
  std::int32_t signed_whole(std::string_view text, std::string_view what) const {
    std::int32_t value = 0;
    if (!parse(text, value)) fail(detail::message(what, " is a whole number of 32 bits, not ", shown(text)));
    return value;
  }
  /// @throws Error unless `text` is a finite number of at least 0.
  double amount(std::string_view text, std::string_view what) const {
    double value = 0;
    if (!parse(text, value) || !std::isfinite(value) || value < 0)
      fail(detail::message(what, " is a number of at least 0, not ", shown(text)));
    return value;
  }

 private:
  template <class Number>
  static bool parse(std::string_view text, Number& into) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, into);
    return error == std::errc{} && stop == end;
  }

  std::string_view rest_, line_;
  std::size_t number_ = 0;
  const std::string& file_;
};

}  // namespace mitra::workloads
