// Fills the table of rocBLAS from the installed library.
// Flow: librocblas -> [blas library] -> blas. Thread-safety: thread-safe.
#include <filesystem>

#include "blas.hpp"
#include "shared_object.hpp"

namespace mitra::hip {

namespace {

/// The versions that belong to the headers' HIP come first. ROCm 7 has librocblas.so.5, ROCm 6 .so.4, ROCm 5.6 and 5.7 .so.3, older
/// ones and Debian .so.0; the functions of the table are the same in all.
std::vector<std::string> usual_names() {
  const std::string name = "librocblas.so";
  if (HIP_VERSION_MAJOR >= 7) return {name + ".5", name, name + ".4", name + ".3", name + ".0"};
  if (HIP_VERSION_MAJOR == 6) return {name + ".4", name, name + ".5", name + ".3", name + ".0"};
  return {name + ".3", name + ".0", name, name + ".4", name + ".5"};
}

}  // namespace

std::shared_ptr<const Blas> load_blas(const Functions& hip, const std::string& file, std::string& why) {
  const SharedObject library(file.empty() ? usual_names() : std::vector<std::string>{file});
  if (library.handle == nullptr) {
    why = "rocBLAS is not there (" + library.error + ")";
    return nullptr;
  }
  // Two versions of HIP may live in one process. Each has streams of its own, and takes those of the other for anything.
  if (library.find<hipError_t(int*)>(MITRA_HIP_TEXT(hipGetDeviceCount)) != hip.hipGetDeviceCount) {
    why = "rocBLAS is not used, " + library.name + " belongs to another libamdhip64 than the one that is loaded";
    return nullptr;
  }
  auto blas = std::make_shared<Blas>();
  blas->file = library.name;
  const char* missing = nullptr;
#define MITRA_BLAS_FIND(Result, name, parameters)            \
  blas->name = library.find<Result parameters>(#name);       \
  if (blas->name == nullptr && missing == nullptr) missing = #name;
  MITRA_BLAS_FUNCTIONS(MITRA_BLAS_FIND)
#undef MITRA_BLAS_FIND
  if (missing != nullptr) {
    why = "rocBLAS is not used, " + library.name + " has no function " + missing;
    return nullptr;
  }
  // "/opt/rocm/lib/librocblas.so.4" has its code objects in "/opt/rocm/lib/rocblas/library"; distributions add a version.
  Dl_info place{};
  if (dladdr(reinterpret_cast<const void*>(blas->rocblas_create_handle), &place) != 0 && place.dli_fname != nullptr)
    blas->code = (std::filesystem::path(place.dli_fname).parent_path() / "rocblas").string();
  return blas;
}

bool has_code_for(const Blas& blas, const std::string& architecture) {
  if (blas.code.empty()) return true;
  namespace fs = std::filesystem;
  std::error_code error;
  // "TensileLibrary_lazy_gfx90a.dat", "Kernels.so-000-gfx90a-xnack+.hsaco": the names differ between versions.
  for (fs::recursive_directory_iterator at(blas.code, fs::directory_options::follow_directory_symlink, error), end; !error && at != end;
       at.increment(error))
    if (at->path().filename().string().find(architecture) != std::string::npos) return true;
  return false;
}

}  // namespace mitra::hip
