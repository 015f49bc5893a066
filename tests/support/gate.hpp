// Points at which threads of a test wait for each other. All give up after a while, so that a defect of the runtime
// fails one test, with a message, instead of hanging it.
// Flow: test <-> [gate] <-> task bodies. Thread-safety: thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace mitra::test {

inline constexpr std::chrono::seconds kPatience{40};

/// Closed until somebody opens it, then open for good.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// @throws std::runtime_error if nobody opens it.
  void pass() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return open_; }))
      throw std::runtime_error("test: nobody opened the gate");
  }
  bool is_open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// Lets `parties` threads pass once all of them are here at the same time.
class Rendezvous {
 public:
  explicit Rendezvous(int parties) : missing_(parties) {}
  /// @throws std::runtime_error if the others do not come.
  void meet() {
    std::unique_lock lock(mutex_);
    if (--missing_ == 0) changed_.notify_all();
    if (!changed_.wait_for(lock, kPatience, [this] { return missing_ <= 0; }))
      throw std::runtime_error("test: the others did not come to the rendezvous");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int missing_;
};

}  // namespace mitra::test
