// Flow: bench metg -> [metg]. Thread-safety: thread-safe.

#include "workloads/metg.hpp"

#include <algorithm>

namespace mitra::workloads {

std::optional<Seconds> metg(std::span<const MetgPoint> points, double threshold) {
  // The smallest granularity that is efficient enough; noise may put a point of less efficiency in front of it.
  const MetgPoint* best = nullptr;
  for (const MetgPoint& point : points)
    if (point.efficiency >= threshold && (best == nullptr || point.granularity < best->granularity)) best = &point;
  if (best == nullptr) return {};
  const MetgPoint* finer = best + 1;
  if (finer == points.data() + points.size()) return {};
  // Where overhead is all that is left, a finer task takes no less time: nothing to interpolate towards.
  if (finer->granularity >= best->granularity) return best->granularity;
  const double fraction = (best->efficiency - threshold) / (best->efficiency - finer->efficiency);
  return best->granularity + fraction * (finer->granularity - best->granularity);
}

}  // namespace mitra::workloads
