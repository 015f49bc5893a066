// A live task: three cache lines from a slab. The first is what engine, policy and body share; the other two hold the
// task's block (accesses, place, name, closure) and, behind it, the edge slots that hang it on its predecessors.
// Flow: submission -> [task record] -> dependency tracker -> worker. Thread-safety: as TaskHeader says, field by field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <mitra/detail/task_header.hpp>

namespace mitra::graph {

using detail::AccessWord;
using detail::DataHeader;
using detail::TaskHeader;

/// A link of a predecessor's successor list; it lies in the successor's own memory, so that edges cost no allocation.
/// `next` is the address of the next slot, with detail::kOverflow if that one lies in an overflow block.
struct EdgeSlot {
  std::uint64_t next;
};

/// Slots of a task with more edges than fit its record.
struct alignas(64) OverflowBlock {
  static constexpr std::size_t kSlots = 6;
  TaskHeader* owner;
  OverflowBlock* next_block;
  EdgeSlot slots[kSlots];
};
static_assert(sizeof(OverflowBlock) == 64);

struct alignas(64) TaskRecord : TaskHeader {
  static constexpr std::size_t kAreaOffset = sizeof(TaskHeader);
  static constexpr std::size_t kAreaBytes = 112;
  std::byte area[kAreaBytes];
  std::byte* heap_block;     ///< With kExtended: a block too large for the area, or null.
  OverflowBlock* overflow;   ///< With kExtended: blocks of edge slots, or null.
};
static_assert(sizeof(TaskRecord) == 192, "three cache lines: the promise is at most 256 bytes a task in flight");

/// Records live in aligned chunks, so that an edge slot's address tells its owner.
inline constexpr std::size_t kChunkBytes = 65536;
inline constexpr std::size_t kChunkHeader = 64;
inline constexpr std::size_t kRecordsPerChunk = (kChunkBytes - kChunkHeader) / sizeof(TaskRecord);

struct ChunkHeader {
  std::byte* beside;  ///< What an engine keeps of each record beside it, by the record's place in the chunk.
};
static_assert(sizeof(ChunkHeader) <= kChunkHeader);

/// @returns The record's own T of what RecordPool::keep_beside(sizeof(T)) asked for.
template <class T>
T& beside(const TaskHeader& record) {
  const auto address = reinterpret_cast<std::uint64_t>(&record);
  const std::uint64_t chunk = address & ~std::uint64_t{kChunkBytes - 1};
  return reinterpret_cast<T*>(reinterpret_cast<const ChunkHeader*>(chunk)->beside)[(address - chunk - kChunkHeader) / sizeof(TaskRecord)];
}

inline TaskHeader* owner_of(std::uint64_t slot) {
  if (slot & detail::kOverflow) return reinterpret_cast<OverflowBlock*>(slot & ~std::uint64_t{63})->owner;
  const std::uint64_t chunk = slot & ~std::uint64_t{kChunkBytes - 1};
  const std::uint64_t offset = slot - chunk - kChunkHeader;
  return reinterpret_cast<TaskRecord*>(chunk + kChunkHeader + offset / sizeof(TaskRecord) * sizeof(TaskRecord));
}
inline EdgeSlot* slot_at(std::uint64_t slot) { return reinterpret_cast<EdgeSlot*>(slot & detail::kSlotMask); }

/// `pending` of a task that is still being submitted, so that no predecessor can make it ready early.
inline constexpr std::int32_t kSubmissionGuard = 1 << 30;

}  // namespace mitra::graph
