// The lock that puts submissions in one order. One thread submits in most programs: for that thread the lock costs two
// plain stores, until a second thread wants it; from then on it is a spin lock.
// Flow: submission -> [submission lock] -> dependency tracker. Thread-safety: thread-safe.
//
// The owner announces itself with a plain store and then looks whether it has been revoked; a second thread revokes, and
// then looks whether the owner is inside. One of them sees the other only if neither's store waits behind its load: the
// second thread pays for both, once, with membarrier(2). What the owner wrote is handed over by `inside_`.
// Source: biased locking, Dice, Moir, Scherer, "Quickly reacquirable locks", 2003.
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include <mitra/detail/spin_lock.hpp>

namespace mitra::engine {

class MITRA_CAPABILITY("mutex") SubmissionLock {
 public:
  /// The calling thread becomes the owner, where the system has membarrier(2).
  SubmissionLock() : owner_(&thread_mark_) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0)
      revoked_ = shared_ = true;
  }

  void lock() noexcept MITRA_ACQUIRE() {
    if (owner_ == &thread_mark_) {
      inside_.store(true, std::memory_order_relaxed);
      // No store of this critical section may become visible before `inside_`; the processor keeps stores in order of
      // release, and the revoking thread's membarrier stands in for the fence between this store and the next load.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if (!revoked_.load(std::memory_order_relaxed)) [[likely]] return;
      inside_.store(false, std::memory_order_release);
    } else if (!shared_.load(std::memory_order_acquire)) [[unlikely]] {
      revoke();
    }
    spin_.lock();
  }
  void unlock() noexcept MITRA_RELEASE() {
    // The owner is inside in this way only if it found the lock unshared when it came; it says so in `inside_`.
    if (owner_ == &thread_mark_ && inside_.load(std::memory_order_relaxed))
      inside_.store(false, std::memory_order_release);
    else
      spin_.unlock();
  }

 private:
  void revoke() noexcept;

  inline static thread_local char thread_mark_ = 0;  // its address tells threads apart
  const char* const owner_;
  std::atomic<bool> inside_{false};
  std::atomic<bool> revoked_{false};  // the owner is to use the spin lock from now on
  std::atomic<bool> shared_{false};   // and is known to have heard of it
  detail::SpinLock spin_;
};

class MITRA_SCOPED_CAPABILITY SubmissionGuard {
 public:
  explicit SubmissionGuard(SubmissionLock& lock) noexcept MITRA_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SubmissionGuard() MITRA_RELEASE() { lock_.unlock(); }
  SubmissionGuard(const SubmissionGuard&) = delete;
  SubmissionGuard& operator=(const SubmissionGuard&) = delete;

 private:
  SubmissionLock& lock_;
};

}  // namespace mitra::engine
