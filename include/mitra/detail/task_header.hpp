// The part of a task that engine, policy and body share: one cache line, the same live, recorded and simulated.
// Flow: submit -> dependency tracker -> policy -> worker. Thread-safety: each field says who may touch it, and when.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mitra/source_location.hpp>

#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/machine.hpp>

namespace mitra::detail {

struct TaskHeader;
struct ExecutionContext;

/// The cost of a task, stated by its codelet.
struct WorkAmount {
  double flops = 0.0;
  double bytes = 0.0;    ///< Read and written in memory.
  double seconds = 0.0;  ///< A fixed time on any core, in place of the two above: waiting, or a recorded duration.
  bool known = false;
  double gpu_seconds = 0.0;  ///< As `seconds`, on any GPU.
};

/// What is the same for all tasks made by one call of submit in the program: code, not data.
struct TaskType {
  using Launch = void (*)(TaskHeader&, const ExecutionContext&);
  std::array<Launch, kWorkerKinds> launch{};  ///< By WorkerKind; null: not implemented there.
  void (*destroy)(TaskHeader&) noexcept = nullptr;  ///< Null: nothing to destroy.
  WorkAmount (*cost)(TaskHeader&) = nullptr;        ///< Null: the codelet does not say.
  std::uint8_t emulated = 0;  ///< Bit WorkerKind: an emulated device of that kind runs the CPU body.
  Launch split = nullptr;                           ///< Submits finer tasks in place of the body; null: there are none.
  std::uint8_t modelled = 0;  ///< Bit WorkerKind: not implemented there, and yet a simulation may place it there.
  bool moldable = false;      ///< Its CPU implementation may use all cores of its worker; others run on one of them.
};

/// Bits of TaskHeader::traits: all zero for the plain task on the fast path.
enum TaskTrait : std::uint8_t {
  kCommutes = 1,   ///< Holds exclusive access to some data while it runs.
  kPrivate = 2,    ///< Uses private copies (reduce, scratch).
  kParent = 4,     ///< Has submitted tasks of its own.
  kSignal = 8,     ///< No body: tells a waiting thread that it is ready.
  kInternal = 16,  ///< Inserted by the engine (join, fold); not one of the application's.
  kRecorded = 32,  ///< A node of a recorded graph.
  kReplay = 64,    ///< Stands for one run of a recorded graph.
  kExtended = 128, ///< Has memory outside of its record: a large block, many edges.
};

/// `successors` holds, from the top: 16 bits of the task's id (a stale reference sees that the record was used again),
/// 48 bits of address of the newest edge slot, and in its three lowest bits the flags below.
/// Recorded nodes keep (first edge << 32 | edge count) there instead.
inline constexpr std::uint64_t kClosed = 1;     ///< The task has finished: nobody may add successors.
inline constexpr std::uint64_t kOverflow = 2;   ///< The slot lies in an overflow block, not in a record.
inline constexpr std::uint64_t kCancelled = 4;  ///< The body is not to be run.
inline constexpr std::uint64_t kSlotMask = (std::uint64_t{1} << 48) - 8;

constexpr std::uint64_t generation_of(std::uint64_t id) { return id << 48; }

struct alignas(64) TaskHeader {
  std::atomic<std::uint64_t> successors;  ///< Submitting thread adds, the finishing worker closes.
  std::atomic<std::int32_t> pending;      ///< Predecessors that have not finished, plus a guard during submission.
  std::int32_t priority;                  ///< Written before commit.
  std::atomic<std::uint64_t> id;          ///< Written in commit.
  const TaskType* type;                   ///< Written before commit.
  std::byte* block;                       ///< accesses | source location | name | closure
  TaskHeader* parent;                     ///< The task that submitted this one, or null.
  void* link;                             ///< The policy's, from ready() until next() returned the task; then the engine's.
  std::uint16_t accesses;                 ///< Number of accesses in `block`.
  std::uint8_t traits;                    ///< TaskTrait bits. A running task's body may set kParent in its own.
  std::uint8_t kinds;                     ///< Bit WorkerKind: implemented there.
  std::uint32_t index;                    ///< Recorded graphs: number of predecessors. Otherwise the offset of the edge slots.

  AccessWord* access_words() const { return reinterpret_cast<AccessWord*>(block); }
  PackedLocation& where() const { return *reinterpret_cast<PackedLocation*>(block + 8 * accesses); }
  const char*& name() const { return *reinterpret_cast<const char**>(block + 8 * accesses + 8); }
  std::byte* closure() const { return block + 8 * accesses + 16; }
};
static_assert(sizeof(TaskHeader) == 64);

/// @returns Whether the task of this id has not finished. Its record may be another task's by now.
/// Acquire: a task that is seen as finished has done its effects. The id is read last: if it still is the task's, the list was.
inline bool is_open(const TaskHeader& task, std::uint64_t id) {
  const std::uint64_t list = task.successors.load(std::memory_order_acquire);
  return task.id.load(std::memory_order_relaxed) == id && list >> 48 == (id & 0xffff) && (list & kClosed) == 0;
}

/// Bytes of a task block in front of the closure.
constexpr std::size_t block_prefix(std::size_t accesses) { return 8 * accesses + 16; }

/// Where and for whom a body runs.
struct ExecutionContext {
  Engine* engine;
  WorkerId worker;
  NodeId node;
  TaskHeader* task;
  void* stream = nullptr;  ///< GPUs: the native stream.
  void* const* addresses = nullptr;  ///< Of the accesses, on a node that is not the host's; null: where DataHeader says.
};

}  // namespace mitra::detail
