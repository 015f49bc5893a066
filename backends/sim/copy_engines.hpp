// The engines that move bytes in one direction at one memory, and the copies that wait for one.
// Flow: sim driver -> [copy engines]. Thread-safety: serialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace mitra::sim {

/// Urgent copies go first, then the order of arrival decides.
class CopyEngines {
 public:
  /// @param count  0: copies need no engine.
  explicit CopyEngines(unsigned count = 0) : free_(count), exist_(count > 0) {}

  bool exist() const { return exist_; }
  std::size_t waiting() const { return urgent_.size() + others_.size(); }

  /// @returns Whether an engine was free, and works for `copy` now; else it waits. @pre exist()
  bool take(std::uint32_t copy, bool urgent) {
    if (free_ > 0) {
      --free_;
      return true;
    }
    (urgent ? urgent_ : others_).push_back(copy);
    return false;
  }
  /// An engine has done its work. @returns Whether it works for a copy that waited, in `next`. @pre exist()
  bool give(std::uint32_t& next) {
    std::deque<std::uint32_t>& queue = urgent_.empty() ? others_ : urgent_;
    if (queue.empty()) {
      ++free_;
      return false;
    }
    next = queue.front();
    queue.pop_front();
    return true;
  }

 private:
  unsigned free_;
  bool exist_;
  std::deque<std::uint32_t> urgent_, others_;
};

}  // namespace mitra::sim
