// Which of some numbers is the least, while they change: the expected ends of workers, the work in their queues.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mitra {

/// A tournament among a fixed count of numbers: the winner is known, a change plays the matches above it again.
/// @cost  least() O(1), set() O(log count).
class LeastOf {
 public:
  /// @pre count > 0
  LeastOf(std::size_t count, double value) : values_(count, value) {
    while (leaves_ < count) leaves_ *= 2;
    winners_.assign(2 * leaves_, kNobody);
    for (std::uint32_t i = 0; i < count; ++i) winners_[leaves_ + i] = i;
    for (std::size_t match = leaves_ - 1; match > 0; --match) play(match);
  }

  std::size_t size() const { return values_.size(); }
  double operator[](std::size_t i) const { return values_[i]; }
  /// @returns The place of the least number; the first one of equals.
  std::size_t least() const { return winners_[1]; }
  double least_value() const { return values_[winners_[1]]; }

  void set(std::size_t i, double value) {
    values_[i] = value;
    for (std::size_t match = (leaves_ + i) / 2; match > 0; match /= 2) play(match);
  }

 private:
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  void play(std::size_t match) {
    const std::uint32_t a = winners_[2 * match], b = winners_[2 * match + 1];
    winners_[match] = b == kNobody || (a != kNobody && values_[a] <= values_[b]) ? a : b;
  }

  std::size_t leaves_ = 2;  // so that there is a match, also for one
  std::vector<double> values_;
  std::vector<std::uint32_t> winners_;  // [1] the final, then its two halves, ..., then the leaves
};

}  // namespace mitra
