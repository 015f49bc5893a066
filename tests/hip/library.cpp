// What is installed here: the library, which need not find a GPU, and the compiler, whose code object holds every kernel.
#include <algorithm>
#include <string_view>

#include "backends/hip/kernel_names.hpp"
#include "rig.hpp"

using namespace mitra;

TEST_CASE("hip: the installed library, or its absence, is no error") {
  const auto driver = make_hip_driver();
  for (const DeviceDescription& d : driver->devices()) CHECK_THAT(d.worker_class, test::contains("hip-gfx"));
  if (!driver->devices().empty()) return;
  INFO(driver->remark());
  CHECK_THAT(std::string(driver->remark()), test::contains("HIP: no GPU is used, "));
  CHECK(driver->allocate_host(Bytes(100)) == nullptr);
}

TEST_CASE("hip: all kernels were compiled for all targets") {
  const auto code = hip::embedded_kernels();
  const std::string_view text(reinterpret_cast<const char*>(code.data()), code.size());
#if MITRA_TEST_HAS_HIPCC
  REQUIRE(!code.empty());
#else
  CHECK(code.empty());
  return;
#endif
  const auto count = [&](std::string_view word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) ++found;
    return found;
  };
  std::string_view targets = MITRA_TEST_HIP_TARGETS;
  std::size_t targets_seen = 0;
  while (!targets.empty()) {
    const std::size_t end = std::min(targets.find(','), targets.size());
    CHECK(count("amdgcn-amd-amdhsa--" + std::string(targets.substr(0, end))) > 0);
    targets.remove_prefix(std::min(end + 1, targets.size()));
    ++targets_seen;
  }
  // Each kernel has a descriptor in each target's part.
#define MITRA_CHECK_KERNEL(number, function, T, threads) CHECK(count("mitra_" #number ".kd") >= targets_seen);
  MITRA_HIP_KERNELS(MITRA_CHECK_KERNEL)
#undef MITRA_CHECK_KERNEL
}
