// The slow half of the pool: whole batches, and new chunks.
#include "graph/record_pool.hpp"

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

namespace mitra::graph {

namespace {

/// As reserve(), which takes just as much as it is asked for, and so copies everything at each call.
template <class T>
void make_room(std::vector<T>& values, std::size_t count) {
  if (values.capacity() < count) values.reserve(std::max(count, values.capacity() + values.capacity() / 2));
}

}  // namespace

RecordPool::~RecordPool() {
  for (std::byte* chunk : chunks_) ::operator delete(chunk, std::align_val_t(kChunkBytes));
  for (OverflowBlock* block : overflow_) delete block;
}

OverflowBlock* RecordPool::take_overflow() {
  std::scoped_lock lock(mutex_);
  if (free_overflow_ == nullptr) {
    make_room(overflow_, overflow_.size() + 1);
    free_overflow_ = new OverflowBlock{};
    overflow_.push_back(free_overflow_);
  }
  return std::exchange(free_overflow_, free_overflow_->next_block);
}

void RecordPool::give_overflow(OverflowBlock* chain) noexcept {
  OverflowBlock* last = chain;
  while (last->next_block != nullptr) last = last->next_block;
  std::scoped_lock lock(mutex_);
  last->next_block = free_overflow_;
  free_overflow_ = chain;
}

std::size_t RecordPool::bytes() const {
  std::scoped_lock lock(mutex_);
  return chunks_.size() * (kChunkBytes + kRecordsPerChunk * beside_bytes_) + overflow_.size() * sizeof(OverflowBlock);
}

void RecordPool::refill(RecordCache& cache) {
  std::scoped_lock lock(mutex_);
  if (free_.empty()) {
    make_room(chunks_, chunks_.size() + 1);
    make_room(free_, (chunks_.size() + 1) * kRecordsPerChunk);  // spill() then never allocates
    auto* chunk = static_cast<std::byte*>(::operator new(kChunkBytes, std::align_val_t(kChunkBytes)));
    chunks_.push_back(chunk);
    MITRA_CHECK(reinterpret_cast<std::uint64_t>(chunk) >> 48 == 0, "an address has more than 48 bits");
    beside_.push_back(std::make_unique<std::byte[]>(kRecordsPerChunk * beside_bytes_));
    ::new (chunk) ChunkHeader{beside_.back().get()};
    for (std::size_t i = kRecordsPerChunk; i-- > 0;) {  // handed out in order of address
      auto* record = ::new (chunk + kChunkHeader + i * sizeof(TaskRecord)) TaskRecord;
      record->successors.store(detail::kClosed, std::memory_order_relaxed);
      record->id.store(TaskId::kNone, std::memory_order_relaxed);
      free_.push_back(record);
    }
  }
  cache.count = std::min(RecordCache::kBatch, free_.size());
  std::copy(free_.end() - static_cast<std::ptrdiff_t>(cache.count), free_.end(), cache.free.begin());
  free_.resize(free_.size() - cache.count);
}

void RecordPool::spill(RecordCache& cache) {
  // The newest records are warm in this core's cache: they stay, the oldest go.
  {
    std::scoped_lock lock(mutex_);
    free_.insert(free_.end(), cache.free.begin(), cache.free.begin() + RecordCache::kBatch);
  }
  std::copy(cache.free.begin() + RecordCache::kBatch, cache.free.end(), cache.free.begin());
  cache.count -= RecordCache::kBatch;
}

}  // namespace mitra::graph
