// `mitra run WORKLOAD`: computes on this machine, verifies the numbers, reports.
// Flow: command line -> [run] -> workload -> Runtime; results -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <mitra/mitra.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "run_record.hpp"
#include "runtime_options.hpp"
#include "text.hpp"
#include "workload_choice.hpp"
#include "workloads/workload.hpp"

namespace mitra::tool {
namespace {

using workloads::WorkloadResult;

class Run final : public Call {
 public:
  std::string name() const override { return "run"; }
  std::string summary() const override { return "compute on this machine, verify the numbers, report"; }
  std::string examples() const override {
    return "  mitra run cholesky --n 4096 --tile 256\n"
           "  mitra run cholesky --n 8192 --tile 512 --scheduler priority --json -\n"
           "  mitra run stencil_1d --width 64 --steps 1000 --kernel busy --grain 1e-5 --workers 2\n"
           "  mitra run gemm --precision float --repeat 5\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{workload_.argument()};
    std::ranges::move(runtime_.options(), std::back_inserter(list));
    list.push_back({"--repeat", &repeat_, "N", "Runs, of which the one with the median makespan is reported [1]"});
    list.push_back({"--reference", &reference_, "",
                    "Measure what one core of this machine can do (dense workloads; without --json - always)"});
    list.push_back({"--strict", &strict_, "", "A result that could not be verified is a failure too"});
    list.push_back(Output::json_option(json_));
    std::ranges::move(workload_.options(), std::back_inserter(list));
    return list;
  }

  Status execute() override {
    const auto called = std::chrono::steady_clock::now();
    const Output output(json_);
    if (repeat_ == 0) throw ConfigError("--repeat is at least 1");
    const Config config = runtime_.config();
    workload_.resolve("run", config.seed);

    Runtime rt(config);
    const bool wants_reference = workload_.has_one_core_rate() && (reference_ || output.has_text());
    // Before and after the run, and the better of both: the clock rate of a shared machine wanders.
    double reference = wants_reference ? *workload_.one_core_rate() : 0.0;
    const std::vector<WorkloadResult> results = repeat(rt);
    if (wants_reference) reference = std::max(reference, *workload_.one_core_rate());

    RunRecord record = describe(rt, results);
    if (wants_reference) record.reference_gflops = reference / 1e9;
    record.wall = Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - called).count());
    if (output.has_text()) output.text(report(rt, record, results));
    output.json(record.json());

    if (record.verified == false) {
      std::string remarks;
      for (const WorkloadResult& result : results)
        if (result.verified == false)
          remarks += (remarks.empty() ? "" : "; ") + fmt::format("{}", fmt::join(result.remarks, "; "));
      throw std::runtime_error(detail::message(workload_.name(), ": the result is wrong (", remarks, ')'));
    }
    if (strict_ && !record.verified)
      throw std::runtime_error(workload_.name() + ": the result could not be verified (--strict)");
    return Status::done;
  }

 private:
  std::vector<WorkloadResult> repeat(Runtime& rt) const {
    std::vector<WorkloadResult> results;
    const double all = static_cast<double>(repeat_) * static_cast<double>(workload_.make()->tasks());
    const Progress progress(workload_.name(), [&rt, all] { return static_cast<double>(rt.statistics().executed) / all; });
    while (results.size() < repeat_) {
      const auto workload = workload_.make();
      results.push_back(workloads::run(rt, *workload));
    }
    return results;
  }

