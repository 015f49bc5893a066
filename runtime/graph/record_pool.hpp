// Where task records come from and go to: each thread has a cache, caches trade batches through one list.
// Memory is never given back before the pool dies: a stale reference may look into a record, and sees another id.
// Flow: submission -> [pool] -> completion -> [pool]. Thread-safety: thread-safe; a cache belongs to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

#include "graph/task_record.hpp"

namespace mitra::graph {

/// One thread's free records, linked through TaskHeader::link.
struct RecordCache {
  TaskRecord* free = nullptr;
  std::size_t count = 0;
};

class RecordPool {
 public:
  static constexpr std::size_t kBatch = 32;

  RecordPool() = default;
  RecordPool(const RecordPool&) = delete;
  RecordPool& operator=(const RecordPool&) = delete;
  ~RecordPool();

  TaskRecord* take(RecordCache& cache) {
    if (cache.free == nullptr) [[unlikely]] refill(cache);
    TaskRecord* record = cache.free;
    cache.free = static_cast<TaskRecord*>(record->link);
    --cache.count;
    // The next record was last written by another core, most likely: fetch its lines for writing while this one is filled.
    if (cache.free != nullptr) {
      __builtin_prefetch(cache.free, 1);
      __builtin_prefetch(cache.free->area, 1);
    }
    return record;
  }
  void give(RecordCache& cache, TaskRecord* record) {
    record->link = cache.free;
    cache.free = record;
    if (++cache.count >= 2 * kBatch) [[unlikely]] spill(cache);
  }

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
  struct Batch {
    TaskRecord* first;
    std::size_t count;
  };
  void refill(RecordCache& cache);
  void spill(RecordCache& cache);

  mutable std::mutex mutex_;
  std::vector<Batch> batches_;
  std::vector<std::byte*> chunks_;
};

}  // namespace mitra::graph
