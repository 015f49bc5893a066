// Memory of the host: on the NUMA domain of the thread that first writes to it, spread over all domains, or in one of them.
// Flow: CPU driver -> [host memory] -> operating system. Thread-safety: thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include <mitra/types.hpp>

#include "numa_binding.hpp"

namespace mitra::cpu {

class HostMemory {
 public:
  /// @param numa  Config::numa. @throws ConfigError if it is unknown.
  explicit HostMemory(std::string_view numa);
  ~HostMemory();
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  /// With numa=nodes: the domain where the memory lies from now on; until then, and with -1, where it is first written.
  void stay_in(int domain) noexcept { home_ = domain; }
  /// @returns Memory aligned to 64 bytes, not touched; null if there is none left.
  void* allocate(Bytes size) noexcept;
  void release(void* memory, Bytes size) noexcept;
  /// @returns Whether pages of such memory lie on all NUMA domains in turn.
  bool interleaves(Bytes size) const noexcept;
  /// @returns Whether such memory has pages of its own, which go back to the operating system, with where they lie.
  bool is_mapped(Bytes size) const noexcept;

 private:
  std::unique_ptr<NumaBinding> binding_;  // null where nobody says where memory is to lie
  bool spreads_ = false;
  int home_ = -1;
};

}  // namespace mitra::cpu
