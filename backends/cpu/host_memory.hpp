// Memory of the host: on the NUMA domain of the thread that first writes to it, or spread over all domains.
// Flow: CPU driver -> [host memory] -> operating system. Thread-safety: thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include <mitra/types.hpp>

struct hwloc_topology;

namespace mitra::cpu {

class HostMemory {
 public:
  /// @param numa  Config::numa. @throws ConfigError if it is unknown.
  explicit HostMemory(std::string_view numa);
  ~HostMemory();
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  /// @returns Memory aligned to 64 bytes, not touched; null if there is none left.
  void* allocate(Bytes size) noexcept;
  void release(void* memory, Bytes size) noexcept;
  /// @returns Whether pages of such memory lie on all NUMA domains in turn.
  bool interleaves(Bytes size) const noexcept;
  /// @returns Whether such memory has pages of its own, which go back to the operating system, with where they lie.
  bool is_mapped(Bytes size) const noexcept;

 private:
  struct Deleter {
    void operator()(hwloc_topology* topology) const noexcept;
  };
  std::unique_ptr<hwloc_topology, Deleter> topology_;  // null where nothing is to be spread
};

}  // namespace mitra::cpu
