// `mitra bench metg`: METG(50 %) of stencil_1d with Task Bench's compute-bound kernel.
// Flow: command line -> [bench metg] -> overhead graph -> Runtime; points -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "bench_options.hpp"
#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "text.hpp"
#include "workloads/metg.hpp"
#include "workloads/task_bench_kernel.hpp"

namespace mitra::tool {
namespace {

using workloads::MetgPoint;

class BenchMetg final : public Call {
 public:
  std::string name() const override { return "bench metg"; }
  std::string summary() const override { return "the smallest tasks with which stencil_1d reaches 50 % efficiency"; }
  std::string examples() const override {
    return "  mitra bench metg\n"
           "  mitra bench metg --width 2,8 --steps 1000 --workers 2 --json -\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{{"--width", &widths_, "LIST", "Columns of the graph [2,8]"},
                             {"--steps", &steps_, "N", "Rows of the graph [1000]"}};
    for (Option& option : bench_.options()) list.push_back(std::move(option));
    list.push_back(Output::json_option(json_));
    return list;
  }

  Status execute() override {
    const Output output(json_);
    for (const std::uint64_t width : widths_)
      if (width < 1 || width > 1'000'000)
        throw ConfigError(detail::message("--width is a number from 1 to 1000000, not ", width));
    if (steps_ < 1 || steps_ > 100'000'000) throw ConfigError("--steps is a number from 1 to 100000000");
    const auto runtimes = bench_.start();
    std::vector<std::unique_ptr<Row>> rows;
    for (const std::uint64_t width : widths_)
      for (const std::string& mode : bench_.modes)
        for (const auto& rt : runtimes) rows.push_back(std::make_unique<Row>(*rt, width, steps_, mode));

    std::vector<double> rates;
    std::atomic<std::size_t> done{0};
    {
      const Progress progress("bench metg",
                              [&] { return static_cast<double>(done) / static_cast<double>(bench_.repeat); });
      for (std::uint64_t round = 0; round < bench_.repeat; ++round) {
        for (const auto& row : rows) {
          // Right before each sweep: what one core can do now, not what it could do a minute ago.
          rates.push_back(workloads::compute_rate());
          row->sweep(rates.back());
        }
        ++done;
      }
    }
    report(output, rows, Quartiles::of(rates).median);
    return Status::done;
  }

 private:
  // Task Bench halves the iterations from step to step. 8192 of them take about 0.1 ms: no runtime's overhead shows.
  static constexpr int kSizes = 14;

  struct Row {
    Row(Runtime& rt, std::uint64_t graph_width, std::uint64_t steps, const std::string& mode) : width(graph_width) {
      for (int i = kSizes - 1; i >= 0; --i) {
        workloads::OverheadSize size;
        size.width = width;
        size.steps = steps;
        size.iterations = std::uint64_t{1} << i;
        cases.push_back(std::make_unique<BenchCase>(rt, workloads::OverheadPattern::stencil_1d, size, mode));
        iterations.push_back(size.iterations);
      }
      granularities.resize(cases.size());
      efficiencies.resize(cases.size());
    }
    /// Runs every size once. @param rate  Of the kernel alone on one core, flop/s.
    void sweep(double rate) {
      for (std::size_t i = 0; i < cases.size(); ++i) {
        const double tasks = static_cast<double>(cases[i]->tasks()), workers = static_cast<double>(cases[i]->workers());
        const double time = cases[i]->run().value;
        granularities[i].push_back(time * workers / tasks);
        efficiencies[i].push_back(workloads::compute_flops(iterations[i]) * tasks / time / (rate * workers));
      }
    }
    std::vector<MetgPoint> points() const {
      std::vector<MetgPoint> list;
      for (std::size_t i = 0; i < cases.size(); ++i)
        list.push_back(
            {iterations[i], Seconds(Quartiles::of(granularities[i]).median), Quartiles::of(efficiencies[i]).median});
      return list;
    }

    std::uint64_t width;
    std::vector<std::unique_ptr<BenchCase>> cases;  // from coarse to fine
    std::vector<std::uint64_t> iterations;
    std::vector<std::vector<double>> granularities, efficiencies;  // by case, then by round
  };

  void report(const Output& output, const std::vector<std::unique_ptr<Row>>& rows, double rate) const {
    Table table({"pattern", "mode", "workers", "width", "METG(50 %), us"});
    Json list = Json::array();
    for (const auto& row : rows) {
      const std::vector<MetgPoint> points = row->points();
      const std::optional<Seconds> found = workloads::metg(points);
      const BenchCase& any = *row->cases.front();
      table.row({"stencil_1d", any.mode(), fmt::format("{}", any.workers()), fmt::format("{}", row->width),
                 found ? fmt::format("{:.3f}", found->value * 1e6) : "-"});
      Json measured = Json::array();
      for (const MetgPoint& point : points)
        measured.push(Json::object({{"iterations", point.iterations},
                                    {"granularity_s", point.granularity.value},
                                    {"efficiency", point.efficiency}}));
      list.push(Json::object({{"runtime", "mitra"},
                              {"pattern", "stencil_1d"},
                              {"mode", any.mode()},
                              {"workers", any.workers()},
                              {"width", row->width},
                              {"steps", steps_},
                              {"tasks", any.tasks()},
                              {"metg_s", found ? Json(found->value) : Json()},
                              {"kernel_flops_per_s", rate},
                              {"points", measured}}));
    }
    output.text(
        fmt::format("{}The kernel alone reaches {:.4g} GFLOP/s on one core. -: the efficiency does not cross 50 %, as\n"
                    "when there are more workers than cores. Medians of {} interleaved sweeps.\n",
                    table.text(), rate / 1e9, bench_.repeat));
    output.json(Json::object({{"rows", list}}));
  }

  std::vector<std::uint64_t> widths_{2, 8};
  std::uint64_t steps_ = 1000;
  BenchOptions bench_{5};
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> bench_metg_call() { return std::make_unique<BenchMetg>(); }

}  // namespace mitra::tool