  RunRecord describe(const Runtime& rt, const std::vector<WorkloadResult>& results) const {
    std::vector<const WorkloadResult*> by_time;
    for (const WorkloadResult& result : results) by_time.push_back(&result);
    std::ranges::stable_sort(by_time, {}, [](const WorkloadResult* r) { return r->makespan; });
    const WorkloadResult& median = *by_time[(by_time.size() - 1) / 2];

    RunRecord record;
    record.workload = workload_.name();
    record.parameters = workload_.parameters();
    record.backend = rt.config().backend;
    record.scheduler = rt.config().scheduler;
    record.machine = rt.machine().name;
    record.seed = rt.config().seed;
    record.workers = rt.machine().workers.size();
    record.tasks = median.tasks;
    record.flops = median.flops;
    record.makespan = median.makespan;
    record.submit = median.submit;
    record.residual = median.residual;
    // One wrong repetition makes the whole call wrong; all must be verified for it to be verified.
    record.verified = true;
    for (const WorkloadResult& result : results) {
      record.repetitions.push_back(result.makespan);
      if (result.verified == false)
        record.verified = false;
      else if (!result.verified && record.verified == true)
        record.verified.reset();
    }
    record.peak_rss = peak_rss();
    record.memory = median.memory;
    record.devices = devices_of(rt);
    for (const WorkerClass& c : rt.machine().classes) {
      std::uint64_t tasks = 0;
      for (const WorkerId worker : c.workers)
        if (worker.index() < median.executed_by_worker.size()) tasks += median.executed_by_worker[worker.index()];
      record.worker_classes.push_back({c.name, c.workers.size(), {}, tasks});
    }
    return record;
  }

  std::string report(const Runtime& rt, const RunRecord& record, const std::vector<WorkloadResult>& results) const {
    std::string text = record.workload;
    for (const auto& [name, value] : record.parameters) text += fmt::format("  {}={}", name, value);
    text += fmt::format("\nscheduler {}, {} workers, {}\n\n", record.scheduler, record.workers, record.machine);
    const auto line = [&](const char* what, const std::string& value) {
      text += fmt::format("  {:<12} {}\n", what, value);
    };
    line("makespan", format_seconds(record.makespan) + " (of which submission " + format_seconds(*record.submit) + ")");
    if (record.repetitions.size() > 1) {
      const auto [least, most] = std::ranges::minmax(record.repetitions);
      line("", fmt::format("the median of {} runs, {} to {}", record.repetitions.size(), format_seconds(least),
                           format_seconds(most)));
    }
    line("tasks", fmt::format("{}, {:.4g} per second", record.tasks, record.tasks_per_second()));
    if (record.flops > 0) line("rate", rate(rt, record));
    std::string verdict = !record.verified ? "not verified" : *record.verified ? "verified" : "WRONG";
    if (record.residual) verdict += fmt::format(", residual {:.3g}", *record.residual);
    line("result", verdict);
    for (const std::string& remark : results.front().remarks) line("", remark);
    line("memory", format_bytes(*record.peak_rss) + " at most");
    if (record.memory)
      line("moved", fmt::format("{} to devices, {} from them, {} between them, in {} transfers; {} evictions", format_bytes(record.memory->to_device),
                                format_bytes(record.memory->from_device), format_bytes(record.memory->between_devices),
                                record.memory->transfers, record.memory->evictions));
    if (record.memory && record.memory->between_domains != Bytes(0))
      line("domains", format_bytes(record.memory->between_domains) + " between the memories of NUMA domains");
    if (record.memory && record.memory->to_storage != Bytes(0))
      line("spilled", fmt::format("{} to the directory, {} from it", format_bytes(record.memory->to_storage), format_bytes(record.memory->from_storage)));
    if (record.devices && record.devices->lost != 0)
      line("lost", fmt::format("{} device{}; {} tasks were run again for what they had written there", record.devices->lost,
                               record.devices->lost == 1 ? "" : "s", record.devices->recomputed));
    return text;
  }

  static std::string rate(const Runtime& rt, const RunRecord& record) {
    if (!record.reference_gflops) return fmt::format("{:.4g} GFLOP/s", record.gflops());
    std::uint64_t of_workers = 0;
    for (const Worker& worker : rt.machine().workers) of_workers += worker.cores;
    const auto cores = std::min<std::uint64_t>(of_workers, static_cast<std::uint64_t>(rt.machine().processors));
    const double possible = static_cast<double>(cores) * *record.reference_gflops;
    return fmt::format("{:.4g} GFLOP/s, {:.1f} % of {} x {:.4g} GFLOP/s (GEMM on one core, measured in this run)",
                       record.gflops(), 100 * record.gflops() / possible, cores, *record.reference_gflops);
  }

  WorkloadChoice workload_;
  RuntimeOptions runtime_;
  std::uint64_t repeat_ = 1;
  bool reference_ = false, strict_ = false;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> run_call() { return std::make_unique<Run>(); }

}  // namespace mitra::tool
