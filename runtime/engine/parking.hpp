// How idle workers stop costing anything: spin a little, then sleep in the kernel; and who wakes whom.
// Flow: worker loop -> [parking] <- ready tasks. Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <mitra/detail/spin_lock.hpp>
#include <mitra/types.hpp>

namespace mitra::engine {

/// A binary semaphore of one sleeping thread: a token given before the sleep is not lost.
class Parker {
 public:
  /// Sleeps until a token is there, and takes it. @param timeout  0: as long as it takes. @returns False on time-out.
  bool park(Seconds timeout = Seconds(0.0)) noexcept;
  void unpark() noexcept;

 private:
  std::atomic<std::uint32_t> token_{0};
};

/// Counts who searches for work and who sleeps, so that a ready task costs its producer one load when all are busy.
///
/// A sleeper announces itself, then looks for work once more; a producer makes its task visible, then looks for sleepers.
/// One of them sees the other only if neither's store waits behind its load. The producer's side is the hot one, so the
/// sleeper pays for both: membarrier(2) makes every running thread of the process pass a full barrier.
class Parking {
 public:
  /// @param processors  Workers awake at a time; more would only take the processors from each other.
  Parking(std::size_t workers, std::size_t processors);

  /// A task was made ready: if workers sleep, and none is already searching, wakes one.
  void wake_for_work() noexcept {
    const std::uint64_t state = needs_fence_ ? state_.fetch_add(0, std::memory_order_seq_cst)  // a full barrier, too
                                             : state_.load(std::memory_order_relaxed);
    if (parked(state) != 0 && searching(state) == 0) [[unlikely]] wake_one();
  }
  void begin_search() noexcept { state_.fetch_add(kSearching, std::memory_order_seq_cst); }
  /// @returns True if this was the last searcher: it found work, there may be more, and somebody should look.
  bool end_search() noexcept { return searching(state_.fetch_sub(kSearching, std::memory_order_seq_cst)) == 1; }

  /// The caller, a searcher, becomes a sleeper. After it the caller looks for work once more, then sleeps or calls unannounce().
  void announce(Parker& parker);
  /// Takes the announcement back; the caller is a searcher again. @returns False: somebody has given the parker a token.
  bool unannounce(Parker& parker);
  /// Wakes this sleeper, if it sleeps; as a searcher.
  void wake(Parker& parker);
  void wake_one() noexcept;
  void wake_everyone();

  bool anyone_asleep() const noexcept { return parked(state_.load(std::memory_order_relaxed)) != 0; }
  /// Workers outnumber processors, and some are awake: one sleeper has to look, now and then, whether these are stuck.
  bool wants_sentinel() const noexcept {
    return workers_ > processors_ && parked(state_.load(std::memory_order_relaxed)) < workers_;
  }

 private:
  static constexpr std::uint64_t kSearching = std::uint64_t{1} << 32;
  static std::uint64_t parked(std::uint64_t s) { return s & 0xffffffffU; }
  static std::uint64_t searching(std::uint64_t s) { return s >> 32; }
  void full_barrier() noexcept;

  alignas(64) std::atomic<std::uint64_t> state_{0};  // searching << 32 | parked
  bool needs_fence_ = false;
  std::size_t workers_, processors_;
  detail::SpinLock lock_;
  std::vector<Parker*> sleepers_ MITRA_GUARDED_BY(lock_);
};

}  // namespace mitra::engine
