// What kernels need to know while a body enqueues them: the functions, the device, its module. Per thread, since the device's
// own thread calls the body.
// Flow: hip device -> [launch scope] -> hip_kernels. Thread-safety: each thread has its own.
#pragma once

#include <array>
#include <string>

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
  LaunchScope(const Functions& functions, KernelModule& module, hipStream_t stream) noexcept
      : functions_(functions), module_(module), stream_(stream), below_(current_) {
    current_ = this;
  }
  ~LaunchScope() { current_ = below_; }
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;

  /// @returns Null outside of a body.
  static LaunchScope* current() noexcept { return current_; }

  const Functions& functions() const noexcept { return functions_; }
  KernelModule& module() const noexcept { return module_; }
  hipStream_t stream() const noexcept { return stream_; }
  /// Keeps the first error, which the driver then reports.
  void note(const DeviceResult& result) {
    if (result_.ok()) result_ = result;
  }
  const DeviceResult& result() const noexcept { return result_; }

 private:
  static thread_local LaunchScope* current_;
  const Functions& functions_;
  KernelModule& module_;
  hipStream_t stream_;
  LaunchScope* below_;
  DeviceResult result_;
};

}  // namespace mitra::hip
