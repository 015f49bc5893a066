#include "engine/parking.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace mitra::engine {

bool Parker::park(Seconds timeout) noexcept {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(timeout.value);
  limit.tv_nsec = static_cast<long>((timeout.value - std::floor(timeout.value)) * 1e9);
  // Acquire: sees what the waker wrote before it gave the token.
  while (token_.exchange(0, std::memory_order_acquire) == 0) {
    const long result = syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&token_), FUTEX_WAIT_PRIVATE, 0U,
                                timeout > Seconds(0.0) ? &limit : nullptr, nullptr, 0);
    if (result != 0 && errno == ETIMEDOUT) return token_.exchange(0, std::memory_order_acquire) != 0;
  }
  return true;
}

void Parker::unpark() noexcept {
  if (token_.exchange(1, std::memory_order_release) == 0)
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&token_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

Parking::Parking(std::size_t workers, std::size_t processors) : workers_(workers), processors_(processors) {
  needs_fence_ = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
  sleepers_.reserve(workers + 1);
}

void Parking::full_barrier() noexcept {
  if (!needs_fence_) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void Parking::announce(Parker& parker) {
  {
    detail::SpinGuard guard(lock_);
    sleepers_.push_back(&parker);
    state_.fetch_add(1 - kSearching, std::memory_order_seq_cst);
  }
  full_barrier();
}

bool Parking::unannounce(Parker& parker) {
  detail::SpinGuard guard(lock_);
  const auto place = std::find(sleepers_.begin(), sleepers_.end(), &parker);
  if (place == sleepers_.end()) return false;
  sleepers_.erase(place);
  state_.fetch_add(kSearching - 1, std::memory_order_seq_cst);
  return true;
}

void Parking::wake(Parker& parker) {
  if (unannounce(parker)) parker.unpark();
}

void Parking::wake_one() noexcept {
  Parker* chosen = nullptr;
  {
    detail::SpinGuard guard(lock_);
    if (sleepers_.empty() || workers_ - sleepers_.size() >= processors_) return;
    chosen = sleepers_.back();  // the last to sleep has the warmest cache
    sleepers_.pop_back();
    state_.fetch_add(kSearching - 1, std::memory_order_seq_cst);
  }
  chosen->unpark();
}

void Parking::wake_everyone() {
  std::vector<Parker*> all;
  {
    detail::SpinGuard guard(lock_);
    all.swap(sleepers_);
    sleepers_.reserve(workers_ + 1);
    state_.fetch_add(all.size() * (kSearching - 1), std::memory_order_seq_cst);
  }
  for (Parker* parker : all) parker->unpark();
}

}  // namespace mitra::engine
