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

Token Parker::take() noexcept {
  // Acquire: sees what the waker wrote before it gave the token.
  return static_cast<Token>(token_.exchange(0, std::memory_order_acquire));
}

Token Parker::park(Seconds timeout) noexcept {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(timeout.value);
  limit.tv_nsec = static_cast<long>((timeout.value - std::floor(timeout.value)) * 1e9);
  for (;;) {
    if (const Token token = take(); token != Token::none) return token;
    const long result = syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&token_), FUTEX_WAIT_PRIVATE, 0U,
                                timeout > Seconds(0.0) ? &limit : nullptr, nullptr, 0);
    if (result != 0 && errno == ETIMEDOUT) return take();
  }
}

void Parker::unpark(Token why) noexcept {
  if (token_.exchange(static_cast<std::uint32_t>(why), std::memory_order_release) == 0)
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

/// @param choose  Called with the lock: one of the sleepers, or their end.
template <class Choose>
void Parking::wake_chosen(Token why, Choose choose) {
  Parker* chosen = nullptr;
  {
    detail::SpinGuard guard(lock_);
    const auto place = choose();
    if (place == sleepers_.end()) return;
    chosen = *place;
    sleepers_.erase(place);
    state_.fetch_add(why == Token::search ? kSearching - 1 : ~std::uint64_t{0}, std::memory_order_seq_cst);
  }
  chosen->unpark(why);
}

void Parking::wake(Parker& parker, Token why) {
  wake_chosen(why, [&]() MITRA_NO_THREAD_SAFETY_ANALYSIS { return std::find(sleepers_.begin(), sleepers_.end(), &parker); });
}

// Producers relied on the searchers that they saw, and woke nobody. The last one to leave hands this duty on, also when it
// leaves without a task, because what it waited for has come, or by an exception.
void Parking::end_search() noexcept {
  const std::uint64_t before = state_.fetch_sub(kSearching, std::memory_order_seq_cst);
  if (searching(before) == 1 && parked(before) != 0) wake_one();
}

void Parking::wake_one() noexcept {
  wake_chosen(Token::search, [&]() MITRA_NO_THREAD_SAFETY_ANALYSIS {
    const bool enough = sleepers_.empty() || workers_ - sleepers_.size() >= processors_;
    return enough ? sleepers_.end() : sleepers_.end() - 1;  // the last to sleep has the warmest cache
  });
}

void Parking::wake_sound() noexcept {
  wake_chosen(Token::search, [&]() MITRA_NO_THREAD_SAFETY_ANALYSIS {
    return std::find_if(sleepers_.begin(), sleepers_.end(), [](const Parker* p) { return !p->naps_; });
  });
}

void Parking::set_naps(Parker& parker, bool naps) noexcept {
  if (parker.naps_ == naps) return;
  detail::SpinGuard guard(lock_);
  parker.naps_ = naps;
}

void Search::stay_awake() noexcept {
  if (!announced_) return;
  woken(parking_.unannounce(parker_) ? Token::search : parker_.park());
}

void Search::sleep(Seconds limit) noexcept {
  parking_.set_naps(parker_, limit > Seconds(0.0));
  const Token token = parker_.park(limit);
  if (token == Token::none)
    stay_awake();
  else
    woken(token);
}

}  // namespace mitra::engine
