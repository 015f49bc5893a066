// `mitra compare WORKLOAD --schedulers a,b`: one row a scheduler, simulated on a machine file or live on this machine.
// Flow: command line -> [compare] -> simulate -> output. Thread-safety: main thread; simulated runs go in parallel.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <mitra/error.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "runtime_options.hpp"
#include "simulate.hpp"
#include "simulation_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

/// A run of the table: a record, or why there is none.
struct Row {
  Config config;
  std::optional<RunRecord> record;
  std::string failure;
};

class Compare final : public Call {
 public:
  std::string name() const override { return "compare"; }
  std::string summary() const override { return "one row a scheduler: makespan, gap to the lower bound, energy, bytes moved"; }
  std::string examples() const override {
    return "  mitra compare cholesky --n 40000 --tile 1000 --machine alice-recoque-unified\n"
           "  mitra compare graph.stg --machine identical --workers 8 --schedulers heft,eager\n"
           "  mitra compare cholesky --n 4096 --tile 256 --schedulers locality_ws,priority --repeat 5\n"
           "  mitra compare cholesky --n 4096 --tile 512 --emu 4 --schedulers dmdas,heteroprio,darts\n";
  }
  std::vector<Option> options() override {
    std::vector<Option> list{
        workload_.argument(),
        {"--schedulers", &schedulers_, "LIST", "Policies of `mitra schedulers`, with parameters if need be; all [all]"},
        {"--repeat", &repeat_, "N", "Runs of each; simulated ones take seeds one after another [1]"},
        {"--jobs", &jobs_, "N", "Simulations at the same time; 0: one a processor [0]"}};
    std::ranges::move(simulation_.options(), std::back_inserter(list));
    std::ranges::move(live_.memory_options(), std::back_inserter(list));
    list.push_back(Output::json_option(json_));
    std::ranges::move(workload_.options(), std::back_inserter(list));
    return list;
  }

  Status execute() override {
    const Output output(json_);
    if (repeat_ == 0) throw ConfigError("--repeat is at least 1");
    Config config = simulation_.config();
    const bool simulated = !config.machine.empty();
    if (const std::string given = live_.given_memory_options(); simulated && !given.empty())
      throw ConfigError(given + " belongs to this machine: a machine file has its own devices; leave --machine out to compare here");
    if (!simulated) {
      config.backend = "native";
      live_.apply(config);
    }
    workload_.resolve("compare", config.seed);
    std::vector<Row> rows;
    for (const std::string& scheduler : chosen_schedulers(schedulers_))
      for (std::uint64_t i = 0; i < repeat_; ++i) {
        Row row;
        row.config = config;
        row.config.scheduler = scheduler;
        if (simulated) row.config.seed += i;
        rows.push_back(std::move(row));
      }
    run_all(rows, simulated);
    if (output.has_text()) output.text(table(rows, simulated));
    Json list = Json::array();
    for (const Row& row : rows)
      if (row.record)
        list.push(row.record->json());
      else
        list.push(Json::object({{"scheduler", row.config.scheduler}, {"error", row.failure}}));
    output.json(Json::object({{"rows", list}}));
    const auto failed = std::ranges::count_if(rows, [](const Row& row) { return !row.record || row.record->verified == false; });
    if (failed != 0) throw std::runtime_error(fmt::format("{} of {} runs failed", failed, rows.size()));
    return Status::done;
  }

 private:
  void run_all(std::vector<Row>& rows, bool simulated) const {
    std::atomic<std::size_t> next{0}, done{0};
    const Progress progress("compare", [&] { return static_cast<double>(done) / static_cast<double>(rows.size()); });
    std::optional<Bounds> bounds;  // of the first run: they are the workload's, not the scheduler's
    std::mutex bounds_mutex;
    const auto work = [&] {
      for (std::size_t i = next++; i < rows.size(); i = next++, ++done) try {
          std::optional<Bounds> known;
          {
            const std::lock_guard lock(bounds_mutex);
            known = bounds;
          }
          rows[i].record = run_once(workload_, rows[i].config, known);
          const std::lock_guard lock(bounds_mutex);
          if (!bounds) bounds = rows[i].record->bounds;
        } catch (const std::exception& error) {
          rows[i].failure = error.what();
        }
    };
    std::size_t jobs = jobs_ != 0 ? jobs_ : std::max(1U, std::thread::hardware_concurrency());
    if (!simulated) jobs = 1;  // live runs would take the processors from each other
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < std::min(jobs, rows.size()); ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
  }

