// Takes submissions and keeps them as a graph.
// Flow: Runtime::record -> [recorder] -> graph storage -> replay. Thread-safety: the recording thread.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include <mitra/detail/graph_storage.hpp>
#include <mitra/engine.hpp>
#include <mitra/task.hpp>

#include "graph/dependency_tracker.hpp"
#include "graph/tree_levels.hpp"

namespace mitra::engine {

/// Ids of recorded nodes have this bit, so that they are never taken for the id of a live task.
inline constexpr std::uint64_t kNodeBit = std::uint64_t{1} << 62;

struct RecordedTrees;

class Recorder final : private graph::TreeClient {
 public:
  /// @param fold_type  The engine's body for the folds of reductions.
  /// @param number     Of this recording: its tasks are told from those of other recordings by it.
  Recorder(std::uint64_t engine_serial, std::uint64_t number, const detail::TaskType& fold_type)
      : number_(number), fold_type_(fold_type), graph_(std::make_shared<detail::GraphStorage>()) {
    graph_->engine_serial = engine_serial;
  }
  ~Recorder() override;

  detail::TaskHeader* begin(std::size_t accesses, std::size_t closure_bytes);
  /// The task last begun is complete: infers what it follows. @returns Its number.
  std::size_t add(const detail::SubmitExtras* extras);
  /// The task last begun is to be forgotten. @param built  Its closure was constructed.
  void drop_last(bool built);
  std::shared_ptr<detail::GraphStorage> finish();

  /// The id by which the application knows node `index` while it records: 22 bits of the recording, 40 of the node.
  TaskId task_id(std::size_t index) const { return TaskId(kNodeBit | (number_ & 0x3fffff) << 40 | index); }
  bool is_mine(TaskId id) const { return id.value >> 40 == task_id(0).value >> 40; }

  // What the dependency tracker asks of its sink; members' ids are node numbers.
  void edge(const graph::Member& predecessor);
  bool finished(const graph::Member&) const { return false; }
  void reduction_opened(graph::Datum& datum) { open_reductions_.push_back(&datum); }
  graph::Member join(graph::DependencyState& members);
  graph::Member fold(graph::Datum& datum, graph::DependencyState& members);

 private:
  struct Draft {
    detail::TaskHeader header;
    std::vector<std::uint32_t> predecessors;
  };
  std::byte* new_block(std::size_t bytes);
  graph::Member insert(const detail::TaskType& type, const char* name, graph::Datum* datum, graph::DependencyState& members);
  void note_access(detail::AccessWord word);
  void renumber(const detail::TaskHeader& task, std::size_t number);
  /// @returns The trees' part of the graph; null if there are none.
  std::shared_ptr<const RecordedTrees> finish_trees();

  // What the levels of partition trees ask. What a level is before the first access, the replay will see to.
  graph::TreeLevel& level(graph::Datum& datum) override;
  bool is_fresh(graph::Datum&) override { return false; }
  bool in_scope(graph::Datum&) override { return true; }
  void insert(const char* name, std::span<const detail::AccessWord> words) override;
  void enter_fresh(graph::Datum&, graph::Partition&, bool) override {}
  void require(graph::Datum& whole, graph::Partition* parts) override { required_.emplace_back(&whole, parts); }

  const std::uint64_t number_;
  const detail::TaskType& fold_type_;
  std::shared_ptr<detail::GraphStorage> graph_;
  std::deque<Draft> drafts_;        // in order; the last may be under construction
  std::vector<Draft*> order_;       // complete ones, by number
  Draft* current_ = nullptr;        // the one that receives edges
  Draft* open_ = nullptr;           // begun, not yet added
  std::unordered_map<graph::Datum*, graph::DependencyState> states_;
  std::unordered_map<graph::Datum*, std::size_t> seen_;  // index into graph_->accesses
  std::vector<graph::Datum*> open_reductions_;
  std::unordered_map<graph::Datum*, graph::TreeLevel> levels_;  // of data with parts
  std::vector<std::pair<graph::Datum*, graph::Partition*>> required_;
  std::size_t room_ = 0;            // bytes left in the newest block
  std::byte* next_ = nullptr;
};

}  // namespace mitra::engine
