// Codelet files of StarPU, format 45: for each combination of devices and each implementation, regressions and a table of
// measured times. The format is that of StarPU 1.3 to 1.5, src/core/perfmodel/perfmodel_history.c.
// Flow: StarPU's sampling directory -> [StarPU sampling] -> timing records.

#include <cmath>

#include <mitra/error.hpp>
#include <mitra/starpu_import.hpp>

#include "model/text_lines.hpp"

namespace mitra {
namespace {

using model::TextLine;
using model::TextLines;

/// What a file may claim to hold. The largest that StarPU ships has 9 combinations; its entries are counted as they come.
constexpr std::uint64_t kMost = 4096;

/// Regressions are not used, and are still checked: a file that is wrong in one place may be wrong in another.
void skip_regressions(TextLines& lines) {
  const TextLine& linear = lines.next("the 9 numbers of the regression");
  if (linear.words.size() != 9) lines.refuse(linear, "the 9 numbers of the regression are expected");
  for (const std::string_view word : linear.words) lines.number(linear, word, "a number of the regression", true);
  const TextLine& nonlinear = lines.next("a, b and c of the non-linear regression");
  if (nonlinear.words.size() != 3) lines.refuse(nonlinear, "a, b and c of the non-linear regression are expected");
  for (const std::string_view word : nonlinear.words) lines.number(nonlinear, word, "a number of the regression", true);

  const TextLine& multiple = lines.next("the number of coefficients of the multiple regression");
  const std::uint64_t coefficients =
      lines.whole(multiple, multiple.words.front(), "the number of coefficients of the multiple regression", 0, kMost);
  std::size_t found = multiple.words.size() - 1;
  for (std::size_t i = 0; i < found; ++i) lines.number(multiple, multiple.words[i + 1], "a coefficient", true);
  while (found < coefficients) {
    const TextLine& more = lines.next("a coefficient of the multiple regression");
    for (const std::string_view word : more.words) lines.number(more, word, "a coefficient", true);
    found += more.words.size();
  }
  if (found != coefficients) lines.refuse(multiple, "the coefficients are not as many as the line says");
}

double not_negative(const TextLines& lines, const TextLine& line, std::string_view word, std::string_view what) {
  const double value = lines.number(line, word, what);
  if (value < 0.0) lines.refuse(line, detail::message(what, " is not negative"));
  return value;
}

StarpuEntry parse_entry(TextLines& lines, StarpuEntry entry) {
  const TextLine& line = lines.next("an entry: hash, size, flops, mean, deviation, sum, sum of squares, count");
  // Old files have no flops.
  if (line.words.size() != 7 && line.words.size() != 8)
    lines.refuse(line, detail::message("an entry of 8 columns (hash, size, flops, mean, deviation, sum, sum of squares, "
                                       "count), or of 7 without flops, is expected; this line has ", line.words.size()));
  std::uint32_t hash = 0;
  for (const char c : line.words[0]) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0 || line.words[0].size() != 8)
      lines.refuse(line, detail::message("a hash of 8 hexadecimal digits is expected, not '", line.words[0], "'"));
    hash = hash << 4 | static_cast<std::uint32_t>(digit);
  }
  entry.footprint = hash;
  entry.bytes = lines.whole(line, line.words[1], "the size in bytes", 0, std::uint64_t{1} << 60);
  std::size_t column = 2;
  if (line.words.size() == 8) entry.flops = not_negative(lines, line, line.words[column++], "the number of flops");
  entry.mean = not_negative(lines, line, line.words[column++], "the mean in us");
  entry.deviation = not_negative(lines, line, line.words[column++], "the deviation in us");
  not_negative(lines, line, line.words[column++], "the sum");
  not_negative(lines, line, line.words[column++], "the sum of squares");
  entry.count = lines.whole(line, line.words[column], "the number of measurements", 0, std::uint64_t{1} << 60);
  return entry;
}

}  // namespace

StarpuSampling parse_starpu_sampling(std::string_view text, std::string_view file) {
  const std::string name = model::base_name(file);
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == name.size())
    throw ConfigError(detail::message(file, ": the name is not SYMBOL.HOST, as in chol_model_gemm.sirocco"));
  StarpuSampling sampling{name.substr(0, dot), name.substr(dot + 1), {}};

  TextLines lines(std::string(text), file);
  lines.whole("version 45 of StarPU's performance models", 45, 45);
  const std::uint64_t combinations = lines.whole("the number of combinations", 0, kMost);
  for (std::uint64_t c = 0; c < combinations; ++c) {
    StarpuEntry entry;
    const std::uint64_t devices = lines.whole("the number of types of devices", 1, kMost);
    for (std::uint64_t d = 0; d < devices; ++d) {
      entry.type = static_cast<int>(lines.whole("the type of a device", 0, 15));
      entry.device = static_cast<int>(lines.whole("the number of a device", 0, kMost));
      entry.cores = static_cast<int>(lines.whole("the number of cores", 0, kMost));
    }
    if (devices > 1) entry.cores = 0;
    const std::uint64_t implementations = lines.whole("the number of implementations", 0, kMost);
    for (std::uint64_t i = 0; i < implementations; ++i) {
      entry.implementation = static_cast<int>(i);
      const std::uint64_t entries = lines.whole("the number of entries", 0, std::uint64_t{1} << 32);
      skip_regressions(lines);
      for (std::uint64_t e = 0; e < entries; ++e) sampling.entries.push_back(parse_entry(lines, entry));
    }
  }
  if (!lines.at_end()) {
    const TextLine& line = lines.next("");
    lines.refuse(line, detail::message("the file ends after the ", combinations, " combinations that it announces, and "
                                       "there is more"));
  }
  return sampling;
}

StarpuSampling read_starpu_sampling(const std::string& path) {
  return parse_starpu_sampling(model::read_text(path), path);
}

}  // namespace mitra
