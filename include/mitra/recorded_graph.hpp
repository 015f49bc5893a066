// A graph that was submitted once, and runs again without inference.
// Flow: Runtime::record -> [recorded graph] -> Runtime::replay. Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <mitra/detail/graph_storage.hpp>
#include <mitra/task_ref.hpp>

namespace mitra {

/// Shared by its copies. Tasks are numbered in the order of their submission.
class RecordedGraph {
 public:
  RecordedGraph() = default;
  explicit RecordedGraph(std::shared_ptr<detail::GraphStorage> storage) : storage_(std::move(storage)) {}

  std::size_t size() const { return storage_ ? storage_->size : 0; }
  TaskRef task(std::size_t i) const { return TaskRef(&storage_->nodes[i]); }
  std::span<const std::uint32_t> successors(std::size_t i) const {
    const std::uint64_t range = storage_->nodes[i].successors.load(std::memory_order_relaxed);
    return {storage_->edges.data() + (range >> 32), static_cast<std::size_t>(range & 0xffffffffU)};
  }
  std::size_t predecessor_count(std::size_t i) const { return static_cast<std::size_t>(storage_->predecessors[i]); }
  std::size_t edge_count() const { return storage_ ? storage_->edges.size() : 0; }

  const std::shared_ptr<detail::GraphStorage>& storage() const { return storage_; }

 private:
  std::shared_ptr<detail::GraphStorage> storage_;
};

}  // namespace mitra
