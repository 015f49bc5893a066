// A policy whose constructor throws.
#include <mitra/scheduling_policy.hpp>

namespace {

class ThrowsInMake final : public mitra::SchedulingPolicy {
 public:
  explicit ThrowsInMake(const mitra::PolicyArguments&) { throw mitra::ConfigError("throws_in_make: not today"); }
  void ready(mitra::TaskRef, mitra::SchedulerView&) override {}
  mitra::TaskRef next(mitra::WorkerId, mitra::SchedulerView&) override { return {}; }
};

}  // namespace

MITRA_SCHEDULER(throws_in_make, ThrowsInMake, "never made");
