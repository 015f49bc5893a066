// How tasks ended that did not end well, until somebody is told. The good ending costs nothing: nothing is stored.
// Flow: completion -> [outcomes] -> submission (late successors), wait(), status(). Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <mitra/task.hpp>

namespace mitra::engine {

enum class Outcome : std::uint8_t {
  none,
  cancelled_by_user,     ///< Task::cancel, on it or on a task that it follows.
  cancelled_by_failure,  ///< A task that it follows failed.
  failed,                ///< Its body threw.
};

class Outcomes {
 public:
  /// False as long as nothing failed and nothing was cancelled. Acquire: what any() tells of has been stored.
  bool any() const { return any_.load(std::memory_order_acquire); }

  Outcome of(std::uint64_t id) const {
    if (!any()) return Outcome::none;
    std::scoped_lock lock(mutex_);
    const auto found = outcomes_.find(id);
    return found == outcomes_.end() ? Outcome::none : found->second;
  }
  /// Remembers the outcome; a worse one replaces a better one. Must come before the task's successors are closed.
  void set(std::uint64_t id, Outcome outcome) {
    std::scoped_lock lock(mutex_);
    Outcome& known = outcomes_[id];
    if (outcome > known) known = outcome;
    any_.store(true, std::memory_order_release);
  }
  /// The task ran after all.
  void erase(std::uint64_t id) {
    std::scoped_lock lock(mutex_);
    outcomes_.erase(id);
  }
  /// Stores the error where nobody has stored one before.
  void store_error(std::exception_ptr& place, std::exception_ptr error) {
    std::scoped_lock lock(mutex_);
    if (!place) place = std::move(error);
  }
  std::exception_ptr take_error(std::exception_ptr& place) {
    std::scoped_lock lock(mutex_);
    return std::exchange(place, nullptr);
  }
  std::exception_ptr peek_first_failure() const {
    std::scoped_lock lock(mutex_);
    return first_failure_;
  }
  void store_failure(std::exception_ptr error) {
    std::scoped_lock lock(mutex_);
    if (!first_failure_) first_failure_ = std::move(error);
  }
  /// Everything has finished and been reported.
  std::exception_ptr clear() {
    std::scoped_lock lock(mutex_);
    outcomes_.clear();
    first_failure_ = nullptr;
    any_.store(false, std::memory_order_relaxed);
    return std::exchange(root_error_, nullptr);
  }
  std::exception_ptr& root_error() { return root_error_; }

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> any_{false};
  std::unordered_map<std::uint64_t, Outcome> outcomes_;
  std::exception_ptr root_error_;     // of a task without a parent, to be thrown by wait()
  std::exception_ptr first_failure_;  // of any task: what a cancelled task's wait() throws
};

}  // namespace mitra::engine
