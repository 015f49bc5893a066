// A lock for a few instructions, and the annotations by which clang's -Wthread-safety checks who holds it.
// Flow: every layer. Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <thread>

#if defined(__clang__)
#define MITRA_ANNOTATION(x) __attribute__((x))
#else
#define MITRA_ANNOTATION(x)
#endif
#define MITRA_CAPABILITY(name) MITRA_ANNOTATION(capability(name))
#define MITRA_SCOPED_CAPABILITY MITRA_ANNOTATION(scoped_lockable)
#define MITRA_GUARDED_BY(lock) MITRA_ANNOTATION(guarded_by(lock))
#define MITRA_REQUIRES(...) MITRA_ANNOTATION(requires_capability(__VA_ARGS__))
#define MITRA_ACQUIRE(...) MITRA_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MITRA_NO_THREAD_SAFETY_ANALYSIS MITRA_ANNOTATION(no_thread_safety_analysis)
#define MITRA_RELEASE(...) MITRA_ANNOTATION(release_capability(__VA_ARGS__))

namespace mitra::detail {

inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Fetches the line of `address` for writing: another core's copy goes away now, not when the store waits for it.
inline void prefetch_for_write(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));  // a no-operation where it is not known
#else
  __builtin_prefetch(address, 1);
#endif
}

/// Spins, and gives its processor away when the holder seems not to run.
class MITRA_CAPABILITY("mutex") SpinLock {
 public:
  void lock() noexcept MITRA_ACQUIRE() {
    // Acquire: sees what the last holder wrote.
    for (unsigned spins = 0; locked_.exchange(true, std::memory_order_acquire); ++spins)
      while (locked_.load(std::memory_order_relaxed)) {
        if (spins < 64)
          cpu_relax();
        else
          std::this_thread::yield();
        ++spins;
      }
  }
  void unlock() noexcept MITRA_RELEASE() { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

class MITRA_SCOPED_CAPABILITY SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept MITRA_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() MITRA_RELEASE() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace mitra::detail
