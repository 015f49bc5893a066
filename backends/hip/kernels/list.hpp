// Every kernel of the code object: its number, its name there, its signature.
// Flow: kernels -> [list] -> code object, host side, twins. Thread-safety: immutable.
#pragma once

#include "gemm.hpp"
#include "triangles.hpp"
#include "vectors.hpp"

// X(number, function, element type, threads of a block); the symbol is mitra_NUMBER.
#define MITRA_HIP_KERNELS(X)                       \
  X(axpy_d, axpy, double, kVectorThreads)          \
  X(axpy_s, axpy, float, kVectorThreads)           \
  X(stencil3_d, stencil3, double, kVectorThreads)  \
  X(stencil3_s, stencil3, float, kVectorThreads)   \
  X(stencil5_d, stencil5, double, kVectorThreads)  \
  X(stencil5_s, stencil5, float, kVectorThreads)   \
  X(gemm_d, gemm, double, kGemmThreads)            \
  X(gemm_s, gemm, float, kGemmThreads)             \
  X(potf2_d, potf2, double, kTriangleThreads)      \
  X(potf2_s, potf2, float, kTriangleThreads)       \
  X(trsm_rows_d, trsm_rows, double, kTriangleThreads) \
  X(trsm_rows_s, trsm_rows, float, kTriangleThreads)
