// Fills the table of functions from the installed library.
// Flow: libamdhip64 -> [library] -> functions. Thread-safety: thread-safe.
#include "functions.hpp"
#include "shared_object.hpp"

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
bool find(const SharedObject& library, const char* symbol, Function*& function, std::string& why) {
  function = library.find<Function>(symbol);
  if (function != nullptr) return true;
  why = std::string("HIP: the library libamdhip64 has no function ") + symbol + ": another version is needed";
  return false;
}

}  // namespace

std::shared_ptr<const Functions> load_functions(const std::string& file, std::string& why) {
  const SharedObject library(file.empty() ? usual_names() : std::vector<std::string>{file});
  if (library.handle == nullptr) {
    why = "HIP: no GPU is used, the library is not there: " + library.error;
    return nullptr;
  }
  auto functions = std::make_shared<Functions>();
  bool complete = true;
#define MITRA_HIP_FIND(Result, name, parameters) \
  complete = complete && find(library, MITRA_HIP_TEXT(name), functions->name, why);
  MITRA_HIP_FUNCTIONS(MITRA_HIP_FIND)
#undef MITRA_HIP_FIND
  if (!complete) return nullptr;
  functions->kernels = embedded_kernels();
  return functions;
}

}  // namespace mitra::hip
