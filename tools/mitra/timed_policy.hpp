// A policy inside another one that notes how long each of its calls takes.
// Flow: engine -> [timed policy] -> policy; times -> bench decision. Thread-safety: serialised, all calls from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <mitra/scheduling_policy.hpp>

namespace mitra::tool {

/// A clock that stands still while another process has the core, as long as it does so for more than 20 us.
/// Reading the CPU time of a thread is a system call; reading the time of day is not. So the latter is read, and the
/// former alone after a gap that is long enough for a change of processes.
/// @thread one thread: the one that reads it
class UndisturbedClock {
 public:
  /// @returns Nanoseconds since some moment.
  std::int64_t now();

 private:
  std::int64_t last_ = 0, lost_ = 0;
};

/// Calls of one kind.
struct CallTimes {
  std::uint64_t calls = 0;
  std::int64_t ns = 0, longest_ns = 0;  ///< Each call with one reading of the clock in it. @see clock_cost

  void add(std::int64_t duration) {
    ++calls;
    ns += duration;
    if (duration > longest_ns) longest_ns = duration;
  }
};

struct PolicyTimes {
  CallTimes submitted, ready, next, finished, victim;
};

class TimedPolicy final : public SchedulingPolicy {
 public:
  /// @param times  Lives longer than the Runtime.
  TimedPolicy(std::unique_ptr<SchedulingPolicy> policy, PolicyTimes& times) : policy_(std::move(policy)), times_(times) {}

  void start(SchedulerView& view) override { policy_->start(view); }
  void submitted(TaskRef task, SchedulerView& view) override {
    timed(times_.submitted, [&] { policy_->submitted(task, view); });
  }
  void ready(TaskRef task, SchedulerView& view) override {
    timed(times_.ready, [&] { policy_->ready(task, view); });
  }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    TaskRef task;
    timed(times_.next, [&] { task = policy_->next(worker, view); });
    return task;
  }
  std::size_t victim(NodeId node, std::span<const AccessRef> candidates, SchedulerView& view) override {
    std::size_t chosen = 0;
    timed(times_.victim, [&] { chosen = policy_->victim(node, candidates, view); });
    return chosen;
  }
  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override {
    timed(times_.finished, [&] { policy_->finished(task, measured, view); });
  }
  bool runs_next(TaskRef successor, WorkerId worker) override { return policy_->runs_next(successor, worker); }
  bool concurrent() const override { return policy_->concurrent(); }
  bool watches_submissions() const override { return policy_->watches_submissions(); }
  bool watches_completions() const override { return policy_->watches_completions(); }
  bool chooses_victims() const override { return policy_->chooses_victims(); }

 private:
  template <class Call>
  void timed(CallTimes& times, Call&& call) {
    const std::int64_t began = clock_.now();
    call();
    times.add(clock_.now() - began);
  }

  std::unique_ptr<SchedulingPolicy> policy_;
  PolicyTimes& times_;
  UndisturbedClock clock_;
};

/// @returns What a call that does nothing seems to take, in nanoseconds: measured now.
double clock_cost();

}  // namespace mitra::tool
