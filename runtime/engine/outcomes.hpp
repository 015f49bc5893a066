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
    const auto found = endings_.find(id);
    return found == endings_.end() ? Outcome::none : found->second.outcome;
  }
  /// @returns What the task threw, or what the failed task threw because of which it was cancelled; or null.
  std::exception_ptr error_of(std::uint64_t id) const {
    if (!any()) return nullptr;
    std::scoped_lock lock(mutex_);
    const auto found = endings_.find(id);
    return found == endings_.end() ? nullptr : found->second.error;
  }
  /// Remembers the outcome; a worse one replaces a better one. Must come before the task's successors are closed.
  void set(std::uint64_t id, Outcome outcome, std::exception_ptr error = nullptr) {
    std::scoped_lock lock(mutex_);
    store(id, {outcome, std::move(error)});
  }
  /// `successor` will not run because `before` did not end well.
  void inherit(std::uint64_t successor, std::uint64_t before) {
    std::scoped_lock lock(mutex_);
    const auto found = endings_.find(before);
    if (found == endings_.end()) return store(successor, {Outcome::cancelled_by_user, nullptr});
    Ending ending = found->second;
    if (ending.outcome == Outcome::failed) ending.outcome = Outcome::cancelled_by_failure;
    store(successor, std::move(ending));
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
  /// Everything has finished and been reported.
  std::exception_ptr clear() {
    std::scoped_lock lock(mutex_);
    endings_.clear();
    any_.store(false, std::memory_order_relaxed);
    return std::exchange(root_error_, nullptr);
  }
  std::exception_ptr& root_error() { return root_error_; }

 private:
  struct Ending {
    Outcome outcome = Outcome::none;
    std::exception_ptr error;
  };
  void store(std::uint64_t id, Ending ending) {
    Ending& known = endings_[id];
    if (ending.outcome > known.outcome) known = std::move(ending);
    any_.store(true, std::memory_order_release);
  }

  mutable std::mutex mutex_;
  std::atomic<bool> any_{false};
  std::unordered_map<std::uint64_t, Ending> endings_;
  std::exception_ptr root_error_;  // of a task without a parent, to be thrown by wait()
};

}  // namespace mitra::engine
