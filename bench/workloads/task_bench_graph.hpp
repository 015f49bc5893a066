// The dependency patterns of Task Bench: a grid of steps x columns, tasks depend on columns of the step before.
// Source: Slaughter et al., SC20, https://arxiv.org/abs/1908.05790; the relations are those of core/core.cc of
// https://github.com/StanfordLegion/task-bench, where they differ from the paper's table.
// Flow: task_bench.cpp, tests -> [task bench graph]. Thread-safety: immutable.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "workloads/siphash.hpp"

namespace mitra::workloads {

enum class TaskBenchPattern : std::uint8_t {
  trivial,
  no_comm,
  stencil_1d,
  stencil_1d_periodic,
  dom,
  tree,
  fft,
  all_to_all,
  nearest,
  spread,
  random_nearest,
};

struct TaskBenchGraph {
  TaskBenchPattern pattern = TaskBenchPattern::stencil_1d;
  std::int64_t width = 4;  ///< Columns, at least 1.
  std::int64_t steps = 4;  ///< At least 1.
  std::int64_t radix = 5;  ///< nearest, spread, random_nearest: dependencies of a task, at most.
  std::uint64_t seed = 1;  ///< random_nearest: what Task Bench calls the graph's index.

  static constexpr std::int64_t kPeriod = 3;  ///< spread, random_nearest: steps until the relation repeats.
  static constexpr double kConnected = 0.25;  ///< random_nearest: how much of the neighbourhood is connected.

  /// The columns that exist at `step` are first_column(step) .. first_column(step) + columns(step) - 1.
  std::int64_t first_column(std::int64_t step) const {
    return pattern == TaskBenchPattern::dom ? std::max<std::int64_t>(0, step + width - steps) : 0;
  }
  std::int64_t columns(std::int64_t step) const {
    if (step < 0) return 0;
    if (pattern == TaskBenchPattern::dom) return std::min({width, step + 1, steps - step});
    if (pattern == TaskBenchPattern::tree) return std::min(width, std::int64_t{1} << std::min<std::int64_t>(step, 62));
    return width;
  }
  std::uint64_t tasks() const {
    std::uint64_t sum = 0;
    for (std::int64_t step = 0; step < steps; ++step) sum += static_cast<std::uint64_t>(columns(step));
    return sum;
  }

  /// Calls visit(column) for each column of step - 1 that task (step, column) depends on, each once.
  template <class Visit>
  void for_each_predecessor(std::int64_t step, std::int64_t column, Visit&& visit) const {
    if (step == 0) return;
    const std::int64_t low = first_column(step - 1), high = low + columns(step - 1) - 1;
    const auto interval = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = std::max(first, low); i <= std::min(last, high); ++i) visit(i);
    };
    switch (pattern) {
      case TaskBenchPattern::trivial:
        return;
      case TaskBenchPattern::no_comm:
        return interval(column, column);
      case TaskBenchPattern::stencil_1d:
        return interval(column - 1, column + 1);
      case TaskBenchPattern::stencil_1d_periodic:
        interval(column - 1, column + 1);
        // With fewer than three columns, the wrapped neighbour is one of those above.
        if (column == 0 && width > 2) visit(width - 1);
        if (column == width - 1 && width > 2) visit(0);
        return;
      case TaskBenchPattern::dom:
        return interval(column - 1, column);
      case TaskBenchPattern::tree:
        return interval(column / 2, column / 2);
      case TaskBenchPattern::fft: {
        const std::int64_t distance = std::int64_t{1} << butterfly_level(step);
        interval(column - distance, column - distance);
        interval(column, column);
        interval(column + distance, column + distance);
        return;
      }
      case TaskBenchPattern::all_to_all:
        return interval(0, width - 1);
      case TaskBenchPattern::nearest:
        if (radix > 0) interval(column - radix / 2, column + (radix - 1) / 2);
        return;
      case TaskBenchPattern::spread:
        return visit_spread(step, column, visit);
      case TaskBenchPattern::random_nearest:
        if (radix == 0) return;
        for (std::int64_t i = std::max(column - radix / 2, low); i <= std::min(column + (radix - 1) / 2, high); ++i)
          if (i == column || connected(step, i, column)) visit(i);
        return;
    }
  }

 private:
  /// The stage of the butterfly: each step takes the next one of ceil(log2(width)).
  std::int64_t butterfly_level(std::int64_t step) const {
    const std::int64_t levels = std::max(1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(width - 1))));
    return (step + levels - 1) % levels;
  }

  template <class Visit>
  void visit_spread(std::int64_t step, std::int64_t column, Visit&& visit) const {
    const auto target = [&](std::int64_t k) {
      return (column + k * width / radix + (k > 0 ? step % kPeriod : 0)) % width;
    };
    for (std::int64_t k = 0; k < radix; ++k) {
      // In a narrow graph the targets meet; Task Bench then reads one output several times.
      bool seen = false;
      for (std::int64_t earlier = 0; earlier < k; ++earlier) seen |= target(earlier) == target(k);
      if (!seen) visit(target(k));
    }
  }

  bool connected(std::int64_t step, std::int64_t from, std::int64_t to) const {
    const std::array<std::int64_t, 5> words{static_cast<std::int64_t>(seed), radix, step % kPeriod, from, to};
    return static_cast<double>(siphash(words)) * 0x1.0p-64 < kConnected;
  }
};

}  // namespace mitra::workloads
