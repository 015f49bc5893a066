// Flow: task body -> [task bench kernel]. Thread-safety: thread-safe.

#include "workloads/task_bench_kernel.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace mitra::workloads {
namespace {

using Clock = std::chrono::steady_clock;

// Makes the compiler believe that someone reads the value.
template <class Value>
void keep(Value value) {
  asm volatile("" : : "g"(value) : "memory");
}

Seconds since(Clock::time_point start) { return Seconds(std::chrono::duration<double>(Clock::now() - start).count()); }

}  // namespace

void compute(std::uint64_t iterations) {
  std::array<double, 64> a;
  a.fill(1.2345);
  for (std::uint64_t i = 0; i < iterations; ++i)
    for (double& x : a) x = x * x + x;
  double product = 1.0;
  for (const double x : a) product *= x;
  keep(product);
}

void multiply_chain(std::uint64_t iterations) {
  std::int64_t value = 113;
  for (std::uint64_t i = 0; i < iterations; ++i) value = value * 139 % 2147483647;
  keep(value);
}

void spin(Seconds duration) {
  const auto start = Clock::now();
  while (since(start) < duration) {
  }
}

double compute_rate() {
  constexpr std::uint64_t iterations = 50'000;  // long enough that the clock and the final product do not matter
  double best = 0.0;
  for (int run = 0; run < 7; ++run) {
    const auto start = Clock::now();
    compute(iterations);
    best = std::max(best, compute_flops(iterations) / since(start).value);
  }
  return best;
}

std::uint64_t compute_iterations(Seconds duration) {
  const double iterations = (duration.value * compute_rate() - 64.0) / 128.0;
  return static_cast<std::uint64_t>(std::clamp(std::round(iterations), 1.0, 1e15));
}

}  // namespace mitra::workloads
