#include "host_memory.hpp"

#include <hwloc.h>
#include <sys/mman.h>

#include <new>

#include <mitra/error.hpp>

namespace mitra::cpu {

namespace {

constexpr std::size_t kAlignment = 64;
/// Spread memory comes in whole pages: below so many it costs more than it brings.
constexpr Bytes kSmallestSpread{std::uint64_t{64} << 10};
/// From here on memory is mapped for itself, so that what is given back is the system's again: the heap keeps what lies between
/// two things in use, and raises the size from which on it maps when something large is freed.
constexpr Bytes kSmallestMapped{std::uint64_t{128} << 10};

}  // namespace

void HostMemory::Deleter::operator()(hwloc_topology* topology) const noexcept { hwloc_topology_destroy(topology); }

HostMemory::HostMemory(std::string_view numa) {
  if (numa != "first_touch" && numa != "interleave")
    throw ConfigError(detail::message("numa=", numa, ": expected first_touch or interleave (set by MITRA_NUMA)"));
  if (numa == "first_touch") return;
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw ConfigError("numa=interleave: hwloc could not be initialised");
  topology_.reset(raw);
  if (hwloc_topology_load(raw) != 0) throw ConfigError("numa=interleave: hwloc could not read this machine's topology");
  if (hwloc_get_nbobjs_by_type(raw, HWLOC_OBJ_NUMANODE) < 2) topology_.reset();
}

HostMemory::~HostMemory() = default;

bool HostMemory::interleaves(Bytes size) const noexcept { return topology_ != nullptr && size >= kSmallestSpread; }

bool HostMemory::is_mapped(Bytes size) const noexcept { return size >= kSmallestMapped || interleaves(size); }

void* HostMemory::allocate(Bytes size) noexcept {
  if (!is_mapped(size)) return ::operator new(size.value, std::align_val_t(kAlignment), std::nothrow);
  void* memory = mmap(nullptr, size.value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (!interleaves(size)) return memory;
  // Where the system does not let us choose, the memory is as good as any.
  hwloc_set_area_membind(topology_.get(), memory, size.value, hwloc_topology_get_topology_nodeset(topology_.get()),
                         HWLOC_MEMBIND_INTERLEAVE, HWLOC_MEMBIND_BYNODESET);
  return memory;
}

void HostMemory::release(void* memory, Bytes size) noexcept {
  if (!is_mapped(size)) return ::operator delete(memory, std::align_val_t(kAlignment));
  if (memory != nullptr) munmap(memory, size.value);
}

}  // namespace mitra::cpu
