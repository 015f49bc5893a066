// A policy that throws at workers who look for work and find none, now and then for a while: while they search, and when
// they are about to sleep.
#include <deque>
#include <mitra/scheduling_policy.hpp>
#include <mutex>

namespace {

class ThrowsWhenIdle final : public mitra::SchedulingPolicy {
 public:
  explicit ThrowsWhenIdle(const mitra::PolicyArguments&) {}

  void ready(mitra::TaskRef task, mitra::SchedulerView&) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(task);
  }
  mitra::TaskRef next(mitra::WorkerId worker, mitra::SchedulerView&) override {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) {
      if (worker.value != 0 && thrown_ < kTimes && ++asked_ > thrown_ * 7 % kLooks) {
        ++thrown_;
        asked_ = 0;
        throw mitra::Error("throws_when_idle: bored");
      }
      return {};
    }
    const mitra::TaskRef task = tasks_.front();
    tasks_.pop_front();
    return task;
  }
  bool concurrent() const override { return true; }  // others are not asked while they hold nothing

 private:
  static constexpr int kTimes = 100, kLooks = 160;  // looks in vain before it throws: about as many as before a sleep, or fewer
  std::mutex mutex_;
  int asked_ = 0, thrown_ = 0;
  std::deque<mitra::TaskRef> tasks_;
};

}  // namespace

MITRA_SCHEDULER(throws_when_idle, ThrowsWhenIdle, "throws at idle workers");
