// The small steps of a lower Cholesky factorisation: a diagonal block, and the rows below it. gemm does the rest.
// Flow: [triangles] -> code object, twins. Thread-safety: each block has its own.
#pragma once

#include "block.hpp"

namespace mitra::hip::kernels {

inline constexpr unsigned kTriangle = 32;  // rows of a diagonal block, at most
inline constexpr unsigned kTriangleThreads = 256;

#if defined(__HIP__)
MITRA_DEVICE double root(double x) { return sqrt(x); }
MITRA_DEVICE float root(float x) { return sqrtf(x); }
#else
template <class T>
T root(T x) {
  return std::sqrt(x);
}
#endif

/// A = L L^T, in one block: L overwrites the lower triangle. Where A is not positive definite, L gets NaN.
template <class T>
MITRA_DEVICE void potf2(const Block<kTriangleThreads>& block, Size n, T* a, Size ld) {
  constexpr unsigned kPitch = kTriangle + 1;
  MITRA_SHARED(T, l, kTriangle * kPitch);
  const auto entries = [&](unsigned t, auto f) {
    for (unsigned e = t; e < kTriangle * kTriangle; e += kTriangleThreads) {
      const unsigned i = e % kTriangle, j = e / kTriangle;
      if (i < n && j <= i) f(i, j);
    }
  };
  block.threads([&](unsigned t) { entries(t, [&](unsigned i, unsigned j) { l[i + j * kPitch] = a[i + j * ld]; }); });
  for (unsigned k = 0; k < n; ++k) {
    block.threads([&](unsigned t) { if (t == 0) l[k + k * kPitch] = root(l[k + k * kPitch]); });
    block.threads([&](unsigned t) { if (t > k && t < n) l[t + k * kPitch] /= l[k + k * kPitch]; });
    block.threads([&](unsigned t) {
      entries(t, [&](unsigned i, unsigned j) { if (j > k) l[i + j * kPitch] -= l[i + k * kPitch] * l[j + k * kPitch]; });
    });
  }
  block.alone([&](unsigned t) { entries(t, [&](unsigned i, unsigned j) { a[i + j * ld] = l[i + j * kPitch]; }); });
}

inline constexpr unsigned kTrsmRows = 64;  // of B, a block

/// X L^T = B for n <= kTriangle columns: X overwrites B. Four threads a row; B's rows lie in LDS. (In registers, thread by
/// thread, the compiler reads all of L in advance, and spills.)
template <class T>
MITRA_DEVICE void trsm_rows(const Block<kTriangleThreads>& block, Size rows, Size n, const T* a, Size ld_a, T* b, Size ld_b) {
  constexpr unsigned kShare = kTriangleThreads / kTrsmRows, kPitch = kTrsmRows + 1;
  MITRA_SHARED(T, l, kTriangle * kTriangle);
  MITRA_SHARED(T, x, kTriangle * kPitch);
  const Size first = Size(block.x()) * kTrsmRows;
  const auto mine = [&](unsigned t, auto f) {
    const unsigned i = t % kTrsmRows;
    if (first + i >= rows) return;
    for (unsigned j = t / kTrsmRows; j < n; j += kShare) f(i, j);
  };
  block.threads([&](unsigned t) {
    for (unsigned e = t; e < kTriangle * kTriangle; e += kTriangleThreads) {
      const unsigned i = e % kTriangle, j = e / kTriangle;
      if (i < n && j <= i) l[e] = a[i + j * ld_a];
    }
    mine(t, [&](unsigned i, unsigned j) { x[i + j * kPitch] = b[first + i + j * ld_b]; });
  });
  for (unsigned j = 0; j < n; ++j) {
    block.threads([&](unsigned t) { if (t / kTrsmRows == j % kShare && first + t % kTrsmRows < rows) x[t % kTrsmRows + j * kPitch] /= l[j + j * kTriangle]; });
    block.threads([&](unsigned t) {
      mine(t, [&](unsigned i, unsigned k) { if (k > j) x[i + k * kPitch] -= x[i + j * kPitch] * l[k + j * kTriangle]; });
    });
  }
  block.alone([&](unsigned t) { mine(t, [&](unsigned i, unsigned j) { b[first + i + j * ld_b] = x[i + j * kPitch]; }); });
}

}  // namespace mitra::hip::kernels
