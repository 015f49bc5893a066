#include "thread_limits.hpp"

#include <dlfcn.h>

namespace mitra::cpu {

namespace {

template <class Function>
Function* loaded(const char* name) noexcept {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

ThreadLibraries ThreadLibraries::find() noexcept {
  ThreadLibraries found{loaded<void(int)>("omp_set_num_threads"), loaded<int()>("omp_get_max_threads")};
  if (found.set_openmp_threads == nullptr || found.openmp_threads == nullptr) found = {};
  return found;
}

ThreadLimit::ThreadLimit(const ThreadLibraries* libraries, unsigned threads) noexcept
    : libraries_(libraries != nullptr && libraries->set_openmp_threads != nullptr ? libraries : nullptr) {
  if (libraries_ == nullptr) return;
  before_ = libraries_->openmp_threads();
  libraries_->set_openmp_threads(static_cast<int>(threads));
}

ThreadLimit::~ThreadLimit() {
  if (libraries_ != nullptr) libraries_->set_openmp_threads(before_);
}

bool bind_to(std::span<const int> processors) noexcept {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (const int processor : processors) CPU_SET(static_cast<std::size_t>(processor), &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

Binding::Binding(std::span<const int> processors) noexcept {
  if (processors.empty() || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
  bound_ = bind_to(processors);
}

Binding::~Binding() {
  if (bound_) sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace mitra::cpu
