// The functions of a tiled Cholesky factorisation, A = L L^T, on views, and a matrix whose factor is known.
// The kernels are the shortest that are right; a real code calls BLAS instead, as bench/workloads/cholesky.cpp does.
// Flow: example -> [functions]. Thread-safety: no state.
#pragma once

#include <cmath>
#include <cstddef>

#include <mitra/data.hpp>

using Block = mitra::Tile<double>;             // element (i, j), column-major as in BLAS, and its sizes: rows(), cols(), ld()
using ConstBlock = mitra::Tile<const double>;  // the same, of a datum that is read

/// a := its Cholesky factor, in the lower triangle.
inline void potrf(Block a) {
  for (std::size_t j = 0; j < a.cols(); ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = j; i < a.rows(); ++i) a(i, j) -= a(i, k) * a(j, k);
    a(j, j) = std::sqrt(a(j, j));
    for (std::size_t i = j + 1; i < a.rows(); ++i) a(i, j) /= a(j, j);
  }
}
/// b := b l^-T
inline void trsm(ConstBlock l, Block b) {
  for (std::size_t j = 0; j < b.cols(); ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = 0; i < b.rows(); ++i) b(i, j) -= b(i, k) * l(j, k);
    for (std::size_t i = 0; i < b.rows(); ++i) b(i, j) /= l(j, j);
  }
}
/// c := c - a b^T
inline void gemm(ConstBlock a, ConstBlock b, Block c) {
  for (std::size_t j = 0; j < c.cols(); ++j)
    for (std::size_t k = 0; k < a.cols(); ++k)
      for (std::size_t i = 0; i < c.rows(); ++i) c(i, j) -= a(i, k) * b(j, k);
}
/// c := c - a a^T
inline void syrk(ConstBlock a, Block c) { gemm(a, a, c); }

/// A symmetric positive definite matrix with a factor that is known: L(i, j) = 1 below the diagonal, and n on it.
inline double factor(std::size_t i, std::size_t j, std::size_t n) {
  return i < j ? 0.0 : i == j ? static_cast<double>(n) : 1.0;
}
/// Its part that begins in this row and column.
inline void fill(Block a, std::size_t row, std::size_t column, std::size_t n) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) {
      const std::size_t r = row + i, c = column + j, common = r < c ? r : c;  // so many products of two ones
      a(i, j) = static_cast<double>(common) + factor(r, common, n) * factor(c, common, n);
    }
}
/// Of the lower triangle of such a part. NaN if there is one.
inline double largest_error(ConstBlock a, std::size_t row, std::size_t column, std::size_t n) {
  double error = 0.0;
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) {
      if (row + i < column + j) continue;
      const double e = std::fabs(a(i, j) - factor(row + i, column + j, n));
      if (e > error || std::isnan(e)) error = e;
    }
  return error;
}
