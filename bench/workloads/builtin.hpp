// What each file of workloads defines, for the list in workload.cpp.
// Flow: cholesky.cpp, gemm.cpp, ... -> [builtin] -> workload.cpp. Thread-safety: immutable.
#pragma once

#include <vector>

#include "workloads/workload.hpp"

namespace mitra::workloads {

std::vector<WorkloadInfo> cholesky_workloads();
std::vector<WorkloadInfo> gemm_workloads();
std::vector<WorkloadInfo> stencil_workloads();
std::vector<WorkloadInfo> task_bench_workloads();

}  // namespace mitra::workloads
