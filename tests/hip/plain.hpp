// What kernels are compared with: random matrices, plain loops, a tolerance.
// Flow: [plain] -> tests of kernels. Thread-safety: immutable.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <mitra/view.hpp>

#include "support/random.hpp"

namespace mitra::test {

template <class T>
std::vector<T> random_numbers(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<T> numbers(count);
  for (T& x : numbers) x = static_cast<T>(static_cast<double>(random.next() >> 11) * 0x1.0p-52 - 1.0);
  return numbers;
}

template <class T>
double tolerance() {
  return sizeof(T) == 8 ? 1e-11 : 2e-3;
}

/// The largest difference, relative to one; a NaN on one side only is infinite.
template <class T>
double difference(const std::vector<T>& a, const std::vector<T>& b) {
  double largest = a.size() == b.size() ? 0.0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    largest = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(largest, d);
  }
  return largest;
}

/// C = alpha op(A) op(B) + beta C by plain loops.
template <class T>
void plain_gemm(bool ta, bool tb, T alpha, Tile<const T> a, Tile<const T> b, T beta, Tile<T> c, bool lower = false) {
  const std::size_t depth = ta ? a.rows() : a.cols();
  for (std::size_t j = 0; j < c.cols(); ++j)
    for (std::size_t i = lower ? j : 0; i < c.rows(); ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k < depth; ++k)
        sum += static_cast<double>(ta ? a(k, i) : a(i, k)) * static_cast<double>(tb ? b(j, k) : b(k, j));
      c(i, j) = static_cast<T>(static_cast<double>(alpha) * sum +
                               (beta == T(0) ? 0.0 : static_cast<double>(beta) * static_cast<double>(c(i, j))));
    }
}

/// A lower triangle that is far from singular.
template <class T>
std::vector<T> triangle(std::size_t n, std::size_t ld, std::uint64_t seed) {
  std::vector<T> l = random_numbers<T>(n * ld, seed);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < n; ++i) l[i + j * ld] = l[i + j * ld] / static_cast<T>(n);
    l[j + j * ld] += T(2);
  }
  return l;
}

/// X L^T = B by plain loops: X overwrites B.
template <class T>
void plain_trsm(Tile<const T> l, Tile<T> b) {
  for (std::size_t j = 0; j < b.cols(); ++j)
    for (std::size_t i = 0; i < b.rows(); ++i) {
      T x = b(i, j);
      for (std::size_t k = 0; k < j; ++k) x -= b(i, k) * l(j, k);
      b(i, j) = x / l(j, j);
    }
}

/// The lower triangle of L L^T goes to A's.
template <class T>
void plain_product(Tile<const T> l, Tile<T> a) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = j; i < a.rows(); ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k <= j; ++k) sum += static_cast<double>(l(i, k)) * static_cast<double>(l(j, k));
      a(i, j) = static_cast<T>(sum);
    }
}

}  // namespace mitra::test
