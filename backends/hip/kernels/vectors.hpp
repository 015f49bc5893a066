// Kernels whose time is that of memory: axpy and stencils.
// Flow: [vectors] -> code object, twins. Thread-safety: each block has its own.
#pragma once

#include "block.hpp"

namespace mitra::hip::kernels {

inline constexpr unsigned kVectorThreads = 256;

/// y += alpha x. Each thread takes every (blocks x threads)-th entry.
template <class T>
MITRA_DEVICE void axpy(const Block<kVectorThreads>& block, Size n, T alpha, const T* x, T* y) {
  const Size step = Size(block.width()) * kVectorThreads;
  block.alone([&](unsigned t) {
    for (Size i = Size(block.x()) * kVectorThreads + t; i < n; i += step) y[i] += alpha * x[i];
  });
}

inline constexpr unsigned kStencilRows = 64, kStencilColumns = 4;  // a thread an entry: neighbours in a column are neighbours

/// out = center in + side (the four neighbours of in), on the border out = in.
template <class T>
MITRA_DEVICE void stencil5(const Block<kVectorThreads>& block, Size rows, Size columns, T center, T side, const T* in, Size ld_in, T* out,
                           Size ld_out) {
  block.alone([&](unsigned t) {
    const Size i = Size(block.x()) * kStencilRows + t % kStencilRows, j = Size(block.y()) * kStencilColumns + t / kStencilRows;
    if (i >= rows || j >= columns) return;
    const T* at = in + i + j * ld_in;
    const bool inside = i > 0 && i + 1 < rows && j > 0 && j + 1 < columns;
    out[i + j * ld_out] = inside ? center * at[0] + side * ((at[-1] + at[1]) + (*(at - ld_in) + at[ld_in])) : at[0];
  });
}

/// out = center in + side (both neighbours of in), at the ends out = in.
template <class T>
MITRA_DEVICE void stencil3(const Block<kVectorThreads>& block, Size n, T center, T side, const T* in, T* out) {
  const Size step = Size(block.width()) * kVectorThreads;
  block.alone([&](unsigned t) {
    for (Size i = Size(block.x()) * kVectorThreads + t; i < n; i += step)
      out[i] = i > 0 && i + 1 < n ? center * in[i] + side * (in[i - 1] + in[i + 1]) : in[i];
  });
}

}  // namespace mitra::hip::kernels
