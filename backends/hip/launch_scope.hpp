// What kernels need to know while a body enqueues them: the functions, the device, its module, rocBLAS. Per thread, since the
// device's own thread calls the body.
// Flow: hip device -> [launch scope] -> hip_kernels. Thread-safety: each thread has its own.
#pragma once

#include <array>
#include <string>

#include "blas_handles.hpp"
#include "errors.hpp"

namespace mitra::hip {

/// The kernels in the code object, by their numbers.
enum class Kernel : std::uint8_t;

/// The code object on one device: loaded when the first kernel of it is asked for.
class KernelModule {
 public:
  KernelModule(const Functions& functions, int device) noexcept : functions_(functions), device_(device) {}
  KernelModule(const KernelModule&) = delete;
  KernelModule& operator=(const KernelModule&) = delete;

  /// @returns Null if there is no such kernel for this device; `error` and `why` then say the reason.
  hipFunction_t find(Kernel kernel, hipError_t& error, std::string& why);
  void unload() noexcept;
  int device() const noexcept { return device_; }

 private:
  static constexpr std::size_t kMost = 32;
  const Functions& functions_;
  const int device_;
  hipModule_t module_ = nullptr;
  std::array<hipFunction_t, kMost> found_{};
};

/// Stands for as long as a body runs.
class LaunchScope {
 public:
  LaunchScope(const Functions& functions, KernelModule& module, BlasHandles& blas, hipStream_t stream) noexcept
      : functions_(functions), module_(module), blas_(blas), stream_(stream), below_(current_) {
    current_ = this;
  }
  ~LaunchScope() { current_ = below_; }
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;

  /// @returns Null outside of a body.
  static LaunchScope* current() noexcept { return current_; }

  const Functions& functions() const noexcept { return functions_; }
  KernelModule& module() const noexcept { return module_; }
  BlasHandles& blas() const noexcept { return blas_; }
  hipStream_t stream() const noexcept { return stream_; }
  /// Keeps the first error, which the driver then reports.
  void note(const DeviceResult& result) {
    if (result_.ok()) result_ = result;
  }
  /// Takes what HIP has kept of the kernels that the body launched by itself (before ROCm 6, that of the last call only).
  void note_last_error() {
    const hipError_t error = functions_.hipGetLastError();
    if (error == hipErrorNotReady) return;  // the body has asked something: no failure
    DeviceResult result = result_of(functions_, error, "a task", module_.device());
    // A body may have asked for a device that there is not: that says nothing of this one.
    if (error == hipErrorInvalidDevice) result.status = DeviceStatus::failed;
    note(result);
  }
  const DeviceResult& result() const noexcept { return result_; }

 private:
  static thread_local LaunchScope* current_;
  const Functions& functions_;
  KernelModule& module_;
  BlasHandles& blas_;
  hipStream_t stream_;
  LaunchScope* below_;
  DeviceResult result_;
};

}  // namespace mitra::hip
