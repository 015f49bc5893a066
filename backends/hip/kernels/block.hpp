// A block of threads, on a GPU or in a loop on a core: what lets one kernel source be compiled for both.
// Flow: [block] -> kernels -> code object, and their twins on the CPU. Thread-safety: each block has its own.
#pragma once

// A kernel is a function of a Block, written in phases: block.threads(f) calls f(t) for each thread t, and returns when all
// are through it. What a thread keeps from one phase to the next lies in a PerThread, what threads share in MITRA_SHARED.
#if defined(__HIP__)
#include <hip/hip_runtime.h>
#define MITRA_DEVICE __device__ __forceinline__
#define MITRA_SHARED(T, name, count) __shared__ T name[count]
#define MITRA_UNROLL _Pragma("unroll")
#else
#include <cmath>
#define MITRA_DEVICE inline
#define MITRA_SHARED(T, name, count) T name[count]
#define MITRA_UNROLL
#endif

namespace mitra::hip::kernels {

using Size = unsigned long;  // std::size_t, on GPUs and on the hosts that have them

#if defined(__HIP__)

template <class T, unsigned Threads>
struct PerThread {
  T value;
  MITRA_DEVICE T& operator[](unsigned) { return value; }
};

/// @tparam Threads  In the block, in one dimension.
template <unsigned Threads>
struct Block {
  MITRA_DEVICE unsigned x() const { return blockIdx.x; }
  MITRA_DEVICE unsigned y() const { return blockIdx.y; }
  MITRA_DEVICE unsigned width() const { return gridDim.x; }
  template <class F>
  MITRA_DEVICE void threads(F f) const {
    f(threadIdx.x);
    __syncthreads();
  }
  /// Without waiting for each other: what follows reads nothing that other threads have written.
  template <class F>
  MITRA_DEVICE void alone(F f) const {
    f(threadIdx.x);
  }
};

#else

template <class T, unsigned Threads>
struct PerThread {
  T value[Threads];
  T& operator[](unsigned t) { return value[t]; }
};

template <unsigned Threads>
class Block {
 public:
  Block(unsigned x, unsigned y, unsigned width) : x_(x), y_(y), width_(width) {}
  unsigned x() const { return x_; }
  unsigned y() const { return y_; }
  unsigned width() const { return width_; }
  template <class F>
  void threads(F f) const {
    for (unsigned t = 0; t < Threads; ++t) f(t);
  }
  template <class F>
  void alone(F f) const {
    threads(f);
  }

 private:
  unsigned x_, y_, width_;
};

#endif

}  // namespace mitra::hip::kernels
