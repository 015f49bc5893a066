// Keeps what an application submits to one Runtime, and what it measured, and writes it as a graph file in the end.
// Flow: engine -> [graph recorder] -> graph writer -> file. Thread-safety: thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <mitra/detail/graph_storage.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/task.hpp>
#include <mitra/task_graph.hpp>

namespace mitra::observe {

class GraphRecorder {
 public:
  /// @throws ConfigError if nothing can be written to `path` now.
  explicit GraphRecorder(std::string path);

  void registered(const detail::DataHeader& datum, const std::string& name);

  /// The application submits `task`, which nobody else knows yet; or replays a recorded graph.
  /// @returns A number for published(). Tasks that the engine inserts are none of the application's: nothing is kept.
  /// @throws  What the codelet's cost throws.
  std::size_t submitted(detail::TaskHeader& task, std::span<const Task> after);
  std::size_t replayed(detail::GraphStorage& graph);
  /// A transition between levels of a partition tree: in the file it is a task, since without it the accesses would not say
  /// how tasks on a whole and on its parts follow each other. @param before  The task that it was inserted for; or null.
  void inserted(detail::TaskHeader& transition, const detail::TaskHeader* before);
  /// The same has got its id. What was submitted and never published is forgotten.
  void published(std::size_t entry, TaskId id);
  /// The body of `task` is over, and the task is not. @param seconds  Without those of bodies that ran inside of it.
  void ran(const detail::TaskHeader& task, Seconds seconds);

  /// The graph so far: tasks in the order of their ids, a task's children behind it. A graph has no nesting, so children
  /// follow their parent as its successors do.
  TaskGraph graph() const;
  /// @throws Error if the file cannot be written.
  void write() const;

 private:
  /// A task: its id and 0, or the id of a replay and the number of a node, from 1.
  struct Instance {
    std::uint64_t id = TaskId::kNone;
    std::uint32_t node = 0;
    auto operator<=>(const Instance&) const = default;
  };
  struct Entry {
    Instance self, parent;
    GraphTask task;
    std::vector<Instance> after;
    bool is_first_node = false;  // of a replay; the others follow
  };
  static constexpr std::size_t kNothing = ~std::size_t{0};
  static constexpr std::uint32_t kInserted = 1U << 31;  // among the nodes of an instance: between that task and the next one

  static Instance instance_of(const detail::TaskHeader& task);
  void describe(detail::TaskHeader& task, Entry& entry);
  std::vector<const Entry*> in_order() const;

  const std::string path_;
  mutable std::mutex mutex_;  // guards all below
  std::vector<GraphDatum> data_;
  std::unordered_map<const detail::DataHeader*, std::uint32_t> numbers_;  // the datum that has the address now
  std::vector<Entry> entries_;
  std::map<Instance, double> seconds_;
  std::uint32_t inserted_ = 0;
};

}  // namespace mitra::observe
