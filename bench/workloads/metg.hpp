// The minimum effective task granularity: how small tasks may be while half of the machine's rate is still reached.
// Source: Slaughter et al., "Task Bench", SC20, section 4, https://arxiv.org/abs/1908.05790; its scripts/chart_metg.py.
// Flow: bench metg -> [metg]. Thread-safety: thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <mitra/types.hpp>

namespace mitra::workloads {

/// One size of task, as measured.
struct MetgPoint {
  std::uint64_t iterations = 0;  ///< Of the kernel in a task.
  Seconds granularity;           ///< makespan x workers / tasks
  double efficiency = 0.0;       ///< Achieved rate / (rate of the kernel alone on a core x workers)
};

/// @param points  From coarse to fine.
/// @returns The granularity at which the efficiency falls through `threshold`, linear between the last point above it
///          and the next finer one; nothing if no point reaches it, or if all do and none is below.
std::optional<Seconds> metg(std::span<const MetgPoint> points, double threshold = 0.5);

}  // namespace mitra::workloads
