// What errors of HIP mean: which leave the device as it is, and which are its end.
// Flow: functions -> [errors] -> DeviceResult. Thread-safety: immutable.
#pragma once

#include <string>
#include <string_view>

#include <mitra/device_driver.hpp>

#include "functions.hpp"

namespace mitra::hip {

/// @returns What the device is worth after this error.
DeviceStatus status_after(hipError_t error) noexcept;

/// @param call  The function that said so. @returns Status and text: "hipMalloc on device 1: hipErrorOutOfMemory (out of memory)".
DeviceResult result_of(const Functions& functions, hipError_t error, std::string_view call, int device) noexcept;

/// Makes a device the calling thread's current one, and puts the old one back.
class CurrentDevice {
 public:
  CurrentDevice(const Functions& functions, int device) noexcept : functions_(functions) {
    if (functions_.hipGetDevice(&before_) != hipSuccess) before_ = -1;
    if (before_ == device)
      before_ = -1;
    else
      error_ = functions_.hipSetDevice(device);
  }
  ~CurrentDevice() {
    if (before_ >= 0) static_cast<void>(functions_.hipSetDevice(before_));
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

  hipError_t error() const noexcept { return error_; }

 private:
  const Functions& functions_;
  int before_ = -1;
  hipError_t error_ = hipSuccess;
};

}  // namespace mitra::hip
