# Makes OUTPUT, a source that holds the bytes of the file INPUT as mitra::hip::embedded_kernels(); without INPUT, none.

set(bytes "")
set(size 0)
if(INPUT)
  file(READ "${INPUT}" bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
endif()

file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [=[
// Generated from backends/hip/kernels/. Flow: hipcc -> [kernels] -> hipModuleLoadData. Thread-safety: immutable.
#include "functions.hpp"

namespace mitra::hip {

namespace {

// HIP maps code objects: they begin at a page.
alignas(4096) constexpr unsigned char kBytes[@size@ + 1] = {
@bytes@
};

}  // namespace

std::span<const std::byte> embedded_kernels() noexcept { return {reinterpret_cast<const std::byte*>(kBytes), @size@}; }

}  // namespace mitra::hip
]=])
