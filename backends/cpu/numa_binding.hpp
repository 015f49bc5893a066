// NUMA domains of this machine, as hwloc sees them: memory that is to lie in one of them, or in all, and threads that stay there.
// Flow: host memory, NUMA driver -> [NUMA binding] -> operating system. Thread-safety: immutable, all calls from any thread.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include <mitra/types.hpp>

struct hwloc_obj;
struct hwloc_topology;

namespace mitra::cpu {

/// What is smaller comes from the heap, and lies where the heap has it: whole pages for it cost more than they bring.
inline constexpr Bytes kSmallestPlaced{std::uint64_t{64} << 10};

class NumaBinding {
 public:
  static constexpr int kAll = -1;  ///< In place of a domain: pages lie in all of them in turn.

  /// @param why  For errors: the setting that needs it. @throws ConfigError if hwloc cannot read the topology.
  explicit NumaBinding(std::string_view why);
  ~NumaBinding();

  int domains() const noexcept;
  /// @returns Bytes of its memory; 0: there is no such domain, or hwloc does not know.
  Bytes memory_of(int domain) const noexcept;

  /// Memory of whole pages, which nobody has touched. Where the system does not let us choose, it is as good as any.
  /// @returns Null if there is none left.
  void* map(Bytes size, int domain) const noexcept;
  static void unmap(void* memory, Bytes size) noexcept;

  /// The calling thread runs on those of its processors that belong to the domain; where it can, if there are none.
  void bind_thread(int domain) const noexcept;

 private:
  struct Deleter {
    void operator()(hwloc_topology* topology) const noexcept;
  };
  hwloc_obj* object(int domain) const noexcept;
  std::unique_ptr<hwloc_topology, Deleter> topology_;
};

}  // namespace mitra::cpu
