// The matrix cores of CDNA: a wave of 64 lanes multiplies 16 x 4 by 4 x 16. On a CPU, the same from the lanes' registers.
// Flow: [matrix core] -> gemm. Thread-safety: each block has its own.
#pragma once

#include "block.hpp"

namespace mitra::hip::kernels {

inline constexpr unsigned kWave = 64;

/// What one lane holds of a 16 x 16 product.
template <class T>
struct Quad {
  T value[4];
};

// v_mfma_f64_16x16x4f64 and v_mfma_f32_16x16x4f32 take and give, in lane l:
//   left(l % 16, l / 16), right(l / 16, l % 16), and the product's column l % 16;
//   its rows 4 r + l / 16 (double), or 4 (l / 16) + r (float), for r = 0 .. 3.
// ("AMD CDNA2 instruction set architecture", matrix arithmetic instructions)
template <class T>
MITRA_DEVICE unsigned product_row(unsigned lane, unsigned r) {
  return sizeof(T) == 8 ? 4 * r + lane / 16 : 4 * (lane / 16) + r;
}

#if defined(__HIP__)

#if defined(__gfx90a__) || defined(__gfx940__) || defined(__gfx941__) || defined(__gfx942__) || defined(__gfx950__)
inline constexpr bool kMatrixCores = true;

MITRA_DEVICE void multiply_add(double left, double right, Quad<double>& sum) {
  using Vector = double __attribute__((ext_vector_type(4)));
  Vector v = {sum.value[0], sum.value[1], sum.value[2], sum.value[3]};
  v = __builtin_amdgcn_mfma_f64_16x16x4f64(left, right, v, 0, 0, 0);
  MITRA_UNROLL for (int r = 0; r < 4; ++r) sum.value[r] = v[r];
}
MITRA_DEVICE void multiply_add(float left, float right, Quad<float>& sum) {
  using Vector = float __attribute__((ext_vector_type(4)));
  Vector v = {sum.value[0], sum.value[1], sum.value[2], sum.value[3]};
  v = __builtin_amdgcn_mfma_f32_16x16x4f32(left, right, v, 0, 0, 0);
  MITRA_UNROLL for (int r = 0; r < 4; ++r) sum.value[r] = v[r];
}
#else
inline constexpr bool kMatrixCores = false;

template <class T>
MITRA_DEVICE void multiply_add(T, T, Quad<T>&) {}  // is not called
#endif

/// sum += left * right, in each wave of the block. @param sum  `At` says which quad of a thread.
template <class T, unsigned Threads, class Sums>
MITRA_DEVICE void multiply_add(const Block<Threads>&, PerThread<T, Threads>& left, PerThread<T, Threads>& right, Sums sums) {
  multiply_add(left.value, right.value, sums(0));
}

#else

inline constexpr bool kMatrixCores = true;

template <class T, unsigned Threads, class Sums>
void multiply_add(const Block<Threads>&, PerThread<T, Threads>& left, PerThread<T, Threads>& right, Sums sums) {
  for (unsigned wave = 0; wave < Threads; wave += kWave)
    for (unsigned lane = 0; lane < kWave; ++lane)
      for (unsigned r = 0; r < 4; ++r) {
        const unsigned i = product_row<T>(lane, r), j = lane % 16;
        for (unsigned k = 0; k < 4; ++k)
          sums(wave + lane).value[r] += left[wave + 16 * k + i] * right[wave + 16 * k + j];
      }
}

#endif

}  // namespace mitra::hip::kernels
