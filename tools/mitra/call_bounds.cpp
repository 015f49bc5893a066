// `mitra bounds WORKLOAD --machine M`: what no schedule can beat.
// Flow: command line -> [bounds] -> Runtime in virtual time -> lower bounds -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>

#include <mitra/error.hpp>
#include <mitra/lower_bounds.hpp>
#include <mitra/mitra.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "simulation_options.hpp"
#include "text.hpp"
#include "workload_choice.hpp"

namespace mitra::tool {
namespace {

class BoundsCall final : public Call {
 public:
  std::string name() const override { return "bounds"; }
  std::string summary() const override { return "lower bounds on the time and the energy of a workload on a machine"; }
  std::string examples() const override {
    return "  mitra bounds cholesky --n 7680 --tile 960 --machine mirage\n"
           "  mitra bounds graph.stg --machine identical --workers 4 --json -\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{workload_.argument()};
    std::ranges::move(simulation_.options(), std::back_inserter(list));
    list.push_back(Output::json_option(json_));
    std::ranges::move(workload_.options(), std::back_inserter(list));
    return list;
  }

  Status execute() override {
    const Output output(json_);
    Config config = simulation_.config();
    config.scheduler = "eager";  // nothing is scheduled: the graph is submitted, and its books are looked at
    workload_.resolve("bounds", config.seed);
    Runtime rt(config);
    rt.keep_graph();
    const auto workload = workload_.make();
    workload->generate(rt);
    rt.wait();
    rt.restart_simulation();
    workload->submit(rt);
    const SimulationReport report = *rt.simulation();
    const Bounds bounds = lower_bounds(report.bounds);
    rt.wait();
    if (output.has_text()) output.text(text(rt, report, bounds, workload->tasks(), workload->flops()));
    output.json(Json::object({{"workload", workload_.name()},
                              {"machine", rt.machine().name},
                              {"tasks", workload->tasks()},
                              {"critical_path_s", bounds.critical_path.value},
                              {"area_s", bounds.area.value},
                              {"mixed_s", bounds.mixed.value},
                              {"transfer_s", bounds.transfer > Seconds(0.0) ? Json(bounds.transfer.value) : Json()},
                              {"iterated_s", bounds.iterated > Seconds(0.0) ? Json(bounds.iterated.value) : Json()},
                              {"paths", bounds.paths},
                              {"best_s", bounds.best.value},
                              {"gflops_at_most", workload->flops() / bounds.best.value / 1e9},
                              {"energy_j", bounds.energy > Joules(0.0) ? Json(bounds.energy.value) : Json()}}));
    return Status::done;
  }

 private:
  std::string text(const Runtime& rt, const SimulationReport&, const Bounds& bounds, std::uint64_t tasks, double flops) const {
    std::string text = fmt::format("{}, {} tasks, {} workers of {}\n\n", workload_.name(), tasks, rt.machine().workers.size(),
                                   rt.machine().name);
    const auto line = [&](const char* what, Seconds time, const char* meaning) {
      if (time <= Seconds(0.0)) return;
      text += fmt::format("  {:<14} {:>10}  {:>10}  {}\n", what, format_seconds(time),
                          flops > 0 ? fmt::format("{:.1f}", flops / time.value / 1e9) : "", meaning);
    };
    if (flops > 0) text += fmt::format("  {:<14} {:>10}  {:>10}\n", "", "at least", "GFLOP/s");
    line("critical path", bounds.critical_path, "the longest path, each task where it is fastest");
    line("area", bounds.area, "all work spread over all workers");
    line("mixed", bounds.mixed, "area, and the critical path pays for where its tasks run");
    line("transfer", bounds.transfer, "area, and the bytes that must enter memories");
    line("iterated", bounds.iterated, fmt::format("mixed, with {} paths", bounds.paths).c_str());
    line("best", bounds.best, "the largest of them");
    if (bounds.energy > Joules(0.0)) text += fmt::format("  {:<14} {:>8.4g} J\n", "energy", bounds.energy.value);
    return text;
  }

  WorkloadChoice workload_;
  SimulationOptions simulation_;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> bounds_call() { return std::make_unique<BoundsCall>(); }

}  // namespace mitra::tool
