// How much work is more urgent than a task of some rank, while work comes and goes.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace mitra {

/// Work by rank: how much of it is more urgent than a task of some rank. Ranks are sorted into classes of equal width.
/// @cost  add() and before(): O(log classes).
class WorkByRank {
 public:
  /// @param rank     s, not negative. @param seconds  Negative: takes back what was added under the same rank.
  void add(double rank, double seconds) {
    while (rank > range_) widen();
    by_class_[class_of(rank)] += seconds;
    total_ += seconds;
    for (std::size_t i = class_of(rank) + 1; i <= kClasses; i += i & (~i + 1)) sums_[i] += seconds;
  }
  /// @returns Seconds of all that is more urgent; of its own class, half counts.
  double before(double rank) const {
    const std::size_t c = class_of(rank);
    return std::max(0.0, total_ - sum_below(c) - 0.5 * by_class_[c]);
  }

 private:
  static constexpr std::size_t kClasses = 1024;
  std::size_t class_of(double rank) const {
    return std::min(kClasses - 1, static_cast<std::size_t>(rank / range_ * static_cast<double>(kClasses)));
  }
  // Sums by class: Fenwick, "A new data structure for cumulative frequency tables", Software: Practice and Experience 1994.
  double sum_below(std::size_t c) const {
    double sum = 0.0;
    for (std::size_t i = c; i > 0; i -= i & (~i + 1)) sum += sums_[i];
    return sum;
  }
  void widen() {
    range_ *= 2.0;
    std::array<double, kClasses> half{};
    for (std::size_t c = 0; c < kClasses; ++c) half[c / 2] += by_class_[c];
    by_class_ = half;
    sums_.fill(0.0);
    for (std::size_t c = 0; c < kClasses; ++c)
      for (std::size_t i = c + 1; i <= kClasses; i += i & (~i + 1)) sums_[i] += by_class_[c];
  }
  std::array<double, kClasses> by_class_{};
  std::array<double, kClasses + 1> sums_{};
  double range_ = 1e-6;  // s
  double total_ = 0.0;
};

}  // namespace mitra
