// A recorded graph: task headers side by side, edges in one array. What a replay reads, it reads in order.
// Flow: Runtime::record -> [graph storage] -> Runtime::replay. Thread-safety: immutable, but for the counters of the one
// replay that runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/task.hpp>

namespace mitra::detail {

struct GraphStorage {
  GraphStorage() = default;
  GraphStorage(const GraphStorage&) = delete;
  GraphStorage& operator=(const GraphStorage&) = delete;
  ~GraphStorage() {
    for (std::size_t i = 0; i < size; ++i)
      if (nodes[i].type->destroy != nullptr) nodes[i].type->destroy(nodes[i]);
  }

  std::size_t size = 0;
  std::size_t application_tasks = 0;       ///< Nodes without joins and folds.
  std::unique_ptr<TaskHeader[]> nodes;     ///< In order of submission; `successors` is (first edge << 32 | edges).
  std::vector<std::uint32_t> edges;        ///< Successors of node 0, of node 1, ...
  std::vector<std::int32_t> predecessors;  ///< Their number, by node.
  std::vector<std::uint32_t> roots;        ///< Nodes without predecessors, in order.
  std::vector<std::unique_ptr<std::byte[]>> blocks;  ///< Accesses and closures.
  std::vector<AccessWord> accesses;  ///< Each datum of the graph once, with the strongest mode: how a replay is ordered.
  std::uint64_t engine_serial = 0;
  std::vector<std::shared_ptr<DataHeader>> data;      ///< Kept alive by the graph.
  std::shared_ptr<const void> trees;  ///< The engine's: levels of partition trees before and after; or null.
  TaskHeader anchor{};  ///< The nodes' parent: its block is the address of this graph.

  std::unique_ptr<std::byte[]> beside;  ///< What an engine keeps of each node.
  Task last_replay;                   ///< Under the engine's replay-order lock.
  std::atomic<bool> poisoned{false};  ///< A node of this replay failed, and successors are marked in `cancelled`.
  std::atomic<bool> failed{false};    ///< The same, until the replay's end has been told.
  std::vector<std::atomic<bool>> cancelled;  ///< By node; looked at only when poisoned.

  std::atomic<TaskHeader*> running{nullptr};     ///< The task that stands for the replay under way.
  alignas(64) std::atomic<std::uint64_t> done{0};  ///< Nodes finished in this replay.
  alignas(64) std::atomic<std::size_t> next_root{0};
};

}  // namespace mitra::detail
