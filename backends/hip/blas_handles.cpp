#include "blas_handles.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace mitra::hip {

bool BlasHandles::takes(std::initializer_list<std::size_t> sizes, std::initializer_list<std::size_t> strides) const noexcept {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  return blas_ != nullptr && std::ranges::all_of(sizes, [&](std::size_t n) { return n >= from_ && n <= kMost; }) &&
         std::ranges::all_of(strides, [&](std::size_t n) { return n <= kMost; });
}

BlasHandle BlasHandles::at(hipStream_t stream, DeviceResult& result) {
  auto found = std::ranges::find(handles_, stream, &Entry::stream);
  if (found == handles_.end()) {
    handles_.reserve(handles_.size() + 1);  // a handle that nobody keeps would stay for ever
    Entry entry{stream};
    const BlasStatus made = blas_->rocblas_create_handle(&entry.handle);
    result = result_of(made, "rocblas_create_handle", stream);
    if (result.status == DeviceStatus::failed && made == BlasStatus::memory_error)
      result = {};  // Mitra's kernels need none of it: nothing is tried again
    if (!result.ok()) return nullptr;
    handles_.push_back(entry);
    found = std::prev(handles_.end());
  }
  if (found->handle == nullptr || found->ready) return found->handle;
  result = result_of(blas_->rocblas_set_stream(found->handle, stream), "rocblas_set_stream", stream);
  // Sums by atomics come in another order on every run: the same graph would not give the same bits. (On by default up to ROCm 6.0.)
  if (result.ok())
    result = result_of(blas_->rocblas_set_atomics_mode(found->handle, BlasAtomics::not_allowed), "rocblas_set_atomics_mode", stream);
  found->ready = result.ok();
  return found->ready ? found->handle : nullptr;
}

DeviceResult BlasHandles::result_of(BlasStatus status, const char* call, hipStream_t stream) const noexcept {
  const hipError_t left = hip_.hipGetLastError();
  if (status == BlasStatus::success || status == BlasStatus::perf_degraded) return {};
  // Its statuses do not tell a loss from other errors of HIP; the stream does.
  const hipError_t answer = hip_.hipStreamQuery(stream);
  if (status_after(answer) == DeviceStatus::lost) return hip::result_of(hip_, answer, call, device_);
  DeviceResult result;
  result.status = DeviceStatus::failed;
  try {
    const char* const name = blas_->rocblas_status_to_string(status);
    result.text.append(call).append(" on device ").append(std::to_string(device_)).append(": ");
    result.text.append(name != nullptr ? name : "a status without a name");
    const char* const error = left == hipSuccess ? nullptr : hip_.hipGetErrorName(left);
    if (error != nullptr) result.text.append(" (HIP: ").append(error).append(")");
  } catch (...) {  // no memory for the text: the status has to do
  }
  return result;
}

void BlasHandles::destroy() noexcept {
  for (const Entry& entry : handles_)
    if (entry.handle != nullptr) static_cast<void>(blas_->rocblas_destroy_handle(entry.handle));
  handles_.clear();
}

}  // namespace mitra::hip
