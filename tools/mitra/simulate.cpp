// Flow: call -> [simulate] -> Runtime -> run record. Thread-safety: several runs at once, each with its own Runtime.

#include "simulate.hpp"

#include <chrono>

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>

namespace mitra::tool {

RunRecord run_once(const WorkloadChoice& choice, const Config& config, const std::optional<Bounds>& bounds) {
  const auto began = std::chrono::steady_clock::now();
  Runtime rt(config);
  const auto workload = choice.make();
  workloads::WorkloadResult result = workloads::run(rt, *workload);

  RunRecord record;
  record.workload = choice.name();
  record.parameters = choice.parameters();
  record.backend = config.backend;
  record.scheduler = rt.config().scheduler;
  record.machine = rt.machine().name;
  record.seed = config.seed;
  record.workers = rt.machine().workers.size();
  record.tasks = result.tasks;
  record.flops = result.flops;
  record.makespan = result.makespan;
  record.submit = result.submit;
  record.residual = result.residual;
  record.verified = result.verified;
  record.repetitions = {result.makespan};
  if (result.simulation) {
    record.bounds = bounds ? bounds : lower_bounds(result.simulation->bounds);
    for (const auto& c : result.simulation->classes) {
      const double available = static_cast<double>(c.workers) * result.makespan.value;
      record.worker_classes.push_back(
          {c.name, c.workers, available > 0.0 ? std::optional(c.busy.value / available) : std::nullopt, c.tasks});
    }
  } else {
    for (const WorkerClass& c : rt.machine().classes) {
      std::uint64_t tasks = 0;
      for (const WorkerId worker : c.workers)
        if (worker.index() < result.executed_by_worker.size()) tasks += result.executed_by_worker[worker.index()];
      record.worker_classes.push_back({c.name, c.workers.size(), {}, tasks});
    }
  }
  record.memory = result.memory;
  record.devices = devices_of(rt);
  record.simulation = std::move(result.simulation);
  record.peak_rss = peak_rss();
  record.wall = Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  return record;
}

void SimulatedCholesky::check(const char* option, const std::vector<std::uint64_t>& tiles) {
  for (const std::uint64_t count : tiles)
    if (count < 1 || count > 500) throw ConfigError(detail::message(option, " is a number from 1 to 500, not ", count));
}

workloads::WorkloadResult SimulatedCholesky::run(Runtime& rt) const {
  workloads::WorkloadResult result = workloads::run(rt, "cholesky", {{"n", std::to_string(tiles * tile())}, {"tile", std::to_string(tile())}});
  if (result.verified == false) throw Error("cholesky: " + (result.remarks.empty() ? "not verified" : result.remarks.front()));
  return result;
}

std::vector<std::string> chosen_schedulers(const std::vector<std::string>& list) {
  std::vector<std::string> names;
  if (!list.empty() && list != std::vector<std::string>{"all"}) {
    // The comma of the list is the comma of a policy's parameters, too: KEY=VALUE alone belongs to the name before it.
    for (const std::string& part : list)
      if (!names.empty() && part.find('=') != std::string::npos && part.find(':') == std::string::npos)
        names.back() += ',' + part;
      else
        names.push_back(part);
    for (const std::string& description : names)
      if (description != "auto") make_scheduler(description);  // wrong names fail before the work
    return names;
  }
  for (const PolicyInfo* policy : schedulers()) names.emplace_back(policy->name);
  return names;
}

}  // namespace mitra::tool
