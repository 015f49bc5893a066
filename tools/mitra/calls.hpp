// What each file of a call defines, for the list in calls.cpp.
// Flow: call_*.cpp -> [calls] -> calls.cpp. Thread-safety: main thread.
#pragma once

#include <memory>

#include "call.hpp"

namespace mitra::tool {

std::unique_ptr<Call> run_call();
std::unique_ptr<Call> simulate_call();
std::unique_ptr<Call> compare_call();
std::unique_ptr<Call> bounds_call();
std::unique_ptr<Call> machine_call();
std::unique_ptr<Call> models_call();
std::unique_ptr<Call> calibrate_call();
std::unique_ptr<Call> schedulers_call();
std::unique_ptr<Call> workloads_call();
std::unique_ptr<Call> bench_overhead_call();
std::unique_ptr<Call> bench_metg_call();
std::unique_ptr<Call> bench_simulator_call();
std::unique_ptr<Call> bench_decision_call();

}  // namespace mitra::tool
