// Ready tasks by rank: a building block of policies that keep a queue for each place.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <mitra/task_ref.hpp>

namespace mitra {

/// Ready tasks of one place, by rank, with the sum of their work. Ranks are sorted into classes of equal width, and within
/// a class by a heap: the first and the last are found without a search.
class RankedQueue {
 public:
  static constexpr std::size_t kClasses = 256;
  struct Entry {
    TaskRef task;
    double rank = 0.0, seconds = 0.0;
    bool operator<(const Entry& other) const {  // std heaps keep the largest on top
      return rank != other.rank ? rank < other.rank : task.id() > other.task.id();
    }
  };

  bool empty() const { return size_ == 0; }
  /// Seconds of all that waits.
  double work() const { return size_ == 0 ? 0.0 : std::max(0.0, work_); }
  void push(const Entry& entry) {
    while (entry.rank > range_) widen();
    const std::size_t c = class_of(entry.rank);
    classes_[c].push_back(entry);
    std::push_heap(classes_[c].begin(), classes_[c].end());
    used_[c / 64] |= std::uint64_t{1} << c % 64;
    ++size_;
    work_ += entry.seconds;
  }
  /// @returns The most urgent. @pre not empty
  Entry pop() {
    const std::size_t c = highest();
    std::pop_heap(classes_[c].begin(), classes_[c].end());
    return remove_back(c);
  }
  /// @returns The most urgent, not removed. @pre not empty
  const Entry& first() const { return classes_[highest()].front(); }
  /// @returns One of the least urgent, not removed. @pre not empty
  const Entry& last() const { return classes_[lowest()].back(); }
  /// Removes what last() returned.
  Entry pop_last() { return remove_back(lowest()); }  // the back of a heap is a leaf: without it, it still is a heap

 private:
  std::size_t class_of(double rank) const {
    return std::min(kClasses - 1, static_cast<std::size_t>(rank / range_ * static_cast<double>(kClasses)));
  }
  std::size_t highest() const {
    for (std::size_t i = used_.size(); i-- > 0;)
      if (used_[i] != 0) return 64 * i + 63 - static_cast<std::size_t>(std::countl_zero(used_[i]));
    return 0;
  }
  std::size_t lowest() const {
    for (std::size_t i = 0; i < used_.size(); ++i)
      if (used_[i] != 0) return 64 * i + static_cast<std::size_t>(std::countr_zero(used_[i]));
    return 0;
  }
  Entry remove_back(std::size_t c) {
    const Entry entry = classes_[c].back();
    classes_[c].pop_back();
    if (classes_[c].empty()) used_[c / 64] &= ~(std::uint64_t{1} << c % 64);
    --size_;
    work_ -= entry.seconds;
    if (size_ == 0) work_ = 0.0;  // no rounding error outlives its queue
    return entry;
  }
  /// Doubles the range of ranks, so that this happens seldom.
  void widen() {
    std::vector<Entry> all;
    for (auto& of_class : classes_) {
      all.insert(all.end(), of_class.begin(), of_class.end());
      of_class.clear();
    }
    used_.fill(0), work_ = 0.0, size_ = 0, range_ *= 2.0;
    for (const Entry& entry : all) push(entry);
  }

  std::array<std::vector<Entry>, kClasses> classes_;
  std::array<std::uint64_t, kClasses / 64> used_{};
  double range_ = 1e-6;  // s; the largest rank that has a class of its own
  double work_ = 0.0;    // s
  std::size_t size_ = 0;
};

}  // namespace mitra
