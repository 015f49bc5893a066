// Which ranges of the host's memory are pinned: those copies need no staging.
// Flow: allocate_host -> [pinned ranges] -> copies. Thread-safety: thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>

namespace mitra::hip {

class PinnedRanges {
 public:
  void add(const std::byte* begin, std::size_t size) {
    const std::lock_guard lock(mutex_);
    end_of_[begin] = begin + size;
  }
  /// @returns False if it is not one of them.
  bool remove(const std::byte* begin) {
    const std::lock_guard lock(mutex_);
    return end_of_.erase(begin) != 0;
  }
  /// @returns Whether all of [begin, begin + size) lies in one of them.
  bool holds(const std::byte* begin, std::size_t size) const {
    const std::lock_guard lock(mutex_);
    auto next = end_of_.upper_bound(begin);
    if (next == end_of_.begin()) return false;
    const std::byte* end = std::prev(next)->second;
    return !std::less<>{}(end, begin) && static_cast<std::size_t>(end - begin) >= size;
  }
  /// Calls f(begin) for each, and forgets them.
  template <class F>
  void clear(F&& f) {
    const std::lock_guard lock(mutex_);
    for (const auto& [begin, end] : end_of_) f(const_cast<std::byte*>(begin));
    end_of_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::map<const std::byte*, const std::byte*> end_of_;  // by their beginnings; they do not overlap
};

}  // namespace mitra::hip
