// Flow: files of others -> [text lines] -> importers.

#include "model/text_lines.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <mitra/error.hpp>

namespace mitra::model {

std::string read_text(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file.is_open()) text << file.rdbuf();  // sets bad() for what opens and cannot be read: a directory
  if (!file.is_open() || text.bad())
    throw ConfigError(detail::message(path, ": cannot be read: ", std::strerror(errno)));
  return std::move(text).str();
}

std::string base_name(std::string_view path) { return std::string(path.substr(path.find_last_of('/') + 1)); }

TextLines::TextLines(std::string content, std::string_view file) : text_(std::move(content)), file_(file) {
  const std::string_view text = text_;
  constexpr std::string_view blank = " \t\r\f\v";
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view rest = text.substr(at, end - at);
    at = end + 1;
    TextLine line{++number, {}};
    rest = rest.substr(0, rest.find('#'));
    while (true) {
      const std::size_t start = rest.find_first_not_of(blank);
      if (start == std::string_view::npos) break;
      rest.remove_prefix(start);
      line.words.push_back(rest.substr(0, rest.find_first_of(blank)));
      rest.remove_prefix(line.words.back().size());
    }
    if (!line.words.empty()) lines_.push_back(std::move(line));
  }
  last_number_ = number == 0 ? 1 : number;
}

const TextLine& TextLines::next(std::string_view what) {
  if (at_end()) throw ConfigError(detail::message(file_, ':', last_number_, ": the file ends where ", what, " is expected"));
  return lines_[next_++];
}

std::uint64_t TextLines::whole(std::string_view what, std::uint64_t least, std::uint64_t most) {
  const TextLine& line = next(what);
  if (line.words.size() != 1) refuse(line, detail::message(what, " is expected, alone in its line"));
  return whole(line, line.words.front(), what, least, most);
}

std::uint64_t TextLines::whole(const TextLine& line, std::string_view word, std::string_view what, std::uint64_t least,
                               std::uint64_t most) const {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value < least || value > most)
    refuse(line, detail::message(what, ", a whole number of ", least, " to ", most, ", is expected, not '", word, "'"));
  return value;
}

double TextLines::number(const TextLine& line, std::string_view word, std::string_view what, bool may_be_nan) const {
  if (may_be_nan && (word == "nan" || word == "-nan")) return std::nan("");
  double value = 0.0;
  if (word.starts_with('+')) word.remove_prefix(1);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || !std::isfinite(value))
    refuse(line, detail::message(what, ", a number, is expected, not '", word, "'"));
  return value;
}

void TextLines::refuse(const TextLine& line, std::string_view why) const {
  throw ConfigError(detail::message(file_, ':', line.number, ": ", why));
}

}  // namespace mitra::model
