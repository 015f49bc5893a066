// Where task records come from and go to: each thread has a cache, caches trade batches through one list.
// Memory is never given back before the pool dies: a stale reference may look into a record, and sees another id.
// Flow: submission -> [pool] -> completion -> [pool]. Thread-safety: thread-safe; a cache belongs to one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include <mitra/detail/spin_lock.hpp>

#include "graph/task_record.hpp"

namespace mitra::graph {

/// One thread's free records. Addresses in an array, not a list through the records: a record that another core has just
/// used can be fetched some tasks before it is needed.
struct RecordCache {
  static constexpr std::size_t kBatch = 32;
  std::array<TaskRecord*, 2 * kBatch> free;
  std::size_t count = 0;
};

class RecordPool {
 public:
  RecordPool() = default;
  RecordPool(const RecordPool&) = delete;
  RecordPool& operator=(const RecordPool&) = delete;
  ~RecordPool();

  TaskRecord* take(RecordCache& cache) {
    if (cache.count == 0) [[unlikely]] refill(cache);
    TaskRecord* record = cache.free[--cache.count];
    constexpr std::size_t kAhead = 4;  // submissions, of some 25 ns each: about the time of a transfer between cores
    if (cache.count >= kAhead) {
      const TaskRecord* later = cache.free[cache.count - kAhead];
      detail::prefetch_for_write(later);
      detail::prefetch_for_write(later->area);
    }
    return record;
  }
  void give(RecordCache& cache, TaskRecord* record) {
    if (cache.count == cache.free.size()) [[unlikely]] spill(cache);
    cache.free[cache.count++] = record;
  }

  /// Blocks are never given back to the system either: the watchdog may walk a list whose end has just run.
  OverflowBlock* take_overflow();
  /// @param chain  Linked through next_block.
  void give_overflow(OverflowBlock* chain) noexcept;

  /// Every record gets so many bytes beside it, for an engine that keeps more of a task. @pre no record was taken yet
  void keep_beside(std::size_t bytes) { beside_bytes_ = bytes; }
  std::size_t bytes() const;
  /// Calls f(TaskRecord&) for every record that ever was: the watchdog's way to the tasks in flight.
  template <class F>
  void for_each(F&& f) {
    std::scoped_lock lock(mutex_);
    for (std::byte* chunk : chunks_)
      for (std::size_t i = 0; i < kRecordsPerChunk; ++i)
        f(*reinterpret_cast<TaskRecord*>(chunk + kChunkHeader + i * sizeof(TaskRecord)));
  }

 private:
  void refill(RecordCache& cache);
  void spill(RecordCache& cache);

  mutable std::mutex mutex_;
  std::vector<TaskRecord*> free_;
  std::vector<std::byte*> chunks_;
  std::vector<std::unique_ptr<std::byte[]>> beside_;
  std::size_t beside_bytes_ = 0;
  OverflowBlock* free_overflow_ = nullptr;
  std::vector<OverflowBlock*> overflow_;  // all that were ever made
};

}  // namespace mitra::graph
