// What the levels of partition trees ask of a live domain: of the tasks without a parent, or of the children of one task.
// Flow: submission -> [live trees] <-> tree levels -> transitions. Thread-safety: under the submission lock.
#pragma once

#include <utility>
#include <vector>

#include "engine/task_engine.hpp"
#include "graph/tree_levels.hpp"

namespace mitra::engine {

/// The type of all transitions, live and recorded: their bodies do nothing.
extern const detail::TaskType kTransitionType;
inline bool is_transition(const TaskHeader& task) { return task.type == &kTransitionType; }

class LiveTrees final : public graph::TreeClient {
 public:
  /// @param task  It is under way, and has the next id itself; or null.
  LiveTrees(TaskEngine& engine, ThreadState& self, TaskHeader* parent, int priority, const TaskHeader* task)
      : engine_(engine), self_(self), parent_(parent), priority_(priority), task_(task) {}

  // The submission lock is held during the life of this object; through the virtual calls the analysis cannot see it.
  graph::TreeLevel& level(Datum& datum) override MITRA_NO_THREAD_SAFETY_ANALYSIS;
  bool is_fresh(Datum& datum) override MITRA_NO_THREAD_SAFETY_ANALYSIS;
  bool in_scope(Datum& datum) override;
  void insert(const char* name, std::span<const detail::AccessWord> words) override MITRA_NO_THREAD_SAFETY_ANALYSIS;
  void enter_fresh(Datum& whole, graph::Partition& parts, bool stays) override;
  void require(Datum&, graph::Partition*) override {}  // here all levels are known

 private:
  TaskEngine& engine_;
  ThreadState& self_;
  TaskHeader* const parent_;
  const int priority_;
  const TaskHeader* const task_;
};

/// The trees of a recorded graph: where they have to be before a replay, and where it leaves them.
struct RecordedTrees {
  std::vector<std::pair<Datum*, graph::Partition*>> required;  ///< In this order; without a partition: the datum whole.
  std::vector<std::pair<Datum*, graph::TreeLevel>> after;
};

/// @returns Whether the parent's declaration, or its body's registration, covers the datum. @param found  An access that does.
bool covers(const TaskHeader& parent, const Datum& datum, detail::AccessWord* found = nullptr);

}  // namespace mitra::engine
