#include "mitra/power_model.hpp"

#include <algorithm>

namespace mitra {

OperatingPoint operating_point(const WorkerPower& power, Precision precision, bool memory_bound, double bandwidth_watts, Watts cap) {
  const Watts dynamic = memory_bound ? power.stream : power.dynamic[static_cast<std::size_t>(precision)];
  const auto drawn = [&](double x) {
    const double voltage = std::max(power.v_min, power.v0 + power.v1 * x);
    return power.static_power + dynamic * (x * voltage * voltage) + Watts(bandwidth_watts);
  };
  if (cap == Watts()) cap = power.cap;
  const bool unlimited = cap == Watts() || power.clock_max <= 0.0;
  if (unlimited || drawn(1.0) <= cap) return {1.0, drawn(1.0)};

  double low = power.clock_min / power.clock_max, high = 1.0;
  if (drawn(low) >= cap) return {low, drawn(low)};
  // What is drawn grows with x; 53 halvings are all that a double can tell apart.
  for (int i = 0; i < 53; ++i) {
    const double middle = 0.5 * (low + high);
    (drawn(middle) <= cap ? low : high) = middle;
  }
  return {low, drawn(low)};
}

}  // namespace mitra
