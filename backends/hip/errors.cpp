#include "errors.hpp"

#include <algorithm>
#include <array>

namespace mitra::hip {

namespace {

// After these, HIP answers every further call on the device with an error, or its answers cannot be trusted. All others
// concern one call: its arguments, its room, its kernel's resources.
constexpr std::array kLost{
    hipErrorNotInitialized,      // the runtime is gone, or a process was forked from one that had used it
    hipErrorDeinitialized,       // the runtime is shutting down: static destructors run
    hipErrorPriorLaunchFailure,  // an earlier kernel died, and left nobody knows what
    hipErrorNoDevice,            // there were devices at the start: the driver of the kernel has taken them away
    hipErrorInvalidDevice,       // likewise, for one: its number was valid
    hipErrorInvalidContext,      // its context was destroyed under us: by hipDeviceReset, or by a reset of the GPU
    hipErrorContextIsDestroyed,  // likewise
    hipErrorECCNotCorrectable,   // memory has lost its contents
    hipErrorIllegalAddress,  // a kernel touched what is not mapped: the queue is in error, other writes may be wrong too
    hipErrorLaunchTimeOut,   // a kernel was killed halfway
    hipErrorAssert,          // a kernel trapped: the queue is in error
    hipErrorLaunchFailure,   // a kernel died: the queue is in error
    hipErrorUnknown,         // nobody knows what still works
    hipErrorRuntimeMemory,   // HSA below HIP failed where it does not in production
    hipErrorRuntimeOther,    // likewise
};

constexpr std::array kOutOfMemory{hipErrorOutOfMemory};

}  // namespace

DeviceStatus status_after(hipError_t error) noexcept {
  if (error == hipSuccess) return DeviceStatus::done;
  if (std::ranges::find(kOutOfMemory, error) != kOutOfMemory.end()) return DeviceStatus::out_of_memory;
  if (std::ranges::find(kLost, error) != kLost.end()) return DeviceStatus::lost;
  return DeviceStatus::failed;
}

DeviceResult result_of(const Functions& functions, hipError_t error, std::string_view call, int device) noexcept {
  DeviceResult result;
  result.status = status_after(error);
  if (result.ok()) return result;
  try {
    const char* name = functions.hipGetErrorName(error);
    const char* text = functions.hipGetErrorString(error);
    result.text.append(call).append(" on device ").append(std::to_string(device)).append(": ");
    result.text.append(name != nullptr ? name : "an error without a name")
        .append(" (")
        .append(text != nullptr ? text : "")
        .append(")");
    if (result.status == DeviceStatus::lost) result.text.append("; the device is given up");
  } catch (...) {  // no memory for the text: the status has to do
  }
  return result;
}

}  // namespace mitra::hip
