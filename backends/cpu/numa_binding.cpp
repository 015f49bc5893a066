#include "numa_binding.hpp"

#include <hwloc.h>
#include <sys/mman.h>

#include <mitra/error.hpp>

namespace mitra::cpu {

void NumaBinding::Deleter::operator()(hwloc_topology* topology) const noexcept { hwloc_topology_destroy(topology); }

NumaBinding::NumaBinding(std::string_view why) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw ConfigError(detail::message(why, ": hwloc could not be initialised"));
  topology_.reset(raw);
  if (hwloc_topology_load(raw) != 0) throw ConfigError(detail::message(why, ": hwloc could not read this machine's topology"));
}

NumaBinding::~NumaBinding() = default;

int NumaBinding::domains() const noexcept { return hwloc_get_nbobjs_by_type(topology_.get(), HWLOC_OBJ_NUMANODE); }

hwloc_obj* NumaBinding::object(int domain) const noexcept {
  return domain < 0 ? nullptr : hwloc_get_obj_by_type(topology_.get(), HWLOC_OBJ_NUMANODE, static_cast<unsigned>(domain));
}

Bytes NumaBinding::memory_of(int domain) const noexcept {
  const hwloc_obj* const node = object(domain);
  return node == nullptr ? Bytes() : Bytes(node->attr->numanode.local_memory);
}

void* NumaBinding::map(Bytes size, int domain) const noexcept {
  void* const memory = mmap(nullptr, size.value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const hwloc_obj* const node = object(domain);
  // Not strictly: what has no room there comes to lie elsewhere.
  hwloc_set_area_membind(topology_.get(), memory, size.value,
                         node == nullptr ? hwloc_topology_get_topology_nodeset(topology_.get()) : node->nodeset,
                         node == nullptr ? HWLOC_MEMBIND_INTERLEAVE : HWLOC_MEMBIND_BIND, HWLOC_MEMBIND_BYNODESET);
  return memory;
}

void NumaBinding::unmap(void* memory, Bytes size) noexcept {
  if (memory != nullptr) munmap(memory, size.value);
}

void NumaBinding::bind_thread(int domain) const noexcept {
  const hwloc_obj* const node = object(domain);
  hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
  if (allowed == nullptr) return;
  if (node != nullptr && hwloc_get_cpubind(topology_.get(), allowed, HWLOC_CPUBIND_THREAD) == 0) {
    hwloc_bitmap_and(allowed, allowed, node->cpuset);
    if (!hwloc_bitmap_iszero(allowed)) hwloc_set_cpubind(topology_.get(), allowed, HWLOC_CPUBIND_THREAD);
  }
  hwloc_bitmap_free(allowed);
}

}  // namespace mitra::cpu
