// The functions of HIP that the driver calls, as a table: filled from the installed library, or by a test double.
// Flow: libamdhip64, test double -> [functions] -> hip driver. Thread-safety: immutable.
#pragma once

#ifndef __HIP_PLATFORM_AMD__
#define __HIP_PLATFORM_AMD__ 1
#endif
#include <hip/hip_runtime_api.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

// Result, name, parameters. A name may be a macro of the headers, for the function of the ABI that they describe
// (hipGetDevicePropertiesR0600 since ROCm 6): the symbol is looked up by what the macro stands for.
#define MITRA_HIP_FUNCTIONS(X)                                                                                        \
  X(hipError_t, hipGetDeviceCount, (int* count))                                                                      \
  X(hipError_t, hipGetDeviceProperties, (hipDeviceProp_t * properties, int device))                                   \
  X(hipError_t, hipDeviceGetPCIBusId, (char* id, int length, int device))                                             \
  X(hipError_t, hipGetDevice, (int* device))                                                                          \
  X(hipError_t, hipSetDevice, (int device))                                                                           \
  X(hipError_t, hipMemGetInfo, (std::size_t * free, std::size_t * total))                                             \
  X(hipError_t, hipDeviceCanAccessPeer, (int* can, int device, int peer))                                             \
  X(hipError_t, hipDeviceEnablePeerAccess, (int peer, unsigned flags))                                                \
  X(hipError_t, hipDeviceGetStreamPriorityRange, (int* least, int* greatest))                                         \
  X(hipError_t, hipGetLastError, (void))                                                                              \
  X(const char*, hipGetErrorName, (hipError_t error))                                                                 \
  X(const char*, hipGetErrorString, (hipError_t error))                                                               \
  X(hipError_t, hipMalloc, (void** memory, std::size_t size))                                                         \
  X(hipError_t, hipFree, (void* memory))                                                                              \
  X(hipError_t, hipHostMalloc, (void** memory, std::size_t size, unsigned flags))                                     \
  X(hipError_t, hipHostFree, (void* memory))                                                                          \
  X(hipError_t, hipStreamCreateWithPriority, (hipStream_t * stream, unsigned flags, int priority))                    \
  X(hipError_t, hipStreamDestroy, (hipStream_t stream))                                                               \
  X(hipError_t, hipStreamQuery, (hipStream_t stream))                                                                 \
  X(hipError_t, hipEventCreateWithFlags, (hipEvent_t * event, unsigned flags))                                        \
  X(hipError_t, hipEventRecord, (hipEvent_t event, hipStream_t stream))                                               \
  X(hipError_t, hipEventQuery, (hipEvent_t event))                                                                    \
  X(hipError_t, hipEventElapsedTime, (float* milliseconds, hipEvent_t start, hipEvent_t stop))                        \
  X(hipError_t, hipEventDestroy, (hipEvent_t event))                                                                  \
  X(hipError_t, hipMemcpyAsync,                                                                                       \
    (void* to, const void* from, std::size_t size, hipMemcpyKind kind, hipStream_t stream))                           \
  X(hipError_t, hipMemcpy2DAsync,                                                                                     \
    (void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width, std::size_t height, \
     hipMemcpyKind kind, hipStream_t stream))                                                                         \
  X(hipError_t, hipMemcpyPeerAsync,                                                                                   \
    (void* to, int to_device, const void* from, int from_device, std::size_t size, hipStream_t stream))               \
  X(hipError_t, hipModuleLoadData, (hipModule_t * module, const void* image))                                         \
  X(hipError_t, hipModuleUnload, (hipModule_t module))                                                                \
  X(hipError_t, hipModuleGetFunction, (hipFunction_t * function, hipModule_t module, const char* name))               \
  X(hipError_t, hipModuleLaunchKernel,                                                                                \
    (hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,   \
     unsigned block_z, unsigned shared, hipStream_t stream, void** parameters, void** extra))

namespace mitra::hip {

struct Blas;

struct Functions {
#define MITRA_HIP_MEMBER(Result, name, parameters) Result(*name) parameters = nullptr;
  MITRA_HIP_FUNCTIONS(MITRA_HIP_MEMBER)
#undef MITRA_HIP_MEMBER
  std::span<const std::byte> kernels;  ///< The code object with Mitra's kernels; empty: none was compiled.
  std::shared_ptr<const Blas> blas;    ///< Of a test double. Else null: the library of rocBLAS is looked for once there are devices.
};

// The signatures are those of the headers.
#define MITRA_HIP_SAME(Result, name, parameters) \
  static_assert(sizeof(static_cast<Result(*) parameters>(&::name)) == sizeof(void*));
MITRA_HIP_FUNCTIONS(MITRA_HIP_SAME)
#undef MITRA_HIP_SAME

/// @param file  Empty: the usual names.
/// @returns     The functions of the library, which stays loaded; null if there is none, or it lacks one: `why` then says so.
std::shared_ptr<const Functions> load_functions(const std::string& file, std::string& why);

/// @returns The code object that was built into Mitra; empty where no compiler for it was found.
std::span<const std::byte> embedded_kernels() noexcept;

}  // namespace mitra::hip
