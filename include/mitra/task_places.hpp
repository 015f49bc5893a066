// Tasks in the order of their urgency, for a policy that keeps each in several orders, by its place in a table.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <mitra/task_ref.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// A heap of places of tasks: larger priorities first, then smaller ids. Who takes a task out of the table leaves it here: it
/// is dropped when it comes to the top.
class TaskPlaces {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  void push(TaskRef task, std::uint32_t place) {
    entries_.push_back({task.priority(), task.id(), place});
    std::push_heap(entries_.begin(), entries_.end(), later);
  }
  /// @param suits  (place, id): whether the task of that id is at the place still, and may stay in the heap.
  /// @returns The place of the most urgent task that suits; it stays in the heap. kNone if there is none.
  template <class F>
  std::uint32_t top(F&& suits) {
    while (!entries_.empty()) {
      if (suits(entries_.front().place, entries_.front().id)) return entries_.front().place;
      std::pop_heap(entries_.begin(), entries_.end(), later);
      entries_.pop_back();
    }
    return kNone;
  }

 private:
  struct Entry {
    int priority;
    TaskId id;
    std::uint32_t place;
  };
  static bool later(const Entry& a, const Entry& b) { return a.priority != b.priority ? a.priority < b.priority : a.id > b.id; }

  std::vector<Entry> entries_;
};

}  // namespace mitra
