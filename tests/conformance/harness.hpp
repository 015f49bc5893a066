// Runs a policy over a graph in one thread and virtual order: a random worker asks, a random task finishes. It keeps the
// books, and stops with a sentence at the first promise that the policy breaks.
// Flow: graph, machine, seed -> [harness] <-> policy -> trace. Thread-safety: one thread.
#pragma once

#include <cstdlib>
#include <memory>
#include <mitra/registry.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fake_graph.hpp"
#include "fake_machine.hpp"
#include "fake_view.hpp"

namespace mitra::conformance {

/// One answer of next(), or a successor that runs_next() kept on its worker.
struct Decision {
  WorkerId worker;
  std::size_t task;
  bool operator==(const Decision&) const = default;
};

struct HarnessOptions {
  std::uint64_t seed = 1;
  bool workers_sleep = false;  ///< A worker that got nothing asks again only when it is woken.
  bool backwards = false;      ///< Tasks are allocated in reverse: other addresses, the same answers.
  bool uses_runs_next = true;  ///< Successors may stay on their worker, where the policy agrees.
};

class Harness {
 public:
  Harness(SchedulingPolicy& policy, const Machine& machine, const FakeGraph& graph, HarnessOptions options)
      : policy_(policy), machine_(machine), graph_(graph), options_(options), random_(options.seed),
        view_(machine, options.seed), state_(graph.nodes.size(), State::waiting), tasks_(graph.nodes.size()),
        workers_(machine.workers.size()) {
    const std::size_t n = graph.nodes.size();
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t number = options.backwards ? n - 1 - i : i;
      tasks_[number] = std::make_unique<FakeTask>(graph, number);
      missing_.push_back(graph.nodes[i].predecessors);
    }
  }

  /// @returns Nothing if the policy kept its promises; what it broke otherwise.
  std::string run() {
    view_.act_as(WorkerId());
    policy_.start(view_);
    if (policy_.watches_submissions())
      for (const auto& task : tasks_) policy_.submitted(task->ref(), view_);
    for (std::size_t i = 0; i < missing_.size(); ++i)
      if (missing_[i] == 0) make_ready(i, WorkerId());
    while (problem_.empty() && finished_ < tasks_.size()) step();
    if (problem_.empty() && !final_answers_are_empty()) problem_ = "next() gave a task after all had finished";
    return problem_;
  }
  const std::vector<Decision>& trace() const { return trace_; }

 private:
  enum class State { waiting, ready, running, finished };
  struct WorkerState {
    static constexpr std::size_t kIdle = static_cast<std::size_t>(-1);
    std::size_t task = kIdle;
    bool asleep = false;
  };

  void make_ready(std::size_t task, WorkerId by) {
    state_[task] = State::ready;
    ++ready_;
    in_vain_ = 0;
    view_.act_as(by);
    view_.take_woken();
    policy_.ready(tasks_[task]->ref(), view_);
    std::vector<WorkerId> woken = view_.take_woken();
    if (woken.empty()) {  // then the engine wakes anyone who could run it
      std::vector<WorkerId> sleepers;
      for (const Worker& w : machine_.workers)
        if (workers_[w.id.index()].asleep && tasks_[task]->ref().runs_on(kind_of(machine_, w.id))) sleepers.push_back(w.id);
      if (!sleepers.empty()) woken.push_back(random_.pick(sleepers));
    }
    for (const WorkerId w : woken) {
      if (w.index() >= workers_.size()) return fail("wake() names a worker that does not exist", task);
      workers_[w.index()].asleep = false;
    }
  }

  void step() {
    std::vector<WorkerId> can_ask, can_finish;
    for (const Worker& w : machine_.workers) {
      const WorkerState& state = workers_[w.id.index()];
      if (state.task != WorkerState::kIdle)
        can_finish.push_back(w.id);
      else if (!state.asleep)
        can_ask.push_back(w.id);
    }
    if (can_ask.empty() && can_finish.empty()) {
      problem_ = "all workers sleep while " + std::to_string(ready_) + " tasks are ready";
    } else if (can_finish.empty() || (!can_ask.empty() && random_.chance(0.6))) {
      ask(random_.pick(can_ask));
    } else {
      finish(random_.pick(can_finish));
    }
  }

