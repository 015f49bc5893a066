// rocBLAS on one device: which sizes it gets, a handle for each stream, and what its errors mean.
// Flow: hip device -> [blas handles] -> hip kernels. Thread-safety: the device's own thread.
#pragma once

#include <initializer_list>
#include <vector>

#include "blas.hpp"
#include "errors.hpp"

namespace mitra::hip {

/// A handle has a workspace that its kernels share, so that each stream needs one of its own
/// (https://github.com/ROCm/rocBLAS/issues/1253). It is made when the stream's first large kernel is asked for.
class BlasHandles {
 public:
  /// @param blas  Null: there is no rocBLAS, and no size is large enough for it.
  /// @param from  Kernels whose sizes all reach this go there.
  BlasHandles(const Functions& hip, const Blas* blas, int device, std::size_t from) noexcept
      : hip_(hip), blas_(blas), device_(device), from_(from) {}
  BlasHandles(const BlasHandles&) = delete;
  BlasHandles& operator=(const BlasHandles&) = delete;

  /// @param sizes    Rows, columns, depth: of the operation, not of memory.
  /// @param strides  Leading dimensions. rocBLAS counts by 32 bits.
  bool takes(std::initializer_list<std::size_t> sizes, std::initializer_list<std::size_t> strides) const noexcept;

  /// @pre  takes(), and the device is the thread's current one.
  /// @returns The stream's handle; null: there is none, since `result` says so, or since there is no memory for it: then the kernels
  ///          of this stream are Mitra's from now on.
  BlasHandle at(hipStream_t stream, DeviceResult& result);
  const Blas& functions() const noexcept { return *blas_; }

  /// @param call  What has returned this status, on the stream. HIP's last error is forgotten: what rocBLAS has tried on its way is
  ///              no failure of the body.
  DeviceResult result_of(BlasStatus status, const char* call, hipStream_t stream) const noexcept;

  /// @pre Nothing runs in the streams, they are still there, and the device is not lost.
  void destroy() noexcept;

 private:
  struct Entry {
    hipStream_t stream = nullptr;
    BlasHandle handle = nullptr;  // null: none can be had
    bool ready = false;           // it is set up
  };
  const Functions& hip_;
  const Blas* const blas_;
  const int device_;
  const std::size_t from_;
  std::vector<Entry> handles_;
};

}  // namespace mitra::hip
