// A scheduling policy out of the tree: the youngest ready task first.
#include <mitra/scheduling_policy.hpp>
#include <vector>

class YoungestFirst final : public mitra::SchedulingPolicy {
 public:
  explicit YoungestFirst(const mitra::PolicyArguments&) {}

  void ready(mitra::TaskRef task, mitra::SchedulerView&) override { stack_.push_back(task); }

  mitra::TaskRef next(mitra::WorkerId, mitra::SchedulerView&) override {
    if (stack_.empty()) return {};
    const mitra::TaskRef task = stack_.back();
    stack_.pop_back();
    return task;
  }

 private:
  std::vector<mitra::TaskRef> stack_;
};

MITRA_SCHEDULER(my_policy, YoungestFirst, "the youngest ready task first");
