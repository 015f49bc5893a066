// Two policies in one shared object: the newest ready task first, optionally only so many of them; and the oldest first.
#include <cstddef>
#include <deque>
#include <mitra/scheduling_policy.hpp>

namespace {

/// Takes the first task in the given direction that the worker can run.
mitra::TaskRef take(std::deque<mitra::TaskRef>& tasks, mitra::WorkerId worker, const mitra::Machine& machine, bool newest) {
  const auto kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::size_t at = newest ? tasks.size() - 1 - i : i;
    const mitra::TaskRef task = tasks[at];
    if (!task.runs_on(kind)) continue;
    tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(at));
    return task;
  }
  return {};
}

class NewestFirst final : public mitra::SchedulingPolicy {
 public:
  explicit NewestFirst(const mitra::PolicyArguments& arguments) : keep_(arguments.integer("keep")) {}

  void ready(mitra::TaskRef task, mitra::SchedulerView&) override { tasks_.push_back(task); }
  mitra::TaskRef next(mitra::WorkerId worker, mitra::SchedulerView& view) override {
    const mitra::TaskRef task = take(tasks_, worker, view.machine(), keep_ == 0 || taken_ < keep_);
    if (task) ++taken_;
    return task;
  }

 private:
  const long keep_;
  long taken_ = 0;
  std::deque<mitra::TaskRef> tasks_;
};

class OldestFirst final : public mitra::SchedulingPolicy {
 public:
  explicit OldestFirst(const mitra::PolicyArguments&) {}
  void ready(mitra::TaskRef task, mitra::SchedulerView&) override { tasks_.push_back(task); }
  mitra::TaskRef next(mitra::WorkerId worker, mitra::SchedulerView& view) override {
    return take(tasks_, worker, view.machine(), false);
  }

 private:
  std::deque<mitra::TaskRef> tasks_;
};

}  // namespace

MITRA_SCHEDULER(newest_first, NewestFirst, "the newest ready task first",
                {"keep", "0", "take the newest so many times, then the oldest; 0: always the newest"});
MITRA_SCHEDULER(oldest_first, OldestFirst, "the oldest ready task first");
