// C = alpha op(A) op(B) + beta C, by tiles of 64 x 64 in LDS; of syrk, the lower triangle alone.
// Flow: [gemm] -> code object, twins. Thread-safety: each block has its own.
#pragma once

#include "matrix_core.hpp"

namespace mitra::hip::kernels {

inline constexpr unsigned kGemmThreads = 256;
inline constexpr unsigned kGemmTile = 64;  // of C, a block
inline constexpr unsigned kGemmDepth = 16;

/// Column-major, (rows, cols) is op(X)'s shape.
template <class T>
struct Operand {
  const T* data;
  Size ld;
  int transposed;
  MITRA_DEVICE T at(Size i, Size j) const { return transposed ? data[j + i * ld] : data[i + j * ld]; }
};

/// What a thread fetches of one operand for the next step: its tile is kGemmTile x kGemmDepth.
template <class T>
struct Fetched {
  T value[kGemmTile * kGemmDepth / kGemmThreads];
};

/// @param along  True: neighbouring threads fetch neighbours in the tile's long direction, else in its depth; as they lie in memory.
/// @param get    get(long index, depth index), zero outside of the matrix.
template <class T, class Get>
MITRA_DEVICE void fetch(unsigned t, bool along, Fetched<T>& fetched, Get get) {
  MITRA_UNROLL for (unsigned s = 0; s < kGemmTile * kGemmDepth / kGemmThreads; ++s) {
    const unsigned e = t + s * kGemmThreads;
    fetched.value[s] = along ? get(e % kGemmTile, e / kGemmTile) : get(e / kGemmDepth, e % kGemmDepth);
  }
}
template <class T>
MITRA_DEVICE void put(unsigned t, bool along, const Fetched<T>& fetched, T* tile, unsigned pitch) {
  MITRA_UNROLL for (unsigned s = 0; s < kGemmTile * kGemmDepth / kGemmThreads; ++s) {
    const unsigned e = t + s * kGemmThreads;
    if (along)
      tile[(e / kGemmTile) * pitch + e % kGemmTile] = fetched.value[s];
    else
      tile[(e % kGemmDepth) * pitch + e / kGemmDepth] = fetched.value[s];
  }
}

/// The block x() of rows and y() of columns. @param lower  1: entries above C's diagonal stay as they are.
/// @tparam Matrix  By matrix cores; else each thread sums up 4 x 4 entries.
template <class T, bool Matrix = kMatrixCores>
MITRA_DEVICE void gemm(const Block<kGemmThreads>& block, Size m, Size n, Size k, T alpha, Operand<T> a, Operand<T> b, T beta, T* c,
                       Size ldc, int lower) {
  constexpr unsigned kPitch = kGemmTile + (sizeof(T) == 8 ? 2 : 4);  // neighbours in depth lie in other banks
  const Size row = Size(block.x()) * kGemmTile, column = Size(block.y()) * kGemmTile;
  if (lower && row + kGemmTile <= column) return;

  MITRA_SHARED(T, left, kGemmDepth * kPitch);   // op(A): [depth][row]
  MITRA_SHARED(T, right, kGemmDepth * kPitch);  // op(B): [depth][column]
  // Four waves, 32 x 32 of C each: 2 x 2 products of the matrix cores. Or sums of 4 x 4, in the same room.
  struct Sums {
    Quad<T> quad[2][2];
  };
  PerThread<Sums, kGemmThreads> sums;
  PerThread<Fetched<T>, kGemmThreads> next_a, next_b;
  const bool a_along = !a.transposed, b_along = b.transposed != 0;

  const auto get = [&](unsigned t, Size depth) {
    fetch<T>(t, a_along, next_a[t], [&](unsigned i, unsigned d) { return row + i < m && depth + d < k ? a.at(row + i, depth + d) : T(0); });
    fetch<T>(t, b_along, next_b[t], [&](unsigned j, unsigned d) { return column + j < n && depth + d < k ? b.at(depth + d, column + j) : T(0); });
  };
  block.alone([&](unsigned t) {
    sums[t] = Sums{};
    get(t, 0);
  });
  for (Size depth = 0; depth < k; depth += kGemmDepth) {
    block.threads([&](unsigned t) {
      put<T>(t, a_along, next_a[t], left, kPitch);
      put<T>(t, b_along, next_b[t], right, kPitch);
    });
    // The next tiles are on their way from memory while these are multiplied.
    block.alone([&](unsigned t) { if (depth + kGemmDepth < k) get(t, depth + kGemmDepth); });
    if constexpr (Matrix) {
      // The transposed product, so that neighbouring lanes hold neighbours in a column of C.
      MITRA_UNROLL for (unsigned d = 0; d < kGemmDepth; d += 4) {
        PerThread<T, kGemmThreads> rows[2], columns[2];
        block.alone([&](unsigned t) {
          const unsigned lane = t % kWave, wave = t / kWave, at = (d + lane / 16) * kPitch + lane % 16;
          MITRA_UNROLL for (unsigned h = 0; h < 2; ++h) {
            rows[h][t] = left[at + (wave % 2) * 32 + h * 16];
            columns[h][t] = right[at + (wave / 2) * 32 + h * 16];
          }
        });
        MITRA_UNROLL for (unsigned i = 0; i < 2; ++i)
          MITRA_UNROLL for (unsigned j = 0; j < 2; ++j)
            multiply_add<T>(block, columns[j], rows[i], [&](unsigned t) -> Quad<T>& { return sums[t].quad[i][j]; });
      }
      block.threads([](unsigned) {});  // before the tiles are overwritten
    } else {
      block.threads([&](unsigned t) {
        for (unsigned d = 0; d < kGemmDepth; ++d)
          MITRA_UNROLL for (unsigned j = 0; j < 4; ++j)
            MITRA_UNROLL for (unsigned i = 0; i < 4; ++i)
              sums[t].quad[j / 2][j % 2].value[i] += left[d * kPitch + t % 16 + 16 * i] * right[d * kPitch + t / 16 + 16 * j];
      });
    }
  }

  block.alone([&](unsigned t) {
    const auto store = [&](Size i, Size j, T sum) {
      if (i >= m || j >= n || (lower && i < j)) return;
      T& entry = c[i + j * ldc];
      entry = beta == T(0) ? alpha * sum : alpha * sum + beta * entry;  // beta = 0: C may hold anything, NaN too
    };
    const unsigned lane = t % kWave, wave = t / kWave;
    MITRA_UNROLL for (unsigned p = 0; p < 2; ++p)
      MITRA_UNROLL for (unsigned q = 0; q < 2; ++q)
        MITRA_UNROLL for (unsigned r = 0; r < 4; ++r) {
          const T sum = sums[t].quad[p][q].value[r];
          if constexpr (Matrix)
            store(row + (wave % 2) * 32 + p * 16 + lane % 16, column + (wave / 2) * 32 + q * 16 + product_row<T>(lane, r), sum);
          else
            store(row + t % 16 + 16 * r, column + t / 16 + 16 * (2 * p + q), sum);
        }
  });
}

}  // namespace mitra::hip::kernels
