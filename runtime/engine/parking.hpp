// How idle workers stop costing anything: spin a little, then sleep in the kernel; and who wakes whom.
// Flow: worker loop -> [parking] <- ready tasks. Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <mitra/detail/spin_lock.hpp>
#include <mitra/types.hpp>

namespace mitra::engine {

/// Why a sleeper was woken.
enum class Token : std::uint32_t {
  none,    ///< It was not: its time is over.
  search,  ///< There may be work: it is counted as a searcher already.
  look,    ///< What it waits for may have come. It is not counted.
};

/// A binary semaphore of one sleeping thread: a token given before the sleep is not lost.
class Parker {
 public:
  /// Sleeps until a token is there, and takes it. @param timeout  0: as long as it takes. @returns None on time-out.
  Token park(Seconds timeout = Seconds(0.0)) noexcept;
  void unpark(Token why = Token::look) noexcept;

 private:
  friend class Parking;
  friend class Search;
  Token take() noexcept;
  bool naps_ = false;  // it will look for itself: written by its owner, with Parking's lock while it is among the sleepers
  std::atomic<std::uint32_t> token_{0};
};

/// Counts who searches for work and who sleeps, so that a ready task costs its producer one load when all are busy.
///
/// A sleeper announces itself, then looks for work once more; a producer makes its task visible, then looks for sleepers.
/// One of them sees the other only if neither's store waits behind its load. The producer's side is the hot one, so the
/// sleeper pays for both: membarrier(2) makes every running thread of the process pass a full barrier.
///
/// Invariant: a thread is in `sleepers_` or counted as a searcher through its Search alone, and one token in its parker
/// stands for one removal from `sleepers_` by another thread. Nobody else gives tokens to a parker that sleeps here: with
/// a stray one its owner would take itself for woken, and be counted twice.
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
  /// Wakes one that sleeps as long as nobody wakes it: there is work that the caller may not have, and it may be for that one.
  void wake_sound() noexcept;
  /// Wakes this sleeper, if it sleeps. @param why  Not none.
  void wake(Parker& parker, Token why);

  /// Workers outnumber processors, and some are awake: one sleeper has to look, now and then, whether these are stuck.
  bool wants_sentinel() const noexcept {
    return workers_ > processors_ && parked(state_.load(std::memory_order_relaxed)) < workers_;
  }

 private:
  friend class Search;
  void begin_search() noexcept { state_.fetch_add(kSearching, std::memory_order_seq_cst); }
  void end_search() noexcept;
  void announce(Parker& parker);
  bool unannounce(Parker& parker);
  void wake_one() noexcept;
  template <class Choose>
  void wake_chosen(Token why, Choose choose);
  void set_naps(Parker& parker, bool naps) noexcept;

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

/// The search of one thread: counted from its making to its end, but for the time of its sleep, however the scope is left.
/// @thread its own
class Search {
 public:
  Search(Parking& parking, Parker& parker) : parking_(parking), parker_(parker) {
    parker_.naps_ = false;
    parking_.begin_search();
  }
  ~Search() {
    stay_awake();
    if (counted_) parking_.end_search();
  }
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  /// It is going to sleep. After this the caller looks for work once more, then calls sleep() or stay_awake().
  void announce() {
    parking_.announce(parker_);
    announced_ = true;
    counted_ = false;
  }
  /// Takes the announcement back, if there is one. A token that is on its way is taken: it must not be left behind.
  void stay_awake() noexcept;
  /// Sleeps until it is woken, or for `limit`. @param limit  0: as long as it takes.
  void sleep(Seconds limit = Seconds(0.0)) noexcept;
  /// After a sleep, before the search goes on.
  void go_on() noexcept {
    if (!counted_) parking_.begin_search();
    counted_ = true;
  }

 private:
  void woken(Token why) noexcept {
    announced_ = false;
    counted_ = why == Token::search;
  }

  Parking& parking_;
  Parker& parker_;
  bool announced_ = false;
  bool counted_ = true;
};

}  // namespace mitra::engine
