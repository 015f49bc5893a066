// All kernels, as symbols of one code object.
// Flow: kernels -> [code object] -> hipModuleLoadData.
#include "list.hpp"

namespace mitra::hip::kernels {


#define MITRA_VECTOR_KERNELS(suffix, T)                                                                                          \
  extern "C" __global__ __launch_bounds__(kVectorThreads) void mitra_axpy_##suffix(Size n, T alpha, const T* x, T* y) {          \
    axpy<T>({}, n, alpha, x, y);                                                                                                 \
  }                                                                                                                              \
  extern "C" __global__ __launch_bounds__(kVectorThreads) void mitra_stencil3_##suffix(Size n, T center, T side, const T* in,    \
                                                                                       T* out) {                                 \
    stencil3<T>({}, n, center, side, in, out);                                                                                   \
  }                                                                                                                              \
  extern "C" __global__ __launch_bounds__(kVectorThreads) void mitra_stencil5_##suffix(                                          \
      Size rows, Size columns, T center, T side, const T* in, Size ld_in, T* out, Size ld_out) {                                 \
    stencil5<T>({}, rows, columns, center, side, in, ld_in, out, ld_out);                                                        \
  }
#define MITRA_MATRIX_KERNELS(suffix, T)                                                                                          \
  extern "C" __global__ __launch_bounds__(kGemmThreads) void mitra_gemm_##suffix(                                                \
      Size m, Size n, Size k, T alpha, Operand<T> a, Operand<T> b, T beta, T* c, Size ldc, int lower) {                          \
    gemm<T>({}, m, n, k, alpha, a, b, beta, c, ldc, lower);                                                                      \
  }                                                                                                                              \
  extern "C" __global__ __launch_bounds__(kTriangleThreads) void mitra_potf2_##suffix(Size n, T* a, Size ld) {                   \
    potf2<T>({}, n, a, ld);                                                                                                      \
  }                                                                                                                              \
  extern "C" __global__ __launch_bounds__(kTriangleThreads) void mitra_trsm_rows_##suffix(Size rows, Size n, const T* a,         \
                                                                                          Size ld_a, T* b, Size ld_b) {          \
    trsm_rows<T>({}, rows, n, a, ld_a, b, ld_b);                                                                                 \
  }

MITRA_VECTOR_KERNELS(d, double)
MITRA_VECTOR_KERNELS(s, float)
MITRA_MATRIX_KERNELS(d, double)
MITRA_MATRIX_KERNELS(s, float)

}  // namespace mitra::hip::kernels
