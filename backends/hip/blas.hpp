// The functions of rocBLAS that large tiles are left to, as a table: filled from the installed library, or by a test double.
// Flow: librocblas, test double -> [blas] -> blas handles, hip kernels. Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "functions.hpp"

namespace mitra::hip {

// No header of rocBLAS is needed: its ABI is C's, with matrices in columns, sizes and enumerations of 32 bits.
// @source rocBLAS, API reference, "Enumerations" (the numbers of CBLAS) and "Level 3 functions"
enum class BlasOperation : std::int32_t { none = 111, transpose = 112 };
enum class BlasFill : std::int32_t { upper = 121, lower = 122 };
enum class BlasDiagonal : std::int32_t { non_unit = 131, unit = 132 };
enum class BlasSide : std::int32_t { left = 141, right = 142 };
enum class BlasAtomics : std::int32_t { not_allowed = 0, allowed = 1 };
enum class BlasStatus : std::int32_t {
  success = 0,
  invalid_handle = 1,
  not_implemented = 2,
  invalid_pointer = 3,
  invalid_size = 4,
  memory_error = 5,
  internal_error = 6,
  perf_degraded = 7,  ///< Done, by a slower way: there was little memory.
};
struct BlasContext;
using BlasHandle = BlasContext*;

// Result, name, parameters, as MITRA_HIP_FUNCTIONS. Scalars are read from the host's memory before a function returns, which is
// how a new handle is set up.
#define MITRA_BLAS_GEMM(X, T, name)                                                                                      \
  X(BlasStatus, name,                                                                                                    \
    (BlasHandle handle, BlasOperation op_a, BlasOperation op_b, std::int32_t m, std::int32_t n, std::int32_t k,          \
     const T* alpha, const T* a, std::int32_t lda, const T* b, std::int32_t ldb, const T* beta, T* c, std::int32_t ldc))
#define MITRA_BLAS_SYRK(X, T, name)                                                                                      \
  X(BlasStatus, name,                                                                                                    \
    (BlasHandle handle, BlasFill fill, BlasOperation op_a, std::int32_t n, std::int32_t k, const T* alpha, const T* a,   \
     std::int32_t lda, const T* beta, T* c, std::int32_t ldc))
#define MITRA_BLAS_TRSM(X, T, name)                                                                                      \
  X(BlasStatus, name,                                                                                                    \
    (BlasHandle handle, BlasSide side, BlasFill fill, BlasOperation op_a, BlasDiagonal diagonal, std::int32_t m,         \
     std::int32_t n, const T* alpha, const T* a, std::int32_t lda, T* b, std::int32_t ldb))
#define MITRA_BLAS_FUNCTIONS(X)                                                          \
  X(BlasStatus, rocblas_create_handle, (BlasHandle * handle))                            \
  X(BlasStatus, rocblas_destroy_handle, (BlasHandle handle))                             \
  X(BlasStatus, rocblas_set_stream, (BlasHandle handle, hipStream_t stream))             \
  X(BlasStatus, rocblas_set_atomics_mode, (BlasHandle handle, BlasAtomics mode))         \
  X(const char*, rocblas_status_to_string, (BlasStatus status))                          \
  MITRA_BLAS_GEMM(X, double, rocblas_dgemm)                                              \
  MITRA_BLAS_GEMM(X, float, rocblas_sgemm)                                               \
  MITRA_BLAS_SYRK(X, double, rocblas_dsyrk)                                              \
  MITRA_BLAS_SYRK(X, float, rocblas_ssyrk)                                               \
  MITRA_BLAS_TRSM(X, double, rocblas_dtrsm)                                              \
  MITRA_BLAS_TRSM(X, float, rocblas_strsm)

struct Blas {
#define MITRA_BLAS_MEMBER(Result, name, parameters) Result(*name) parameters = nullptr;
  MITRA_BLAS_FUNCTIONS(MITRA_BLAS_MEMBER)
#undef MITRA_BLAS_MEMBER
  std::string file;  ///< For people: "librocblas.so.4".
  std::string code;  ///< The directory below which its code objects lie; empty: there is no such directory to be looked into.
};

/// @param hip   The library has to use the very same HIP: it gets our streams.
/// @param file  Empty: the usual names.
/// @returns     The functions of the library, which stays loaded; null if it is not there or cannot be used: `why` then says so.
std::shared_ptr<const Blas> load_blas(const Functions& hip, const std::string& file, std::string& why);

/// Where rocBLAS has no code for a GPU, its first gemm ends the program (https://github.com/ROCm/rocm-libraries/issues/7026), and
/// nobody but its files can be asked before. @param architecture  "gfx90a"
bool has_code_for(const Blas& blas, const std::string& architecture);

}  // namespace mitra::hip
