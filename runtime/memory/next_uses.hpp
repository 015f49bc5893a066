// When each datum will be used next, as far as submitted tasks tell: a full memory sends away first what is used last (Belady,
// IBM Systems Journal 5, 1966). Tasks that are ready run first, in the order in which they became so; the others in that of
// their submission.
// Flow: submission, ready tasks -> [next uses] -> eviction. Thread-safety: none of its own; the memory manager's client has a
// lock. Tasks may end meanwhile.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <mitra/detail/task_header.hpp>

namespace mitra::memory {

class NextUses {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  /// @pre The task has its id. Calls come in the order of submission.
  void submitted(std::uint32_t datum, const detail::TaskHeader& task) {
    const std::uint64_t id = task.id.load(std::memory_order_relaxed);
    of_datum(datum).submitted.push({&task, id, kAfterThoseThatAreReady + id});
  }
  /// It may run from now on.
  void made_ready(std::uint32_t datum, const detail::TaskHeader& task) {
    of_datum(datum).ready.push({&task, task.id.load(std::memory_order_relaxed), ++made_ready_});
  }
  void forget(std::uint32_t datum) {
    if (datum < data_.size()) data_[datum] = {};
  }
  /// @returns The place of the first task that will use it, or does: the larger, the later. kNever if none is known.
  std::uint64_t of(std::uint32_t datum) {
    if (datum >= data_.size()) return kNever;
    if (const Use* ready = data_[datum].ready.first()) return ready->place;
    const Use* submitted = data_[datum].submitted.first();
    return submitted != nullptr ? submitted->place : kNever;
  }

 private:
  static constexpr std::uint64_t kAfterThoseThatAreReady = std::uint64_t{1} << 62;

  struct Use {
    const detail::TaskHeader* task;  // records are used again, and never given back
    std::uint64_t id, place;
    /// A hint, no promise: an end that is seen late costs a victim that is not the best one.
    bool has_ended() const { return !detail::is_open(*task, id); }
  };
  /// Uses that have ended leave it from the front.
  class Queue {
   public:
    void push(Use use) {
      if (first() == nullptr || 2 * first_ > uses_.size()) {
        uses_.erase(uses_.begin(), uses_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
      }
      uses_.push_back(use);
    }
    const Use* first() {
      while (first_ != uses_.size() && uses_[first_].has_ended()) ++first_;
      return first_ != uses_.size() ? &uses_[first_] : nullptr;
    }

   private:
    std::vector<Use> uses_;
    std::size_t first_ = 0;
  };
  struct OfDatum {
    Queue ready, submitted;
  };

  OfDatum& of_datum(std::uint32_t datum) {
    if (data_.size() <= datum) data_.resize(datum + 1);
    return data_[datum];
  }

  std::vector<OfDatum> data_;
  std::uint64_t made_ready_ = 0;
};

}  // namespace mitra::memory
