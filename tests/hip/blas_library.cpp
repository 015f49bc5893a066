// The library of rocBLAS, by the loader of the system: small ones that the build has made, and what is installed here.
#include <dlfcn.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "backends/hip/blas.hpp"
#include "rig.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

const std::string kDirectory = MITRA_TEST_HIP_LIBRARIES;

/// A table of the HIP that two of the libraries belong to.
hip::Functions small_hip() {
  hip::Functions functions;
  void* const library = dlopen((kDirectory + "/libtest_hip_library.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  functions.hipGetDeviceCount = reinterpret_cast<hipError_t (*)(int*)>(dlsym(library, "hipGetDeviceCount"));
  REQUIRE(functions.hipGetDeviceCount != nullptr);
  return functions;
}

}  // namespace

TEST_CASE("hip blas: a library is called with the numbers of its documentation") {
  const std::string file = kDirectory + "/libtest_rocblas_whole.so";
  std::string why;
  const auto blas = hip::load_blas(small_hip(), file, why);
  INFO(why);
  REQUIRE(blas != nullptr);
  CHECK(why.empty());
  CHECK(blas->file == file);
  CHECK(blas->code == kDirectory + "/rocblas");
  const auto noted = [library = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD)] {
    std::size_t count = 0;
    const double* const values = reinterpret_cast<const double* (*)(std::size_t*)>(dlsym(library, "mitra_test_noted"))(&count);
    return std::vector<double>(values, values + count);
  };
  using namespace hip;
  using Values = std::vector<double>;
  BlasHandle handle = nullptr;
  CHECK(blas->rocblas_create_handle(&handle) == BlasStatus::success);
  CHECK(handle != nullptr);
  CHECK(blas->rocblas_set_stream(handle, nullptr) == BlasStatus::success);
  CHECK(noted() == Values{3});
  CHECK(blas->rocblas_set_atomics_mode(handle, BlasAtomics::not_allowed) == BlasStatus::success);
  CHECK(noted() == Values{0});
  CHECK(std::string(blas->rocblas_status_to_string(BlasStatus::memory_error)) == "rocblas_status_memory_error");
  const auto check = [&]<class T>(T, auto gemm, auto syrk, auto trsm) {
    const T alpha = T(0.5), beta = T(-2), a = T(10), b = T(20);
    T c = T(30);
    CHECK(gemm(handle, BlasOperation::none, BlasOperation::transpose, 1, 2, 3, &alpha, &a, 4, &b, 5, &beta, &c, 6) ==
          BlasStatus::success);
    CHECK(noted() == Values{111, 112, 1, 2, 3, 0.5, 10, 4, 20, 5, -2, 30, 6});
    CHECK(syrk(handle, BlasFill::lower, BlasOperation::none, 1, 2, &alpha, &a, 3, &beta, &c, 4) == BlasStatus::success);
    CHECK(noted() == Values{122, 111, 1, 2, 0.5, 10, 3, -2, 30, 4});
    CHECK(trsm(handle, BlasSide::right, BlasFill::lower, BlasOperation::transpose, BlasDiagonal::non_unit, 1, 2, &alpha, &a, 3, &c,
               4) == BlasStatus::success);
    CHECK(noted() == Values{142, 122, 112, 131, 1, 2, 0.5, 10, 3, 30, 4});
  };
  check(double{}, blas->rocblas_dgemm, blas->rocblas_dsyrk, blas->rocblas_dtrsm);
  check(float{}, blas->rocblas_sgemm, blas->rocblas_ssyrk, blas->rocblas_strsm);
  CHECK(blas->rocblas_destroy_handle(handle) == BlasStatus::success);
  CHECK(noted() == Values{2});
}

TEST_CASE("hip blas: a library that is absent, lacks a function, or belongs to another HIP is not used, and the line says why") {
  const auto reason = [](const hip::Functions& functions, const std::string& name) {
    std::string why;
    CHECK(hip::load_blas(functions, name, why) == nullptr);
    return why;
  };
  CHECK_THAT(reason(small_hip(), "/nowhere/librocblas.so"), contains("rocBLAS is not there (/nowhere/librocblas.so"));
  const std::string lacking = kDirectory + "/libtest_rocblas_lacking.so";
  CHECK(reason(small_hip(), lacking) == "rocBLAS is not used, " + lacking + " has no function rocblas_status_to_string");
  const std::string foreign = kDirectory + "/libtest_rocblas_foreign.so";
  CHECK_THAT(reason(small_hip(), foreign), contains(foreign + " belongs to another libamdhip64"));
  const HipDouble other;
  CHECK_THAT(reason(*other.functions(), kDirectory + "/libtest_rocblas_whole.so"), contains("belongs to another libamdhip64"));
}

TEST_CASE("hip blas: a GPU that it has no code for does without it") {
  const auto root = std::filesystem::temp_directory_path() / ("mitra-rocblas-" + std::to_string(getpid()));
  std::filesystem::create_directories(root / "rocblas/library");
  std::ofstream(root / "rocblas/library/TensileLibrary_lazy_gfx90a.dat") << "code\n";
  hip::Blas blas;
  CHECK(hip::has_code_for(blas, "gfx1031"));  // nobody knows where it would lie
  blas.code = (root / "rocblas").string();
  CHECK(hip::has_code_for(blas, "gfx90a"));
  CHECK(!hip::has_code_for(blas, "gfx1031"));
  blas.code = (root / "nowhere").string();
  CHECK(!hip::has_code_for(blas, "gfx90a"));
  std::filesystem::remove_all(root);
}

TEST_CASE("hip blas: the installed rocBLAS, or its absence, is no error") {
  std::string why;
  const auto functions = hip::load_functions("", why);
  if (functions == nullptr) return;
  const auto blas = hip::load_blas(*functions, "", why);
  if (blas == nullptr) CHECK_THAT(why, contains("rocBLAS is not "));
}
