// A policy for tests that say where tasks run.
// Flow: tests -> [only on] -> worker. Thread-safety: the engine serialises the calls.
#pragma once

#include <mitra/scheduling_policy.hpp>
#include <vector>

namespace mitra::test {

/// Gives the workers of one kind all that they can run, in order, and the others the rest.
class OnlyOn final : public SchedulingPolicy {
 public:
  explicit OnlyOn(WorkerKind kind) : kind_(kind) {}
  void ready(TaskRef task, SchedulerView&) override {
    (task.runs_on(kind_) ? wanted_ : others_).push_back(task);
  }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const WorkerKind kind = view.machine().classes[view.machine().workers[worker.index()].worker_class.index()].kind;
    auto& queue = kind == kind_ ? wanted_ : others_;
    if (queue.empty() || !queue.front().runs_on(kind)) return {};
    const TaskRef task = queue.front();
    queue.erase(queue.begin());
    return task;
  }

 private:
  WorkerKind kind_;
  std::vector<TaskRef> wanted_, others_;
};

}  // namespace mitra::test
