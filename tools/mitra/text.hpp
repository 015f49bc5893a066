// Numbers and tables as people read them.
// Flow: call -> [text] -> output. Thread-safety: thread-safe.
#pragma once

#include <string>
#include <vector>

#include <mitra/types.hpp>

namespace mitra::tool {

std::string format_seconds(Seconds time);                 ///< "1.23 s", "4.56 ms", "7.89 us"
std::string format_bytes(Bytes size);                     ///< "1.5 GiB"
std::string join(const std::vector<std::string>& words);  ///< "a, b, c"

/// Rows of cells below a line of headers. Columns are as wide as they must be; numbers stand at their right edge.
class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mitra::tool
