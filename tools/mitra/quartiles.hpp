// The median and the quartiles of a few measurements.
// Flow: benchmarks -> [quartiles] -> output. Thread-safety: thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "json.hpp"

namespace mitra::tool {

struct Quartiles {
  double p25 = 0.0, median = 0.0, p75 = 0.0;

  /// Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). @pre `values` is not empty.
  static Quartiles of(std::vector<double> values) {
    std::ranges::sort(values);
    const auto at = [&](double fraction) {
      const double position = fraction * static_cast<double>(values.size() - 1);
      const auto below = static_cast<std::size_t>(position);
      const std::size_t above = std::min(below + 1, values.size() - 1);
      return values[below] + (position - std::floor(position)) * (values[above] - values[below]);
    };
    return {at(0.25), at(0.5), at(0.75)};
  }
  Json json() const { return Json::object({{"median", median}, {"p25", p25}, {"p75", p75}}); }
};

}  // namespace mitra::tool
