// `mitra bench overhead`: what a task costs, with bodies that do nothing.
// Flow: command line -> [bench overhead] -> overhead graph -> Runtime; medians -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <atomic>

#include "bench_options.hpp"
#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

class BenchOverhead final : public Call {
 public:
  std::string name() const override { return "bench overhead"; }
  std::string summary() const override { return "nanoseconds a task, on graphs with empty bodies"; }
  std::string examples() const override {
    return "  mitra bench overhead\n"
           "  mitra bench overhead --patterns chain,stencil_1d --workers 1,2,64 --json -\n"
           "  mitra bench overhead --patterns independent --tasks 10000000 --repeat 3 --modes submit\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{
        {"--patterns", &patterns_, "LIST",
         "Of " + join({workloads::kOverheadPatterns.begin(), workloads::kOverheadPatterns.end()}) + " [all]"},
        {"--tasks", &size_.tasks, "N", "Tasks of a graph, but for cholesky [100000]"},
        {"--width", &size_.width, "N", "Columns of stencil_1d [64]"},
        {"--tiles", &size_.tiles, "N", "Tiles in a row of cholesky: N (N + 1) (N + 2) / 6 tasks [60]"}};
    for (Option& option : bench_.options()) list.push_back(std::move(option));
    list.push_back(Output::json_option(json_));
    return list;
  }

  Status execute() override {
    const Output output(json_);
    check_sizes();
    struct Row {
      std::string pattern;
      BenchCase run;
      std::vector<double> ns_per_task;
    };
    const auto runtimes = bench_.start();
    std::vector<std::unique_ptr<Row>> rows;  // a case holds handles, and stays where it is
    for (const std::string& pattern : patterns_)
      for (const std::string& mode : bench_.modes)
        for (const auto& rt : runtimes)
          rows.emplace_back(new Row{pattern, BenchCase(*rt, workloads::overhead_pattern(pattern), size_, mode), {}});

    std::atomic<std::size_t> done{0};
    const double all = static_cast<double>((bench_.repeat + 1) * rows.size());
    {
      const Progress progress("bench overhead", [&] { return static_cast<double>(done) / all; });
      // Interleaved: a disturbance of the machine hits every row, not all repetitions of one. The first round warms up.
      for (std::uint64_t round = 0; round <= bench_.repeat; ++round)
        for (const auto& row : rows) {
          const Seconds time = row->run.run();
          if (round > 0) row->ns_per_task.push_back(time.value * 1e9 / static_cast<double>(row->run.tasks()));
          ++done;
        }
    }

    Table table({"pattern", "mode", "workers", "tasks", "ns/task", "p25", "p75"});
    Json list = Json::array();
    for (const auto& row : rows) {
      const Quartiles found = Quartiles::of(row->ns_per_task);
      const auto number = [](double value) { return fmt::format("{:.1f}", value); };
      table.row({row->pattern, row->run.mode(), fmt::format("{}", row->run.workers()),
                 fmt::format("{}", row->run.tasks()), number(found.median), number(found.p25), number(found.p75)});
      list.push(Json::object({{"runtime", "mitra"},
                              {"pattern", row->pattern},
                              {"mode", row->run.mode()},
                              {"workers", row->run.workers()},
                              {"tasks", row->run.tasks()},
                              {"ns_per_task", found.json()}}));
    }
    output.text(fmt::format(
        "{}Medians and quartiles of {} interleaved runs, from the first submission to the last completion.\n",
        table.text(), bench_.repeat));
    output.json(Json::object({{"rows", list}}));
    return Status::done;
  }

 private:
  void check_sizes() const {
    const auto check = [](const char* option, std::uint64_t value, std::uint64_t most) {
      if (value < 1 || value > most)
        throw ConfigError(detail::message(option, " is a number from 1 to ", most, ", not ", value));
    };
    check("--tasks", size_.tasks, 1'000'000'000);
    check("--width", size_.width, 1'000'000);
    check("--tiles", size_.tiles, 1000);
    for (const std::string& pattern : patterns_) workloads::overhead_pattern(pattern);
  }

  std::vector<std::string> patterns_{workloads::kOverheadPatterns.begin(), workloads::kOverheadPatterns.end()};
  workloads::OverheadSize size_;
  BenchOptions bench_{11};
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> bench_overhead_call() { return std::make_unique<BenchOverhead>(); }

}  // namespace mitra::tool