  void ask(WorkerId worker) {
    view_.act_as(worker);
    const TaskRef task = policy_.next(worker, view_);
    if (!task) {
      workers_[worker.index()].asleep = options_.workers_sleep;
      // Each worker has asked many times since the last event: nobody will ever get what is ready.
      if (++in_vain_ > 200 * machine_.workers.size() && nothing_runs())
        problem_ = std::to_string(ready_) + " tasks are ready, and no worker gets one";
      return;
    }
    in_vain_ = 0;
    const std::size_t number = FakeTask::number_of(task);
    if (number >= tasks_.size()) return fail("next() gave something that is no task", number);
    if (state_[number] == State::waiting) return fail("next() gave a task that was not ready", number);
    if (state_[number] != State::ready) return fail("next() gave a task twice", number);
    if (!task.runs_on(kind_of(machine_, worker)))
      return fail(std::string("next() gave a task to a worker of kind ") + to_string(kind_of(machine_, worker)) +
                      ", which has no implementation of it", number);
    begin(number, worker);
  }

  void begin(std::size_t task, WorkerId worker) {
    if (state_[task] == State::ready) --ready_;
    state_[task] = State::running;
    workers_[worker.index()].task = task;
    trace_.push_back({worker, task});
  }

  void finish(WorkerId worker) {
    const std::size_t task = std::exchange(workers_[worker.index()].task, WorkerState::kIdle);
    state_[task] = State::finished;
    ++finished_;
    view_.act_as(worker);
    if (policy_.watches_completions())
      policy_.finished(tasks_[task]->ref(), Measured{worker, view_.now(), Seconds(1.0)}, view_);
    tasks_[task].reset();  // a policy that still looks at it reads freed memory
    for (const std::size_t successor : graph_.nodes[task].successors) {
      if (--missing_[successor] != 0) continue;
      const TaskRef ref = tasks_[successor]->ref();
      view_.act_as(worker);
      if (options_.uses_runs_next && workers_[worker.index()].task == WorkerState::kIdle &&
          ref.runs_on(kind_of(machine_, worker)) && policy_.runs_next(ref, worker))
        begin(successor, worker);
      else
        make_ready(successor, worker);
    }
  }

  bool nothing_runs() const {
    for (const WorkerState& w : workers_)
      if (w.task != WorkerState::kIdle) return false;
    return true;
  }
  bool final_answers_are_empty() {
    for (const Worker& w : machine_.workers) {
      view_.act_as(w.id);
      if (policy_.next(w.id, view_)) return false;
    }
    return true;
  }
  void fail(const std::string& what, std::size_t task) { problem_ = what + " (task " + std::to_string(task) + ")"; }

  SchedulingPolicy& policy_;
  const Machine& machine_;
  const FakeGraph& graph_;
  const HarnessOptions options_;
  test::Random random_;
  FakeView view_;
  std::vector<State> state_;
  std::vector<std::unique_ptr<FakeTask>> tasks_;
  std::vector<std::size_t> missing_;
  std::vector<WorkerState> workers_;
  std::vector<Decision> trace_;
  std::size_t finished_ = 0, ready_ = 0, in_vain_ = 0;
  std::string problem_;
};

/// The policies under test: all of the library, one from a shared object, or MITRA_TEST_SCHEDULER alone (NAME or
/// FILE.so:NAME, parameters included), for those who write one of their own.
inline std::vector<std::string> policies_under_test() {
  if (const char* own = std::getenv("MITRA_TEST_SCHEDULER")) return {own};
  std::vector<std::string> names;
  for (const PolicyInfo* policy : schedulers()) names.emplace_back(policy->name);
  names.emplace_back(MITRA_TEST_PLUGIN_DIR "/libnewest_first.so:newest_first");
  return names;
}

}  // namespace mitra::conformance
