// Flow: bench simulator -> [resident memory].

#include "resident_memory.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdint>
#include <fstream>
#include <string>

namespace mitra::tool {
namespace {

/// A line of /proc/self/status, such as "VmHWM:     12345 kB".
std::optional<Bytes> status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    if (word != key) continue;
    if (std::uint64_t kibibytes = 0; file >> kibibytes) return Bytes(kibibytes * 1024);
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

ResidentGrowth::ResidentGrowth() {
#ifdef __GLIBC__
  malloc_trim(0);  // what earlier work has freed would be used again, and not be seen
#endif
  std::ofstream file("/proc/self/clear_refs");
  if (file << '5' && file.flush()) before_ = status("VmRSS:");
}

std::optional<Bytes> ResidentGrowth::peak() const {
  const std::optional<Bytes> peak = status("VmHWM:");
  if (!before_ || !peak) return std::nullopt;
  return Bytes(peak->value > before_->value ? peak->value - before_->value : 0);
}

}  // namespace mitra::tool
