// A text file as lines of content, with their numbers for errors.
// Flow: files of others -> [text lines] -> importers. Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mitra::model {

/// @returns The content of a file. @throws ConfigError if it cannot be read.
std::string read_text(const std::string& path);

/// @returns `path` without its directories.
std::string base_name(std::string_view path);

/// The words of one line.
struct TextLine {
  std::size_t number = 0;
  std::vector<std::string_view> words;
};

/// Lines, without comments (from '#' on) and without those that are empty then. Each read says what it expects.
class TextLines {
 public:
  /// @param file  Named in errors.
  TextLines(std::string text, std::string_view file);
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;

  bool at_end() const { return next_ == lines_.size(); }
  /// @throws ConfigError at the end of the file. @param what  "a number of entries"
  const TextLine& next(std::string_view what);
  /// The next line's only word as a whole number. @throws ConfigError unless it is one of least..most.
  std::uint64_t whole(std::string_view what, std::uint64_t least, std::uint64_t most);

  /// Words as numbers; `nan` is one where it may be. @throws ConfigError with file and line.
  std::uint64_t whole(const TextLine& line, std::string_view word, std::string_view what, std::uint64_t least,
                      std::uint64_t most) const;
  double number(const TextLine& line, std::string_view word, std::string_view what, bool may_be_nan = false) const;

  [[noreturn]] void refuse(const TextLine& line, std::string_view why) const;

 private:
  const std::string text_;  // what the words point into
  const std::string file_;
  std::vector<TextLine> lines_;
  std::size_t next_ = 0, last_number_ = 1;
};

}  // namespace mitra::model
