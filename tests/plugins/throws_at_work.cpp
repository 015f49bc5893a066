// A policy that throws once, when it is asked for the seventh task; it keeps the task, and gives it to who asks next.
#include <deque>
#include <mitra/scheduling_policy.hpp>

namespace {

class ThrowsAtWork final : public mitra::SchedulingPolicy {
 public:
  explicit ThrowsAtWork(const mitra::PolicyArguments&) {}

  void ready(mitra::TaskRef task, mitra::SchedulerView&) override { tasks_.push_back(task); }
  mitra::TaskRef next(mitra::WorkerId, mitra::SchedulerView&) override {
    if (tasks_.empty()) return {};
    if (++asked_ == 7) throw mitra::Error("throws_at_work: tired");
    const mitra::TaskRef task = tasks_.front();
    tasks_.pop_front();
    return task;
  }

 private:
  int asked_ = 0;
  std::deque<mitra::TaskRef> tasks_;
};

}  // namespace

MITRA_SCHEDULER(throws_at_work, ThrowsAtWork, "throws once");
