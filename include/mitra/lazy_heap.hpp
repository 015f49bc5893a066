// Which of many things is worth most, while their values change far more often than somebody asks.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mitra {

/// A heap of numbered things. One that has gained is pushed again; one that has lost is put right when it comes to the top.
/// @cost  offer() O(log entries); take() as much for each thing that has lost since it was offered.
class LazyHeap {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// The thing is worth `value` now. Has to be told of gains only.
  void offer(std::uint32_t thing, double value) {
    if (thing >= queued_.size()) queued_.resize(std::size_t{thing} + 1);
    if (value <= queued_[thing]) return;
    queued_[thing] = value;
    entries_.push_back({value, thing});
    std::push_heap(entries_.begin(), entries_.end(), less);
  }

  /// @param worth_now  What a thing is worth now, at most what was offered last; 0: nothing, until it is offered again.
  /// @returns The thing of the greatest worth, the smallest number among equals, and it is in the heap no more; kNone if none is
  ///          worth anything.
  template <class F>
  std::uint32_t take(F&& worth_now) {
    while (!entries_.empty()) {
      std::pop_heap(entries_.begin(), entries_.end(), less);
      const Entry top = entries_.back();
      entries_.pop_back();
      if (top.value != queued_[top.thing]) continue;  // it lies here with another value, too
      const double value = worth_now(top.thing);
      queued_[top.thing] = 0.0;
      if (value == top.value) return top.thing;
      if (value > 0.0) offer(top.thing, value);
    }
    return kNone;
  }

 private:
  struct Entry {
    double value;
    std::uint32_t thing;
  };
  static bool less(const Entry& a, const Entry& b) { return a.value != b.value ? a.value < b.value : a.thing > b.thing; }

  std::vector<Entry> entries_;
  std::vector<double> queued_;  // by thing: the value with which it lies in the heap; 0: it does not
};

}  // namespace mitra
