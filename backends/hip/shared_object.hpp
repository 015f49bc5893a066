// Looking for libraries and functions at run time.
// Flow: [shared object] -> library, blas library. Thread-safety: thread-safe.
#pragma once

#include <dlfcn.h>

#include <string>
#include <vector>

#define MITRA_HIP_TEXT_OF(x) #x
#define MITRA_HIP_TEXT(x) MITRA_HIP_TEXT_OF(x)

namespace mitra::hip {

/// The first library that there is. It is never closed: such libraries have threads of their own, and destructors that run at the
/// end of the program.
struct SharedObject {
  void* handle = nullptr;
  std::string name;
  std::string error;  ///< Where there is none: what the loader said of the first name.

  explicit SharedObject(const std::vector<std::string>& names) {
    for (const std::string& candidate : names) {
      name = candidate;
      handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle != nullptr) return;
      const char* text = dlerror();
      if (error.empty() && text != nullptr) error = text;
    }
  }

  /// @returns Null if neither the library nor those that it needs have such a symbol.
  template <class Function>
  Function* find(const char* symbol) const {
    return reinterpret_cast<Function*>(dlsym(handle, symbol));
  }
};

}  // namespace mitra::hip
