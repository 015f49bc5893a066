// Flow: main -> [calls] -> command_line. Thread-safety: main thread.

#include "calls.hpp"

namespace mitra::tool {

std::vector<std::unique_ptr<Call>> calls() {
  std::vector<std::unique_ptr<Call>> list;
  for (auto* make : {run_call, simulate_call, compare_call, bounds_call, machine_call, models_call, calibrate_call, schedulers_call, workloads_call, bench_overhead_call, bench_metg_call, bench_simulator_call, bench_decision_call})
    list.push_back(make());
  return list;
}

}  // namespace mitra::tool
