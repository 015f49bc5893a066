// Turns access modes, in submission order, into RAW, WAR and WAW edges.
// Flow: submission -> [dependency tracker] -> ready. Thread-safety: under the submission lock.
#pragma once

#include "graph/datum.hpp"

namespace mitra::graph {

/// Puts one access of `self` at the end of the datum's history.
/// `Sink` receives what follows from it:
///   sink.edge(Member predecessor)                  self waits for predecessor (self itself is never passed)
///   sink.finished(Member) -> bool                  may be forgotten
///   sink.reduction_opened(Datum&)                  somebody has to fold it before the data are looked at
///   sink.join(DependencyState&) -> Member          an empty task after all members of the group
///   sink.fold(Datum&, DependencyState&) -> Member  a task after all members, which folds their private copies
///
/// current group     | access of the same kind, not exclusive | any other access
/// none              |                                        | starts its group
/// read, commute     | joins; edge from `previous`            | edges from all members, or from their join
/// reduce            | joins (same operation)                 | edge from their fold
/// exclusive         |                                        | edge from the member
template <class Sink>
void add_access(Datum& datum, DependencyState& state, AccessMode mode, const detail::ReduceOperation* operation, Member self,
                Sink& sink) {
  const AccessGroup group = group_of(mode);
  auto edge = [&](const Member& predecessor) {
    // Both are compared: an earlier task may have had the very record that `self` has now.
    if (predecessor.task != nullptr && predecessor != self) sink.edge(predecessor);
  };
  const bool joins = group == state.group && group != AccessGroup::exclusive &&
                     (group != AccessGroup::reduce || operation == state.operation);
  if (joins) {
    edge(state.previous);
    state.add_member(self, [&](const Member& m) { return m != self && sink.finished(m); });
    return;
  }
  if (group == AccessGroup::exclusive && state.group != AccessGroup::reduce) {
    for (std::uint32_t i = 0; i < state.count; ++i) edge(state.member(i));
    if (state.count == 0) edge(state.previous);  // every member had finished and was dropped
    state.start_group(group, self);
    return;
  }
  if (state.group == AccessGroup::reduce) {
    state.previous = sink.fold(datum, state);
  } else if (state.count == 1) {
    state.previous = state.member(0);
  } else if (state.count > 1) {
    state.previous = sink.join(state);  // n readers before m commuting tasks: n + m edges, not n * m
  }
  edge(state.previous);
  state.start_group(group, self);
  state.operation = operation;
  if (group == AccessGroup::reduce) sink.reduction_opened(datum);
}

}  // namespace mitra::graph
