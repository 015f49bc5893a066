// What stands behind Runtime: the native engine, the simulator, StarPU. One contract, chosen at run time.
// Flow: Runtime -> [engine]. Thread-safety: thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/config.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/detail/graph_storage.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/machine.hpp>
#include <mitra/detail/partition.hpp>
#include <mitra/simulation_report.hpp>
#include <mitra/task.hpp>

namespace mitra {

/// What a run has done so far. Sums over all workers.
struct Statistics {
  std::uint64_t submitted = 0;      ///< The application's tasks, each node of a replay counted once a replay.
  std::uint64_t executed = 0;       ///< Bodies run, folds of reductions included.
  std::vector<std::uint64_t> executed_by_worker;
  std::uint64_t split = 0;          ///< Tasks that became finer ones.
  std::uint64_t transitions = 0;    ///< Tasks between levels of partition trees, as they were submitted.
  std::uint64_t record_bytes = 0;   ///< Memory of task records, allocated so far.
  std::uint64_t lost_devices = 0;
  std::uint64_t recomputed = 0;     ///< Tasks that were run again, since what they had written was lost with a device.
  std::optional<SimulationReport::Memory> memory;  ///< Of a live run beside devices: what has been moved, and pushed out.
};

namespace detail {

/// The rare parts of a submission.
struct SubmitExtras {
  std::span<const Task> after;
  std::span<const ReduceOperation* const> operations;  ///< One an access, null where it is no reduction; or empty.
  std::span<const AccessWord> accesses{};  ///< Of a replay: more than a task can have, kept by its graph.
  const void* trees = nullptr;             ///< Of a replay: the engine's, of partition trees.
};

/// A datum to be registered.
struct DataSpec {
  void* host = nullptr;  ///< Null: the engine allocates at first use.
  Shape shape;
  std::string name;
};

/// An access that a thread holds outside of tasks.
struct Lease {
  TaskHeader* task = nullptr;
  TaskId id;
  void* address = nullptr;
  void* holder = nullptr;  ///< The engine's: the thread that acquired it. Another one may release it.
  void* frame = nullptr;   ///< The engine's: what it holds of the memory.
};

}  // namespace detail

class Engine {
 public:
  virtual ~Engine() = default;

  // --- Submission, in two steps: begin() gives a record, the caller fills its block, commit() infers and publishes. ---

  /// @returns A record whose block has room for so many accesses, and a closure of so many bytes, aligned to 8.
  ///          May execute other tasks first, when the window is full.
  virtual detail::TaskHeader* begin(std::size_t accesses, std::size_t closure_bytes) = 0;
  /// Infers dependencies and publishes the task. On an exception the record is abandoned and its closure destroyed.
  virtual Task commit(detail::TaskHeader* task, const detail::SubmitExtras* extras) = 0;
  /// Gives a record back whose closure was never built.
  virtual void abandon(detail::TaskHeader* task) noexcept = 0;
  /// Keeps `state` alive as long as this engine. @see serial()
  virtual void keep(std::shared_ptr<const void> state) = 0;
  /// A number that no other engine of this process has.
  virtual std::uint64_t serial() const = 0;

  // --- Waiting. ---

  virtual void wait_all() = 0;
  virtual void wait(const Task& task) = 0;
  virtual TaskStatus status(const Task& task) const = 0;
  virtual void cancel(const Task& task) = 0;

  // --- Data. ---

  virtual std::shared_ptr<detail::DataHeader> add_data(detail::DataSpec spec) = 0;
  /// Cuts a datum into parts, which are data of their own; the same partition again is the one that there is.
  virtual detail::Parts partition(detail::DataHeader* whole, const detail::PartitionSpec& spec);
  /// Lends a datum to the calling thread, in order with the tasks; until end_lease(). @param call  "acquire" or "wait": begins messages.
  virtual detail::Lease begin_lease(detail::AccessWord access, SourceLocation where, const char* call) = 0;
  virtual void end_lease(const detail::Lease& lease) noexcept = 0;
  /// Changes the memory of a borrowed datum that no task uses. @throws MisuseError if one does.
  virtual void rebind(detail::DataHeader* data, void* host) = 0;
  /// The address of a running task's access, for what TaskHeader and DataHeader do not answer themselves.
  virtual void* address(const detail::ExecutionContext& context, std::size_t access) = 0;
  /// Runs the body of a moldable task: body(context), with all cores of the context's worker at hand. @see mitra/team.hpp
  virtual void run_moldable(const detail::ExecutionContext& context, void (*body)(const detail::ExecutionContext&)) { body(context); }

  // --- Recorded graphs. ---

  virtual void begin_recording() = 0;
  virtual std::shared_ptr<detail::GraphStorage> end_recording() = 0;
  virtual void discard_recording() noexcept = 0;
  virtual Task replay(const std::shared_ptr<detail::GraphStorage>& graph, SourceLocation where) = 0;

  // --- What it is and did. ---

  virtual const Machine& machine() const = 0;
  virtual const Config& config() const = 0;
  virtual Statistics statistics() const = 0;
  /// False: bodies do not run, and data have no values (backend `sim` without `execute`).
  virtual bool executes() const { return true; }
  /// @returns What a run in virtual time has come to; nothing for a live one.
  virtual std::optional<SimulationReport> simulation() const { return std::nullopt; }
  /// From now on the report holds the graph itself, for bounds that look for their own paths. Memory grows with it.
  virtual void keep_graph() {}
  /// The report starts again: what has run so far was preparation. @throws MisuseError while tasks are open
  virtual void restart_simulation() {}
};

}  // namespace mitra
