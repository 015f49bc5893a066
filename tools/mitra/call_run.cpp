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
#include "workloads/workload.hpp"

namespace mitra::tool {
namespace {

using workloads::WorkloadInfo;
using workloads::WorkloadResult;

/// The parameters of all workloads as options; which of them the chosen workload has is checked when it is known.
class ParameterOptions {
 public:
  ParameterOptions() {
    for (const WorkloadInfo& workload : workloads::workloads())
      for (const auto& parameter : workload.parameters) {
        if (parameter.name == "seed") continue;  // a common option
        const auto known = std::ranges::find(entries_, parameter.name, &Entry::name);
        Entry& entry = known != entries_.end() ? *known : entries_.emplace_back();
        entry.name = parameter.name;
        // Patterns of Task Bench share their text: once is enough.
        const std::string text = fmt::format("{} [{}]", parameter.summary, parameter.value);
        const auto same = std::ranges::find(entry.meanings, text, &Meaning::text);
        (same != entry.meanings.end() ? *same : entry.meanings.emplace_back(Meaning{text, {}}))
            .workloads.push_back(workload.name);
      }
  }

  std::vector<Option> options() {
    std::vector<Option> list;
    for (Entry& entry : entries_) {
      std::string help;
      for (const Meaning& meaning : entry.meanings) {
        const bool many = meaning.workloads.size() > 3;
        help += fmt::format("{}{} ({})", help.empty() ? "" : "; ", meaning.text,
                            many ? fmt::format("{}, ... {}", meaning.workloads.front(), meaning.workloads.back())
                                 : join(meaning.workloads));
      }
      list.push_back({"--" + entry.name, &entry.given, "VALUE", help,
                      "Parameters of workloads (`mitra workloads` lists them by workload)"});
    }
    return list;
  }

  workloads::GivenValues given() const {
    workloads::GivenValues values;
    for (const Entry& entry : entries_)
      if (entry.given) values[entry.name] = *entry.given;
    return values;
  }

 private:
  struct Meaning {
    std::string text;
    std::vector<std::string> workloads;
  };
  struct Entry {
    std::string name;
    std::vector<Meaning> meanings;
    std::optional<std::string> given;
  };
  std::vector<Entry> entries_;  // complete before options() gives addresses away
};

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
    std::vector<Option> list{{"WORKLOAD", &workload_, "WORKLOAD", "A name from `mitra workloads`"}};
    std::ranges::move(runtime_.options(), std::back_inserter(list));
    list.push_back({"--repeat", &repeat_, "N", "Runs, of which the one with the median makespan is reported [1]"});
    list.push_back({"--reference", &reference_, "",
                    "Measure what one core of this machine can do (dense workloads; without --json - always)"});
    list.push_back({"--strict", &strict_, "", "A result that could not be verified is a failure too"});
    list.push_back(Output::json_option(json_));
    std::ranges::move(parameters_.options(), std::back_inserter(list));
    return list;
  }

  Status execute() override {
    const auto called = std::chrono::steady_clock::now();
    const Output output(json_);
    if (workload_.empty()) throw ConfigError(detail::message("run: name a workload; known: ", join(workload_names())));
    if (repeat_ == 0) throw ConfigError("--repeat is at least 1");
    const WorkloadInfo& info = workloads::find_workload(workload_);
    Config config = runtime_.config();
    workloads::GivenValues given = parameters_.given();
    if (std::ranges::find(info.parameters, "seed", &workloads::ParameterInfo::name) != info.parameters.end())
      given["seed"] = std::to_string(config.seed);
    const workloads::Parameters parameters(info.name, info.parameters, given);

    Runtime rt(config);
    const bool wants_reference = info.one_core_rate != nullptr && (reference_ || output.has_text());
    // Before and after the run, and the better of both: the clock rate of a shared machine wanders.
    double reference = wants_reference ? info.one_core_rate(parameters) : 0.0;
    const std::vector<WorkloadResult> results = repeat(rt, info, parameters);
    if (wants_reference) reference = std::max(reference, info.one_core_rate(parameters));

    RunRecord record = describe(rt, info, parameters, results);
    if (wants_reference) record.reference_gflops = reference / 1e9;
    record.wall = Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - called).count());
    if (output.has_text()) output.text(report(rt, record, results));
    output.json(record.json());

    if (record.verified == false) {
      std::string remarks;
      for (const WorkloadResult& result : results)
        if (result.verified == false)
          remarks += (remarks.empty() ? "" : "; ") + fmt::format("{}", fmt::join(result.remarks, "; "));
      throw std::runtime_error(detail::message(workload_, ": the result is wrong (", remarks, ')'));
    }
    if (strict_ && !record.verified)
      throw std::runtime_error(workload_ + ": the result could not be verified (--strict)");
    return Status::done;
  }

 private:
  static std::vector<std::string> workload_names() {
    std::vector<std::string> names;
    for (const WorkloadInfo& workload : workloads::workloads()) names.push_back(workload.name);
    return names;
  }

  std::vector<WorkloadResult> repeat(Runtime& rt, const WorkloadInfo& info,
                                     const workloads::Parameters& parameters) const {
    std::vector<WorkloadResult> results;
    const double all =
        static_cast<double>(repeat_) * static_cast<double>(workloads::make_workload(info, parameters)->tasks());
    const Progress progress(info.name, [&rt, all] { return static_cast<double>(rt.statistics().executed) / all; });
    while (results.size() < repeat_) {
      const auto workload = workloads::make_workload(info, parameters);
      results.push_back(workloads::run(rt, *workload));
    }
    return results;
  }

  RunRecord describe(const Runtime& rt, const WorkloadInfo& info, const workloads::Parameters& parameters,
                     const std::vector<WorkloadResult>& results) const {
    std::vector<const WorkloadResult*> by_time;
    for (const WorkloadResult& result : results) by_time.push_back(&result);
    std::ranges::stable_sort(by_time, {}, [](const WorkloadResult* r) { return r->makespan; });
    const WorkloadResult& median = *by_time[(by_time.size() - 1) / 2];

    RunRecord record;
    record.workload = info.name;
    record.parameters = parameters.values();
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
    return text;
  }

  static std::string rate(const Runtime& rt, const RunRecord& record) {
    if (!record.reference_gflops) return fmt::format("{:.4g} GFLOP/s", record.gflops());
    const auto cores = std::min<std::uint64_t>(record.workers, static_cast<std::uint64_t>(rt.machine().processors));
    const double possible = static_cast<double>(cores) * *record.reference_gflops;
    return fmt::format("{:.4g} GFLOP/s, {:.1f} % of {} x {:.4g} GFLOP/s (GEMM on one core, measured in this run)",
                       record.gflops(), 100 * record.gflops() / possible, cores, *record.reference_gflops);
  }

  std::string workload_;
  RuntimeOptions runtime_;
  std::uint64_t repeat_ = 1;
  bool reference_ = false, strict_ = false;
  std::optional<std::string> json_;
  ParameterOptions parameters_;
};

}  // namespace

std::unique_ptr<Call> run_call() { return std::make_unique<Run>(); }

}  // namespace mitra::tool
