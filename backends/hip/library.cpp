// Fills the table of functions from the installed library.
// Flow: libamdhip64 -> [library] -> functions. Thread-safety: thread-safe.
#include <dlfcn.h>

#include <vector>

#include "functions.hpp"

#define MITRA_HIP_TEXT_OF(x) #x
#define MITRA_HIP_TEXT(x) MITRA_HIP_TEXT_OF(x)

namespace mitra::hip {

namespace {

/// The name that belongs to the headers comes first: structures differ between major versions, and symbols do not always.
std::vector<std::string> usual_names() {
  const std::string name = "libamdhip64.so";
  const std::string matching = name + "." + std::to_string(HIP_VERSION_MAJOR);
  std::vector<std::string> names{matching, name};
  for (const char* major : {"7", "6", "5"})
    if (name + "." + major != matching) names.push_back(name + "." + major);
  return names;
}

template <class Function>
bool find(void* library, const char* symbol, Function*& function, std::string& why) {
  function = reinterpret_cast<Function*>(dlsym(library, symbol));
  if (function != nullptr) return true;
  why = std::string("HIP: the library libamdhip64 has no function ") + symbol + ": another version is needed";
  return false;
}

}  // namespace

std::shared_ptr<const Functions> load_functions(const std::string& file, std::string& why) {
  void* library = nullptr;
  std::string first_error;
  for (const std::string& name : file.empty() ? usual_names() : std::vector<std::string>{file}) {
    library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
    const char* error = dlerror();
    if (first_error.empty() && error != nullptr) first_error = error;
  }
  if (library == nullptr) {
    why = "HIP: no GPU is used, the library is not there: " + first_error;
    return nullptr;
  }
  auto functions = std::make_shared<Functions>();
  bool complete = true;
#define MITRA_HIP_FIND(Result, name, parameters) \
  complete = complete && find(library, MITRA_HIP_TEXT(name), functions->name, why);
  MITRA_HIP_FUNCTIONS(MITRA_HIP_FIND)
#undef MITRA_HIP_FIND
  // The library is never closed: it has threads of its own, and destructors that run at the end of the program.
  if (!complete) return nullptr;
  functions->kernels = embedded_kernels();
  return functions;
}

}  // namespace mitra::hip
