// AMD GPUs through HIP. The library libamdhip64 is looked for when the driver is made: where it, or a GPU, is absent, the
// driver has no devices and says why.
// Flow: Config::hip, Config::devices -> [hip driver] -> engine. Thread-safety: as DeviceDriver says.
#pragma once

#include <memory>
#include <string>

#include <mitra/device_driver.hpp>
#include <mitra/types.hpp>

namespace mitra {

namespace hip {
struct Functions;  ///< The functions of HIP that the driver calls, as pointers: backends/hip/functions.hpp.
}

struct HipOptions {
  Bytes memory;             ///< Of each device, at most. 0: nine tenths of what is free when the driver is made.
  unsigned streams = 4;     ///< Of each device, for kernels: tasks that run at the same time.
  unsigned pipeline = 8;    ///< Tasks that a device holds, those whose data are on their way among them.
  Bytes staging{2U << 20};  ///< A pinned chunk, through which pageable host memory is copied; four each direction.
  Bytes piece{16U << 20};   ///< Longer copies are cut into pieces, so that an urgent one need not wait for their end.
  Seconds patience{10.0};   ///< How long the destructor waits for work under way. What takes longer is left to HIP.
  /// The file of the library. Empty: libamdhip64.so.MAJOR of the headers that Mitra was built with, then .so, .so.7, .so.6, .so.5.
  std::string library;
  /// rocBLAS, for gemm, syrk, trsm and potrf of large tiles. "auto": the library librocblas, if there is one that belongs to the
  /// same HIP and has code for the device. "off": Mitra's own kernels for all sizes. Else: its file, which is not asked for code.
  std::string blas = "auto";
  /// [assumption] What goes to rocBLAS has at least so many rows, columns and depth: below it, Mitra's kernels have a block or two
  /// each way, and the time is that of launches. To be tuned on hardware; 64 .. 512.
  std::size_t blas_from = 128;
  std::string sysfs = "/sys";  ///< Where NUMA domains of PCI devices are read.
  std::string gate = "/dev/kfd";  ///< The kernel's door to GPUs. Where it is absent, the library is not loaded. Empty: not asked.
  /// In place of the functions of the library. For test doubles.
  std::shared_ptr<const hip::Functions> functions;
};

/// @throws ConfigError if an option is out of its range.
std::unique_ptr<DeviceDriver> make_hip_driver(const HipOptions& options = {});

}  // namespace mitra
