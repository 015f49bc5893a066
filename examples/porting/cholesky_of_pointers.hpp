// The functions of a tiled Cholesky factorisation, A = L L^T, as a program has them that knows no runtime: the matrix is one
// array, column by column; a tile is a pointer to its first element, and its columns are n elements apart.
// Flow: step 0, step 1 -> [functions]. Thread-safety: no state.
#pragma once

#include <cmath>
#include <cstddef>

constexpr std::size_t n = 512, nb = 64, tiles = n / nb;

/// The element (i, j) of a tile.
constexpr std::size_t at(std::size_t i, std::size_t j) { return i + j * n; }

/// a := its Cholesky factor, in the lower triangle.
inline void potrf(double* a) {
  for (std::size_t j = 0; j < nb; ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = j; i < nb; ++i) a[at(i, j)] -= a[at(i, k)] * a[at(j, k)];
    a[at(j, j)] = std::sqrt(a[at(j, j)]);
    for (std::size_t i = j + 1; i < nb; ++i) a[at(i, j)] /= a[at(j, j)];
  }
}
/// b := b l^-T
inline void trsm(const double* l, double* b) {
  for (std::size_t j = 0; j < nb; ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = 0; i < nb; ++i) b[at(i, j)] -= b[at(i, k)] * l[at(j, k)];
    for (std::size_t i = 0; i < nb; ++i) b[at(i, j)] /= l[at(j, j)];
  }
}
/// c := c - a b^T
inline void gemm(const double* a, const double* b, double* c) {
  for (std::size_t j = 0; j < nb; ++j)
    for (std::size_t k = 0; k < nb; ++k)
      for (std::size_t i = 0; i < nb; ++i) c[at(i, j)] -= a[at(i, k)] * b[at(j, k)];
}
/// c := c - a a^T
inline void syrk(const double* a, double* c) { gemm(a, a, c); }

/// A matrix with a factor that is known: L(i, j) = 1 below the diagonal, and n on it.
inline double factor(std::size_t i, std::size_t j) { return i < j ? 0.0 : i == j ? static_cast<double>(n) : 1.0; }
inline void fill(double* a) {
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t common = i < j ? i : j;  // so many products of two ones
      a[at(i, j)] = static_cast<double>(common) + factor(i, common) * factor(j, common);
    }
}
/// NaN if there is one.
inline double largest_error(const double* a) {
  double error = 0.0;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      const double e = std::fabs(a[at(i, j)] - factor(i, j));
      if (e > error || std::isnan(e)) error = e;
    }
  return error;
}
