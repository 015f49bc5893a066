// Random matrices whose every entry is a function of (seed, row, column): any task makes any tile, and a check makes
// it again.
// Flow: workloads -> [random matrix] -> task bodies, verification. Thread-safety: thread-safe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <mitra/view.hpp>

namespace mitra::workloads {

/// @returns A number of [-0.5, 0.5), uniform. SplitMix64's finaliser over a counter (Steele, Lea, Flood, OOPSLA 2014).
inline double random_entry(std::uint64_t seed, std::size_t row, std::size_t column) {
  std::uint64_t z =
      (static_cast<std::uint64_t>(column) << 32 | static_cast<std::uint64_t>(row)) + seed * 0xd1342543de82ef95U;
  z = (z + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53 - 0.5;
}

/// Fills `tile`, whose first entry is (row, column) of the matrix.
template <class T>
void fill_random(Tile<T> tile, std::size_t row, std::size_t column, std::uint64_t seed) {
  for (std::size_t j = 0; j < tile.cols(); ++j)
    for (std::size_t i = 0; i < tile.rows(); ++i) tile(i, j) = static_cast<T>(random_entry(seed, row + i, column + j));
}

/// The same for a symmetric positive definite matrix of order n: random off the diagonal, 2 sqrt(n) on it. A random
/// symmetric matrix has its eigenvalues within +-2 sigma sqrt(n) = +-0.58 sqrt(n) (Wigner's semicircle), so that the
/// condition number is about 2, and the updates of the factorisation still weigh: with n on the diagonal, as test
/// generators often have it, a float factorisation would hardly notice a lost one.
template <class T>
void fill_positive_definite(Tile<T> tile, std::size_t row, std::size_t column, std::size_t n, std::uint64_t seed) {
  for (std::size_t j = 0; j < tile.cols(); ++j)
    for (std::size_t i = 0; i < tile.rows(); ++i) {
      const std::size_t r = row + i, c = column + j;
      tile(i, j) = static_cast<T>(r == c ? 2 * std::sqrt(static_cast<double>(n))
                                         : random_entry(seed, std::max(r, c), std::min(r, c)));
    }
}

/// y += A x, in double whatever the precision of A.
template <class T>
void multiply_add(Tile<const T> a, const double* x, double* y) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) y[i] += static_cast<double>(a(i, j)) * x[j];
}

/// y += A^T x.
template <class T>
void multiply_add_transposed(Tile<const T> a, const double* x, double* y) {
  for (std::size_t j = 0; j < a.cols(); ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < a.rows(); ++i) sum += static_cast<double>(a(i, j)) * x[i];
    y[j] += sum;
  }
}

}  // namespace mitra::workloads
