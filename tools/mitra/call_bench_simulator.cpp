// `mitra bench simulator`: how fast runs in virtual time are, and the memory that they take.
// Flow: command line -> [bench simulator] -> Runtime; times -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <ctime>

#include <mitra/mitra.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "resident_memory.hpp"
#include "simulate.hpp"
#include "simulation_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

class BenchSimulator final : public Call {
 public:
  std::string name() const override { return "bench simulator"; }
  std::string summary() const override { return "tasks a second that are simulated, and bytes a task"; }
  std::string examples() const override {
    return "  mitra bench simulator\n"
           "  mitra bench simulator --tiles 100,200 --schedulers locality_ws --repeat 5 --json -\n";
  }
  std::vector<Option> options() override {
    return {{"--tiles", &tiles_, "LIST", "Rows of tiles of the Cholesky factorisation [20,50,100]"},
            {"--schedulers", &schedulers_, "LIST", "Policies of `mitra schedulers`; all [locality_ws,dmdas,mitra]"},
            {"--machine", &machine_, "NAME", "A name of `mitra machine --list`, or a machine file [alice-recoque-unified]"},
            {"--repeat", &repeat_, "N", "Repetitions, interleaved; medians and quartiles are reported [3]"},
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    if (repeat_ == 0) throw ConfigError("--repeat is at least 1");
    SimulatedCholesky::check("--tiles", tiles_);
    Config config = SimulationOptions{}.config();
    config.machine = machine_;
    std::vector<Row> rows;
    for (const std::uint64_t tiles : tiles_)
      for (const std::string& scheduler : chosen_schedulers(schedulers_)) rows.push_back({.cholesky = {.tiles = tiles}, .scheduler = scheduler});
    Row{.cholesky = {.tiles = 10}, .scheduler = rows.front().scheduler}.run(config);  // code and tables come into memory

    std::atomic<std::size_t> done{0};
    const double all = static_cast<double>(repeat_ * rows.size());
    {
      const Progress progress("bench simulator", [&] { return static_cast<double>(done) / all; });
      for (std::uint64_t round = 0; round < repeat_; ++round)
        for (Row& row : rows) row.run(config), ++done;
    }
    report(output, rows);
    return Status::done;
  }

 private:
  struct Row {
    SimulatedCholesky cholesky;
    std::string scheduler;
    std::vector<double> rates{}, processor_rates{}, bytes{};  // tasks/s of wall time, of processor time; bytes a task
    double record_bytes = 0.0;                                // a task
    std::size_t workers = 0;

    void run(Config config) {
      config.scheduler = scheduler;
      const ResidentGrowth growth;
      Runtime rt(config);
      const double tasks = static_cast<double>(cholesky.tasks());
      const std::clock_t processor = std::clock();
      const auto wall = std::chrono::steady_clock::now();
      cholesky.run(rt);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - wall;
      rates.push_back(tasks / taken.count());
      processor_rates.push_back(tasks * CLOCKS_PER_SEC / static_cast<double>(std::max<std::clock_t>(1, std::clock() - processor)));
      if (const auto peak = growth.peak()) bytes.push_back(static_cast<double>(peak->value) / tasks);
      record_bytes = static_cast<double>(rt.statistics().record_bytes) / tasks;
      workers = rt.machine().workers.size();
    }
  };

  void report(const Output& output, const std::vector<Row>& rows) const {
    Table table({"scheduler", "tiles", "tasks", "tasks/s", "of processor time", "bytes a task", "of records"});
    Json list = Json::array();
    for (const Row& row : rows) {
      const Quartiles rate = Quartiles::of(row.rates), processor = Quartiles::of(row.processor_rates);
      const double bytes = row.bytes.empty() ? 0.0 : Quartiles::of(row.bytes).median;
      table.row({row.scheduler, fmt::format("{}", row.cholesky.tiles), fmt::format("{}", row.cholesky.tasks()),
                 fmt::format("{:.0f}", rate.median), fmt::format("{:.0f}", processor.median),
                 row.bytes.empty() ? "-" : fmt::format("{:.0f}", bytes), fmt::format("{:.0f}", row.record_bytes)});
      list.push(Json::object({{"runtime", "mitra"},
                              {"pattern", "cholesky"},
                              {"machine", machine_},
                              {"scheduler", row.scheduler},
                              {"workers", row.workers},
                              {"tiles", row.cholesky.tiles},
                              {"tasks", row.cholesky.tasks()},
                              {"tasks_per_s", rate.json()},
                              {"tasks_per_cpu_s", processor.json()},
                              {"bytes_per_task", row.bytes.empty() ? Json() : Json(bytes)},
                              {"record_bytes_per_task", row.record_bytes}}));
    }
    output.text(fmt::format("Cholesky on {}, from the first submission to the last completion.\n\n{}\n"
                            "Bytes a task: growth of the resident memory, at its peak, with all tasks submitted before any ends;\n"
                            "-: the system does not tell. Medians of {} interleaved runs.\n",
                            machine_, table.text(), repeat_));
    output.json(Json::object({{"rows", list}}));
  }

  std::vector<std::uint64_t> tiles_{20, 50, 100};
  std::vector<std::string> schedulers_{"locality_ws", "dmdas", "mitra"};
  std::string machine_ = "alice-recoque-unified";
  std::uint64_t repeat_ = 3;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> bench_simulator_call() { return std::make_unique<BenchSimulator>(); }

}  // namespace mitra::tool
