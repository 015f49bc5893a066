// The slow half of the pool: whole batches, and new chunks.
#include "graph/record_pool.hpp"

#include <mitra/error.hpp>

namespace mitra::graph {

RecordPool::~RecordPool() {
  for (std::byte* chunk : chunks_) ::operator delete(chunk, std::align_val_t(kChunkBytes));
}

std::size_t RecordPool::bytes() const {
  std::scoped_lock lock(mutex_);
  return chunks_.size() * kChunkBytes;
}

void RecordPool::refill(RecordCache& cache) {
  std::scoped_lock lock(mutex_);
  if (!batches_.empty()) {
    cache.free = batches_.back().first;
    cache.count = batches_.back().count;
    batches_.pop_back();
    return;
  }
  chunks_.reserve(chunks_.size() + 1);
  auto* chunk = static_cast<std::byte*>(::operator new(kChunkBytes, std::align_val_t(kChunkBytes)));
  chunks_.push_back(chunk);
  MITRA_CHECK(reinterpret_cast<std::uint64_t>(chunk) >> 48 == 0, "an address has more than 48 bits");
  TaskRecord* next = nullptr;
  for (std::size_t i = kRecordsPerChunk; i-- > 0;) {  // handed out in order of address
    auto* record = ::new (chunk + kChunkHeader + i * sizeof(TaskRecord)) TaskRecord;
    record->successors.store(detail::kClosed, std::memory_order_relaxed);
    record->id.store(TaskId::kNone, std::memory_order_relaxed);
    record->link = next;
    next = record;
  }
  cache.free = next;
  cache.count = kRecordsPerChunk;
}

void RecordPool::spill(RecordCache& cache) {
  // The newest records are warm in this core's cache: they stay, the others go.
  TaskRecord* last_kept = cache.free;
  for (std::size_t i = 1; i < kBatch; ++i) last_kept = static_cast<TaskRecord*>(last_kept->link);
  const Batch batch{static_cast<TaskRecord*>(last_kept->link), cache.count - kBatch};
  last_kept->link = nullptr;
  cache.count = kBatch;
  std::scoped_lock lock(mutex_);
  batches_.push_back(batch);
}

}  // namespace mitra::graph
