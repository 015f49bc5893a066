// StarPU's sampling files: measured kernels (codelet files of format 45) and measured transfers (bus files).
// Flow: StarPU's sampling directory -> [StarPU import] -> machine description, model store. Thread-safety: thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/machine_description.hpp>
#include <mitra/measured_times.hpp>

namespace mitra {

/// One line of measurements in a codelet file.
struct StarpuEntry {
  int type = 0;             ///< 0 CPU, 1 CUDA, 2 OpenCL, 7 HIP, 8 SYCL
  int device = 0;           ///< Number among those of its type.
  int cores = 1;            ///< 0: several devices together.
  int implementation = 0;
  std::uint32_t footprint = 0;  ///< StarPU's hash of the data's extents.
  std::uint64_t bytes = 0;  ///< Of all data.
  double flops = 0.0;       ///< 0: the file does not say.
  double mean = 0.0, deviation = 0.0;  ///< Microseconds.
  std::uint64_t count = 0;
};

/// A codelet file: SYMBOL.HOST.
struct StarpuSampling {
  std::string symbol, host;
  std::vector<StarpuEntry> entries;
};

/// @param file  Its name says symbol and host: "chol_model_gemm.sirocco"; directories in front of it do not matter.
/// @throws ConfigError with file, line and what was expected there, for anything that is not format 45 to the last line.
StarpuSampling parse_starpu_sampling(std::string_view text, std::string_view file);
StarpuSampling read_starpu_sampling(const std::string& path);

/// @returns The codelet that a symbol means: without "chol_model_", "starpu_dlu_lu_model_" or the like, that is, everything
///          up to "model_", and without a leading "starpu_".
std::string starpu_codelet(std::string_view symbol);

/// @returns StarPU's footprint of a task on `count` square matrices of order `n`.
std::uint32_t starpu_footprint(std::uint32_t n, unsigned count);

/// What an import brought, and what it could not use.
struct StarpuTimes {
  std::vector<TimingRecord> records;  ///< Classes "cpu" and "gpu"; of each, the mean over its devices.
  std::vector<std::string> skipped;   ///< One sentence each.
};

/// Finds the shapes behind an entry: `count` square matrices of order n and of elements of 4, 8, 2, 1 or 16 bytes, where
/// count x n x n x element is the entry's size and the footprint is that of such matrices. potrf has 1, trsm and syrk 2,
/// gemm 3; any other codelet is tried with 1 to 6. Where no footprint fits, the flops of those four decide (within 5 %).
/// What fits neither is skipped: unknown shapes would be wrong ones.
/// CUDA and HIP devices are class "gpu". Several implementations of one device: its fastest. Combined workers are skipped.
StarpuTimes convert_starpu_sampling(const StarpuSampling& sampling);

/// Reads `bus/HOST.*` and every `codelets/45/*.HOST` in StarPU's sampling directory.
/// Classes: "cpu", of the processors in .config less one for each GPU, and "gpu" (kind hip), each with a memory of its own.
/// Routes: with HOST.platform.v4.xml, its links and what they share; without, one link from each memory to each other, of
/// the measured bandwidth and latency. A link that a route names twice counts once.
/// @param skipped  Receives a sentence for each measurement that could not be used; may be null.
/// @throws ConfigError with file, line and what was expected there.
MachineDescription import_starpu_machine(const std::string& directory, const std::string& host,
                                         std::vector<std::string>* skipped = nullptr);

}  // namespace mitra
