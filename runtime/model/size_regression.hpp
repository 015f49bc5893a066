// The time of a task between measured sizes of its codelet.
// Flow: machine model, history model -> [size regression]. Thread-safety: functions of their arguments.
#pragma once

#include <optional>
#include <vector>

#include <mitra/types.hpp>

namespace mitra::model {

/// A measured time at one size: flops, or elements where flops are not known.
struct SizePoint {
  double size = 0.0;
  double seconds = 0.0;
};

/// Relative standard deviation of a time between two measured sizes. Of the Cholesky kernels of StarPU's two sample
/// machines, each tile size from its neighbours (640 from 320 and 960, 960 from 640 and 1440), the root mean square error
/// is 14 %; the worst, 55 %, is potrf on a K40m, whose ten measurements vary by a third (tests/unit/size_regression.cpp).
inline constexpr double kRegressionUncertainty = 0.15;

/// Between the two nearest sizes, seconds = a size^b: exact for a kernel whose time is a power of its size. At the ends the
/// outermost power goes on a little, as in StarPU's regressions: for sizes in [0.9 smallest, 1.1 largest].
/// @param points  In any order. Several of one size count as their geometric mean; points that are not positive are left out.
/// @returns Nothing outside of the range, or where fewer than two sizes have been measured.
std::optional<Seconds> interpolate(std::vector<SizePoint> points, double size);

}  // namespace mitra::model
