// A policy that says it was built for another interface: it must be refused, and never made.
#include <mitra/scheduling_policy.hpp>

extern "C" const mitra::PolicyInfo* mitra_scheduler_other_abi();
extern "C" const mitra::PolicyInfo* mitra_scheduler_other_abi() {
  static const mitra::PolicyInfo info{0xffffffffU, "other_abi", "from another time", {}, nullptr};
  return &info;
}
