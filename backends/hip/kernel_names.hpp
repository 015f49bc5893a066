// The kernels by number and by name.
// Flow: kernels/list.hpp -> [kernel names] -> kernel module. Thread-safety: immutable.
#pragma once

#include "kernels/list.hpp"
#include "launch_scope.hpp"

namespace mitra::hip {

#define MITRA_HIP_NUMBER(number, function, T, threads) number,
enum class Kernel : std::uint8_t { MITRA_HIP_KERNELS(MITRA_HIP_NUMBER) };
#undef MITRA_HIP_NUMBER

constexpr const char* kernel_name(Kernel kernel) {
#define MITRA_HIP_NAME(number, function, T, threads) \
  case Kernel::number:                               \
    return "mitra_" #number;
  switch (kernel) { MITRA_HIP_KERNELS(MITRA_HIP_NAME) }
#undef MITRA_HIP_NAME
  return "";
}

}  // namespace mitra::hip
