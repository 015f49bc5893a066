// How many threads other libraries start for the calling thread, and where it may run; both for the time of a scope.
// Flow: CPU driver, executors -> [thread limits] -> OpenMP, operating system. Thread-safety: each thread for itself.
#pragma once

#include <sched.h>

#include <span>

namespace mitra::cpu {

/// Functions of libraries that are in the process, or not: Mitra links none of them.
/// OpenBLAS built for OpenMP asks OpenMP. The one with threads of its own has a number for the whole process alone (0.3.21 has
/// no openblas_set_num_threads_local, and later ones set the same number by it): with several teams it cannot be set soundly.
struct ThreadLibraries {
  void (*set_openmp_threads)(int) = nullptr;
  int (*openmp_threads)() = nullptr;

  /// Those that are loaded, and visible to all, at the moment.
  static ThreadLibraries find() noexcept;
};

/// Parallel regions of OpenMP that the calling thread starts have so many threads.
class ThreadLimit {
 public:
  ThreadLimit(const ThreadLibraries* libraries, unsigned threads) noexcept;
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  const ThreadLibraries* libraries_;
  int before_ = 0;
};

/// The calling thread runs on these processors alone, and threads that it starts do. Empty: where it could before.
class Binding {
 public:
  explicit Binding(std::span<const int> processors) noexcept;
  ~Binding();
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

 private:
  bool bound_ = false;
  cpu_set_t before_;
};

/// @returns Whether the calling thread runs on these processors alone from now on.
bool bind_to(std::span<const int> processors) noexcept;

}  // namespace mitra::cpu
