#include "host_memory.hpp"

#include <sys/mman.h>

#include <new>

#include <mitra/error.hpp>

namespace mitra::cpu {

namespace {

constexpr std::size_t kAlignment = 64;
/// From here on memory is mapped for itself, so that what is given back is the system's again: the heap keeps what lies between
/// two things in use, and raises the size from which on it maps when something large is freed.
constexpr Bytes kSmallestMapped{std::uint64_t{128} << 10};

}  // namespace

HostMemory::HostMemory(std::string_view numa) : spreads_(numa == "interleave") {
  if (numa != "first_touch" && numa != "interleave" && numa != "nodes")
    throw ConfigError(detail::message("numa=", numa, ": expected first_touch, interleave or nodes (set by MITRA_NUMA)"));
  if (numa == "first_touch") return;
  binding_ = std::make_unique<NumaBinding>(detail::message("numa=", numa));
  if (binding_->domains() < 2) binding_.reset();
}

HostMemory::~HostMemory() = default;

bool HostMemory::interleaves(Bytes size) const noexcept { return spreads_ && binding_ != nullptr && size >= kSmallestPlaced; }

bool HostMemory::is_mapped(Bytes size) const noexcept { return size >= (binding_ != nullptr ? kSmallestPlaced : kSmallestMapped); }

void* HostMemory::allocate(Bytes size) noexcept {
  if (!is_mapped(size)) return ::operator new(size.value, std::align_val_t(kAlignment), std::nothrow);
  if (binding_ != nullptr && (spreads_ || home_ >= 0)) return binding_->map(size, spreads_ ? NumaBinding::kAll : home_);
  void* const memory = mmap(nullptr, size.value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void HostMemory::release(void* memory, Bytes size) noexcept {
  if (!is_mapped(size)) return ::operator delete(memory, std::align_val_t(kAlignment));
  NumaBinding::unmap(memory, size);
}

}  // namespace mitra::cpu
