// Flow: call -> [progress]. Thread-safety: one owner; `done` is called from a thread of its own.

#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace mitra::tool {

Progress::Progress(std::string what, std::function<double()> done) : what_(std::move(what)), done_(std::move(done)) {
  if (isatty(STDERR_FILENO) != 0) thread_ = std::thread([this] { show(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::show() {
  using namespace std::chrono_literals;
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, 1s, [this] { return ended_; })) return;
  do {
    constexpr int width = 30;
    const double done = std::clamp(done_(), 0.0, 1.0);
    const std::string bar(static_cast<std::size_t>(done * width), '#');
    std::fprintf(stderr, "\r%s [%-*s] %3.0f %%", what_.c_str(), width, bar.c_str(), 100 * done);
    std::fflush(stderr);
  } while (!changed_.wait_for(lock, 200ms, [this] { return ended_; }));
  std::fprintf(stderr, "\r\033[K");  // the line is gone when the results come
  std::fflush(stderr);
}

}  // namespace mitra::tool
