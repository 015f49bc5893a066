// What a Task Bench task computes; the loops are those of its core/core_kernel.cc.
// Flow: task body -> [task bench kernel]. Thread-safety: thread-safe.
#pragma once

#include <cstdint>

#include <mitra/types.hpp>

namespace mitra::workloads {

/// a := a * a + a on 64 doubles, so many times. Compute-bound: everything stays in registers and the first-level cache.
void compute(std::uint64_t iterations);
constexpr double compute_flops(std::uint64_t iterations) { return 2.0 * 64.0 * static_cast<double>(iterations) + 64.0; }

/// A chain of so many integer multiplications and remainders.
void multiply_chain(std::uint64_t iterations);

/// Reads the clock until `duration` has passed.
void spin(Seconds duration);

/// @returns Floating-point operations per second of compute() on the calling core: the best of several short runs.
double compute_rate();

/// @returns The iterations with which compute() takes about `duration` on the calling core; at least 1.
std::uint64_t compute_iterations(Seconds duration);

}  // namespace mitra::workloads