  std::string table(const std::vector<Row>& rows, bool simulated) const {
    std::vector<std::string> headers{"scheduler", "makespan", "GFLOP/s"};
    const bool moves = simulated || std::ranges::any_of(rows, [](const Row& row) { return row.record && row.record->memory; });
    if (simulated) headers.insert(headers.end(), {"gap, %", "energy, J", "EDP, J s"});
    if (moves) headers.insert(headers.end(), {"moved", "evictions"});
    if (simulated) headers.push_back("decision, ns");
    Table table(headers);
    const auto best = [&](const std::function<std::optional<double>(const RunRecord&)>& value) {
      std::optional<double> least;
      for (const Row& row : rows)
        if (row.record)
          if (const auto v = value(*row.record); v && (!least || *v < *least)) least = v;
      return least;
    };
    const auto makespan = [](const RunRecord& r) -> std::optional<double> { return r.makespan.value; };
    const auto energy = [](const RunRecord& r) -> std::optional<double> {
      return r.knows_energy() ? std::optional(r.simulation->energy.total.value) : std::nullopt;
    };
    const auto edp = [&](const RunRecord& r) -> std::optional<double> {
      return r.knows_energy() ? std::optional(r.simulation->energy.total.value * r.makespan.value) : std::nullopt;
    };
    const auto memory = [](const RunRecord& r) { return r.simulation ? std::optional(r.simulation->memory) : r.memory; };
    const auto moved = [&](const RunRecord& r) -> std::optional<double> {
      const auto known = memory(r);
      if (!known) return std::nullopt;
      const SimulationReport::Memory& m = *known;
      return static_cast<double>(m.to_device.value + m.from_device.value + m.between_devices.value + m.network.value);
    };
    const auto least_time = best(makespan), least_energy = best(energy), least_edp = best(edp), least_moved = best(moved);
    const auto marked = [](std::string text, std::optional<double> value, std::optional<double> least) {
      return text + (value && least && *value <= *least ? " *" : "  ");
    };
    std::string failures;
    for (const Row& row : rows) {
      if (!row.record) {
        failures += fmt::format("{}: {}\n", row.config.scheduler, row.failure);
        continue;
      }
      const RunRecord& r = *row.record;
      std::vector<std::string> cells{r.scheduler, marked(format_seconds(r.makespan), makespan(r), least_time),
                                     r.flops > 0 ? fmt::format("{:.1f}", r.gflops()) : "-"};
      if (simulated) {
        cells.push_back(r.gap() ? fmt::format("{:.2f}", 100.0 * *r.gap()) : "-");
        cells.push_back(energy(r) ? marked(fmt::format("{:.4g}", *energy(r)), energy(r), least_energy) : "-");
        cells.push_back(edp(r) ? marked(fmt::format("{:.4g}", *edp(r)), edp(r), least_edp) : "-");
      }
      if (moves) {
        cells.push_back(moved(r) ? marked(format_bytes(Bytes(static_cast<std::uint64_t>(*moved(r)))), moved(r), least_moved) : "-");
        cells.push_back(moved(r) ? std::to_string(memory(r)->evictions) : "-");
      }
      if (simulated) cells.push_back(fmt::format("{:.0f}", r.simulation->decisions.mean_ns));
      table.row(std::move(cells));
    }
    std::string text;
    for (const Row& row : rows) {
      if (!row.record) continue;
      text = fmt::format("{}, {} tasks, {} workers of {}", row.record->workload, row.record->tasks, row.record->workers,
                         row.record->machine);
      if (row.record->bounds) text += fmt::format("; lower bound {}", format_seconds(row.record->bounds->best));
      break;
    }
    return fmt::format("{}\n\n{}\n* the best of its column\n{}", text, table.text(), failures);
  }

  WorkloadChoice workload_;
  SimulationOptions simulation_;
  RuntimeOptions live_;  // without a machine
  std::vector<std::string> schedulers_;
  std::uint64_t repeat_ = 1, jobs_ = 0;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> compare_call() { return std::make_unique<Compare>(); }

}  // namespace mitra::tool
