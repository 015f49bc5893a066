// The element types and kernels that a build of Mitra has, with HIP or without: one list for both.
// Flow: [instances] -> backends/hip, backends/without_hip. Thread-safety: immutable.
#pragma once

#include <mitra/hip_kernels.hpp>

// To be written in namespace mitra::hip, behind the definitions.
#define MITRA_HIP_KERNEL_INSTANCES_OF(T)                                                 \
  template void axpy<T>(HipStream, T, View<const T>, View<T>);                           \
  template void gemm<T>(HipStream, Op, Op, T, Tile<const T>, Tile<const T>, T, Tile<T>); \
  template void syrk<T>(HipStream, T, Tile<const T>, T, Tile<T>);                        \
  template void trsm<T>(HipStream, Tile<const T>, Tile<T>);                              \
  template void potrf<T>(HipStream, Tile<T>);                                            \
  template void stencil3<T>(HipStream, T, T, View<const T>, View<T>);                    \
  template void stencil5<T>(HipStream, T, T, Tile<const T>, Tile<T>);
#define MITRA_HIP_KERNEL_INSTANCES      \
  MITRA_HIP_KERNEL_INSTANCES_OF(double) \
  MITRA_HIP_KERNEL_INSTANCES_OF(float)
