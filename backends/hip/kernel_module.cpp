// The code object on one device, and what a thread that runs a body knows of it.
// Flow: hip kernels -> [kernel module] -> hipModuleLoadData. Thread-safety: the device's own thread.
#include "kernel_names.hpp"

namespace mitra::hip {

thread_local LaunchScope* LaunchScope::current_ = nullptr;

hipFunction_t KernelModule::find(Kernel kernel, hipError_t& error, std::string& why) {
  hipFunction_t& function = found_[static_cast<std::size_t>(kernel)];
  if (function != nullptr) return function;
  if (functions_.kernels.empty()) {
    error = hipErrorNoBinaryForGpu;
    why = std::string(kernel_name(kernel)) +
          ": Mitra was built without a compiler for kernels; install hipcc and build again";
    return nullptr;
  }
  if (module_ == nullptr) {
    error = functions_.hipModuleLoadData(&module_, functions_.kernels.data());
    if (error != hipSuccess) {
      module_ = nullptr;
      why = result_of(functions_, error, "hipModuleLoadData", device_).text;
      if (error == hipErrorNoBinaryForGpu)
        why +=
            "; Mitra's kernels were compiled for other GPUs: build again, with this one's architecture in "
            "MITRA_HIP_TARGETS";
      return nullptr;
    }
  }
  error = functions_.hipModuleGetFunction(&function, module_, kernel_name(kernel));
  if (error == hipSuccess) return function;
  function = nullptr;
  why = result_of(functions_, error, kernel_name(kernel), device_).text;
  return nullptr;
}

void KernelModule::unload() noexcept {
  if (module_ != nullptr) static_cast<void>(functions_.hipModuleUnload(module_));
  module_ = nullptr;
  found_ = {};
}

}  // namespace mitra::hip
