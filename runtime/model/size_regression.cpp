// Flow: machine model, history model -> [size regression].

#include "model/size_regression.hpp"

#include <algorithm>
#include <cmath>

namespace mitra::model {
namespace {

struct LogPoint {
  double size, seconds;
};

/// In logarithms, sorted, each size once.
std::vector<LogPoint> in_logarithms(std::vector<SizePoint>& points) {
  std::erase_if(points, [](const SizePoint& p) { return !(p.size > 0.0 && p.seconds > 0.0); });
  std::sort(points.begin(), points.end(), [](const SizePoint& a, const SizePoint& b) {
    return a.size != b.size ? a.size < b.size : a.seconds < b.seconds;
  });
  std::vector<LogPoint> curve;
  for (std::size_t i = 0; i < points.size();) {
    double sum = 0.0;
    const std::size_t first = i;
    // Sizes that differ by less than a thousandth are the same: a slope between them would be noise.
    for (; i < points.size() && points[i].size <= 1.001 * points[first].size; ++i) sum += std::log(points[i].seconds);
    curve.push_back({std::log(points[first].size), sum / static_cast<double>(i - first)});
  }
  return curve;
}

}  // namespace

std::optional<Seconds> interpolate(std::vector<SizePoint> points, double size) {
  if (!(size > 0.0)) return std::nullopt;
  const std::vector<LogPoint> curve = in_logarithms(points);
  if (curve.size() < 2) return std::nullopt;
  const double x = std::log(size);
  constexpr double rounding = 1e-9;
  if (x < curve.front().size + std::log(0.9) - rounding || x > curve.back().size + std::log(1.1) + rounding)
    return std::nullopt;

  auto upper = std::upper_bound(curve.begin(), curve.end(), x, [](double at, const LogPoint& p) { return at < p.size; });
  upper = std::clamp(upper, curve.begin() + 1, curve.end() - 1);
  const LogPoint &a = *(upper - 1), &b = *upper;
  return Seconds(std::exp(a.seconds + (b.seconds - a.seconds) * (x - a.size) / (b.size - a.size)));
}

}  // namespace mitra::model
