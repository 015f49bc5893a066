// `mitra simulate WORKLOAD --machine M`: the same workload and scheduler in virtual time.
// Flow: command line -> [simulate] -> workload -> Runtime; results -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include <mitra/error.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "simulate.hpp"
#include "simulation_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

class Simulate final : public Call {
 public:
  std::string name() const override { return "simulate"; }
  std::string summary() const override { return "the same workload and scheduler in virtual time, on a machine file"; }
  std::string examples() const override {
    return "  mitra simulate cholesky --n 200000 --tile 4000 --machine alice-recoque-unified\n"
           "  mitra simulate stencil_1d --machine mirage --scheduler eager --json -\n"
           "  mitra simulate graph.stg --machine identical --workers 8\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{workload_.argument(),
                             {"--scheduler", &scheduler_, "NAME",
                              "A policy of `mitra schedulers`: NAME[:key=value,...], or ./FILE.so:NAME [MITRA_SCHEDULER]"}};
    std::ranges::move(simulation_.options(), std::back_inserter(list));
    list.push_back({"--strict", &strict_, "", "Tasks that no model knows are a failure"});
    list.push_back(Output::json_option(json_));
    std::ranges::move(workload_.options(), std::back_inserter(list));
    return list;
  }

  Status execute() override {
    const Output output(json_);
    Config config = simulation_.config();
    if (scheduler_) config.scheduler = *scheduler_;
    workload_.resolve("simulate", config.seed);
    const RunRecord record = run_once(workload_, config);
    if (output.has_text()) output.text(report(record));
    output.json(record.json());
    if (record.verified == false) throw std::runtime_error(workload_.name() + ": the result is wrong");
    if (strict_ && record.simulation->unknown_tasks != 0)
      throw std::runtime_error(fmt::format("no model knows {} of {} tasks (--strict)", record.simulation->unknown_tasks, record.tasks));
    return Status::done;
  }

 private:
  static std::string report(const RunRecord& record) {
    const SimulationReport& simulation = *record.simulation;
    std::string text = record.workload;
    for (const auto& [name, value] : record.parameters) text += fmt::format("  {}={}", name, value);
    text += fmt::format("\nscheduler {}, {} workers, {} (virtual time)\n\n", record.scheduler, record.workers, record.machine);
    const auto line = [&](const char* what, const std::string& value) { text += fmt::format("  {:<12} {}\n", what, value); };
    line("makespan", format_seconds(record.makespan));
    line("bound", fmt::format("{}, gap {:.2f} %  (critical path {}, area {}, mixed {})", format_seconds(record.bounds->best),
                              100.0 * record.gap().value_or(0.0), format_seconds(record.bounds->critical_path),
                              format_seconds(record.bounds->area), format_seconds(record.bounds->mixed)));
    if (record.flops > 0) line("rate", fmt::format("{:.5g} GFLOP/s", record.gflops()));
    line("tasks", std::to_string(record.tasks));
    for (const WorkerClassRecord& c : record.worker_classes)
      line("", fmt::format("{} x {}: {} tasks, busy {:.1f} %", c.count, c.name, c.tasks.value_or(0), 100.0 * c.busy_fraction.value_or(0.0)));
    if (record.knows_energy()) {
      line("energy", fmt::format("{:.4g} J, {:.4g} W on average, {:.4g} W at most", simulation.energy.total.value,
                                 (simulation.energy.total / record.makespan).value, simulation.energy.peak.value));
      if (record.bounds->energy > Joules(0.0))
        line("", fmt::format("bound {:.4g} J, gap {:.2f} %", record.bounds->energy.value,
                             100.0 * (simulation.energy.total / record.bounds->energy - 1.0)));
    }
    const auto& moved = simulation.memory;
    line("moved", fmt::format("{} to devices, {} from them, {} between them{}; {} transfers, {} evictions",
                              format_bytes(moved.to_device), format_bytes(moved.from_device), format_bytes(moved.between_devices),
                              moved.network > Bytes(0) ? ", " + format_bytes(moved.network) + " over the network" : "",
                              moved.transfers, moved.evictions));
    line("decisions", fmt::format("{}, {:.0f} ns on average, {:.0f} ns at most", simulation.decisions.count,
                                  simulation.decisions.mean_ns, simulation.decisions.max_ns));
    if (simulation.unknown_tasks != 0) line("unknown", fmt::format("{} tasks that no model knows", simulation.unknown_tasks));
    if (record.verified) line("result", fmt::format("verified, residual {:.3g}", record.residual.value_or(0.0)));
    line("digest", fmt::format("{:016x}", simulation.schedule_digest));
    line("simulated", fmt::format("in {}, {:.4g} tasks per second", format_seconds(record.wall),
                                  static_cast<double>(record.tasks) / record.wall.value));
    return text;
  }

  WorkloadChoice workload_;
  SimulationOptions simulation_;
  std::optional<std::string> scheduler_;
  bool strict_ = false;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> simulate_call() { return std::make_unique<Simulate>(); }

}  // namespace mitra::tool
