// Flow: `mitra run`, tests, benches -> [workload] -> Runtime::submit. Thread-safety: submission thread.

#include "workloads/workload.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <mitra/error.hpp>

#include "workloads/builtin.hpp"

namespace mitra::workloads {

const std::vector<WorkloadInfo>& workloads() {
  // A table, and no static registrars: a linker drops the object files of a static library that nothing names.
  static const std::vector<WorkloadInfo> all = [] {
    std::vector<WorkloadInfo> list;
    for (auto* of_file : {cholesky_workloads, gemm_workloads, stencil_workloads, task_bench_workloads})
      std::ranges::move(of_file(), std::back_inserter(list));
    return list;
  }();
  return all;
}

const WorkloadInfo& find_workload(std::string_view name) {
  const auto found = std::ranges::find(workloads(), name, &WorkloadInfo::name);
  if (found != workloads().end()) return *found;
  std::string names;
  for (const WorkloadInfo& info : workloads()) names += (names.empty() ? "" : ", ") + info.name;
  throw ConfigError(detail::message("unknown workload '", name, "'; known: ", names));
}

std::unique_ptr<Workload> make_workload(const WorkloadInfo& info, const Parameters& parameters) {
  return info.make(info, parameters);
}

namespace {

Seconds now() {
  return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void check_memory(const Runtime& rt, const Workload& workload) {
  const Bytes capacity = rt.machine().memory_nodes.empty() ? Bytes{} : rt.machine().memory_nodes.front().capacity;
  if (capacity == Bytes{} || workload.footprint() <= capacity || !rt.config().spill.empty()) return;
  throw ConfigError(detail::message("the workload's data take ", workload.footprint().value >> 20,
                                    " MiB, the machine has ", capacity.value >> 20, " MiB: choose a smaller size, or a directory for the rest (MITRA_SPILL)"));
}

}  // namespace

WorkloadResult run(Runtime& rt, Workload& workload) {
  if (rt.executes()) check_memory(rt, workload);
  workload.generate(rt);
  rt.wait();
  rt.restart_simulation();

  const Statistics before = rt.statistics();
  const Seconds start = now();
  workload.submit(rt);
  const Seconds submitted = now();
  rt.wait();
  const Seconds end = now();
  const Statistics after = rt.statistics();

  WorkloadResult result;
  result.tasks = workload.tasks();
  result.flops = workload.flops();
  result.submit = submitted - start;
  result.makespan = end - start;
  for (std::size_t w = 0; w < after.executed_by_worker.size(); ++w)
    result.executed_by_worker.push_back(after.executed_by_worker[w] -
                                        (w < before.executed_by_worker.size() ? before.executed_by_worker[w] : 0));

  if (after.memory) {
    const auto since = [](Bytes now, Bytes then) { return Bytes(now.value - then.value); };
    result.memory = after.memory;
    result.memory->to_device = since(after.memory->to_device, before.memory->to_device);
    result.memory->from_device = since(after.memory->from_device, before.memory->from_device);
    result.memory->between_devices = since(after.memory->between_devices, before.memory->between_devices);
    result.memory->transfers -= before.memory->transfers;
    result.memory->evictions -= before.memory->evictions;
  }
  result.simulation = rt.simulation();
  if (result.simulation) result.makespan = result.simulation->makespan;

  Verification found;
  if (rt.executes()) found = workload.verify(rt);
  result.residual = found.residual;
  result.verified = found.verified;
  if (!found.remark.empty()) result.remarks.push_back(std::move(found.remark));
  // A lost or doubled task can hide below the rounding errors of a large run; it cannot hide from the count.
  if (const std::uint64_t executed = after.executed - before.executed; executed != result.tasks) {
    result.verified = false;
    result.remarks.push_back(detail::message(executed, " tasks were executed, ", result.tasks, " make up the graph"));
  }
  return result;
}

WorkloadResult run(Runtime& rt, std::string_view name, const GivenValues& given) {
  const WorkloadInfo& info = find_workload(name);
  const auto workload = make_workload(info, Parameters(info.name, info.parameters, given));
  return run(rt, *workload);
}

}  // namespace mitra::workloads
