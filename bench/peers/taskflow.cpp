// The patterns as a Taskflow graph: the edges are given, nothing is inferred.
// Flow: main -> [TaskflowPeer] -> Taskflow.

#include <taskflow/taskflow.hpp>

#include <optional>

#include "peer.hpp"

namespace peer {
namespace {

void build(tf::Taskflow& taskflow, const Pattern& pattern) {
  const auto count = static_cast<TaskId>(pattern.tasks());
  std::vector<tf::Task> tasks;
  tasks.reserve(count);
  for (TaskId id = 0; id < count; ++id) {
    tf::Task& task = tasks.emplace_back(taskflow.emplace([id] { run_task(id); }));
    for (TaskId predecessor : pattern.predecessors(id)) tasks[predecessor].precede(task);
  }
}

class TaskflowPeer final : public Peer {
 public:
  TaskflowPeer(const Options& options, const Pattern& pattern)
      : pattern_(pattern), executor_(static_cast<std::size_t>(options.workers)) {}

  Seconds submit() override {
    tf::Taskflow taskflow;  // destroyed after the clock has stopped
    const Stopwatch stopwatch;
    build(taskflow, pattern_);
    executor_.run(taskflow).wait();
    return stopwatch.elapsed();
  }

  Seconds replay() override {
    if (!taskflow_) build(taskflow_.emplace(), pattern_);
    const Stopwatch stopwatch;
    executor_.run(*taskflow_).wait();
    return stopwatch.elapsed();
  }

 private:
  const Pattern& pattern_;
  std::optional<tf::Taskflow> taskflow_;
  // As many threads as asked for, and the submitting one, which cannot work for an executor: it builds while they
  // sleep, and sleeps while they run, so that no more threads than asked for are ever busy.
  tf::Executor executor_;
};

}  // namespace

Description describe() { return {.name = "taskflow", .replays = true, .choices = {}}; }

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  return std::make_unique<TaskflowPeer>(options, pattern);
}

}  // namespace peer
