// A queue of one owner and many thieves: the owner pushes at the tail, everyone takes at the head, thieves half at once.
// Flow: schedulers. Thread-safety: push, pop by the owner; the rest thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace mitra {

/// First in, first out, of fixed capacity. First-in order lets a thief take many elements with one compare-and-swap of the
/// head, so that the two cores trade cache lines once a batch and not once a task.
/// @source The run queue of the Go scheduler has this shape (runtime/proc.go, runqgrab).
template <class T>
class WorkStealingQueue {
 public:
  static constexpr std::size_t kLargestBatch = 64;

  explicit WorkStealingQueue(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<std::atomic<T>[]>(mask_ + 1)) {}

  /// @returns False if the queue is full. @thread the owner
  bool push(T element) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      // Acquire: the slots before the new head have been read by those who took them.
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    slots_[tail & mask_].store(element, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);  // publishes the slot, and what the element points to
    return true;
  }
  /// @returns The oldest element; T{} if there is none. @thread the owner
  T pop() {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    while (head != tail) {
      const T element = slots_[head & mask_].load(std::memory_order_relaxed);
      // Release: a later push may overwrite the slot only after this read of it.
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        if constexpr (requires { element.prefetch(); })
          if (tail - head > kAhead) slots_[(head + kAhead) & mask_].load(std::memory_order_relaxed).prefetch();
        return element;
      }
    }
    return T{};
  }
  /// Takes the older half, at most kLargestBatch: the first is returned, the others go to `into`, which the caller owns.
  /// @returns T{} if there is nothing to take, or another thief was faster.
  T steal_half(WorkStealingQueue& into) {
    std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);  // sees the slots before it
    if (static_cast<std::int64_t>(tail - head) <= 0) return T{};
    std::size_t wanted = static_cast<std::size_t>(tail - head + 1) / 2;
    if (wanted > kLargestBatch) wanted = kLargestBatch;
    std::array<T, kLargestBatch> batch;
    for (std::size_t i = 0; i < wanted; ++i) batch[i] = slots_[(head + i) & mask_].load(std::memory_order_relaxed);
    // The reads above are worth something only if nobody moved the head meanwhile: then no slot was overwritten.
    if (!head_.compare_exchange_strong(head, head + wanted, std::memory_order_acq_rel, std::memory_order_relaxed)) return T{};
    for (std::size_t i = 1; i < wanted; ++i) into.push_unchecked(batch[i]);
    return batch[0];
  }
  /// A moment's look; may be stale when it returns.
  bool empty() const { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_relaxed); }
  std::size_t size() const {
    const std::uint64_t head = head_.load(std::memory_order_relaxed), tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? static_cast<std::size_t>(tail - head) : 0;
  }

 private:
  static constexpr std::size_t kAhead = 3;  // elements behind the one taken whose memory is fetched meanwhile

  /// A thief steals only when its own queue is empty, and a batch is never larger than a queue.
  void push_unchecked(T element) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    slots_[tail & mask_].store(element, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
  }

  alignas(64) std::atomic<std::uint64_t> head_{0};  // everyone's
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // the owner's
  std::uint64_t head_seen_ = 0;                     // the owner's last look at head_
  const std::uint64_t mask_;
  std::unique_ptr<std::atomic<T>[]> slots_;
};

}  // namespace mitra
