// How a worker's clock yields to a power cap, and what the worker then draws.
// Flow: machine description, cap -> [power model] -> estimates, sim driver. Thread-safety: immutable code.
#pragma once

#include <mitra/machine_description.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// @see operating_point
struct OperatingPoint {
  double clock_ratio = 1.0;  ///< Of clock_max: compute-bound kernels are slower by it, memory-bound ones are not.
  Watts power;               ///< Of the worker while the kernel runs, its static part included.
};

/// The largest x in [clock_min / clock_max, 1] with
///
///     static_power + D x V(x)^2 + bandwidth_watts <= cap,    V(x) = max(v_min, v0 + v1 x)
///
/// where D is the dynamic power of the precision, or of streaming for memory-bound kernels. Where even the lowest clock
/// draws more than the cap, it is that clock and what it draws. Without clock_max the clock cannot be changed: x = 1.
/// @param bandwidth_watts  What the kernel's memory traffic draws: bytes/s times J/byte.
/// @param cap              0: the default cap of the class; if that is 0, too, none.
OperatingPoint operating_point(const WorkerPower& power, Precision precision, bool memory_bound, double bandwidth_watts, Watts cap);

}  // namespace mitra
