// `mitra bench decision`: what the decisions of a policy cost, by the number of workers.
// Flow: command line -> [bench decision] -> Runtime -> timed policy; times -> output. Thread-safety: main thread.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "quartiles.hpp"
#include "runtime_options.hpp"
#include "simulate.hpp"
#include "simulation_options.hpp"
#include "text.hpp"
#include "timed_policy.hpp"

namespace mitra::tool {
namespace {

constexpr const char* kMachine = "alice-recoque-unified";

/// A directory for machine files, as long as the object.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code none;
    std::string path = (std::filesystem::temp_directory_path(none) / "mitra-decision-XXXXXX").string();
    if (none || mkdtemp(path.data()) == nullptr)
      throw std::runtime_error("no directory for machine files can be made; TMPDIR is to name a directory that can be written");
    path_ = path;
  }
  ~ScratchDirectory() {
    std::error_code ignored;  // what cannot be removed stays in the system's directory for such files
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The unified node with so many workers: each GPU keeps a core busy, so that cores are counted as workers are.
std::string machine_file(const ScratchDirectory& directory, std::uint64_t workers) {
  const unsigned gpus = workers < 16 ? 2 : 4;
  const std::filesystem::path path = directory.path() / fmt::format("{}.toml", workers);
  std::ofstream file(path);
  file << fmt::format(
      "name = \"{0}\"\nextends = \"{0}\"\n[memory.hbm]\ncount = {1}\n[class.cpu]\ncount = {2}\nl3_domains = {3}\n"
      "[class.gpu]\ncount = {1}\n",
      kMachine, gpus, workers, (workers + 31) / 32);
  if (!file.flush()) throw std::runtime_error(fmt::format("cannot write {}", path.string()));
  return path.string();
}

class BenchDecision final : public Call {
 public:
  std::string name() const override { return "bench decision"; }
  std::string summary() const override { return "nanoseconds that a policy spends on a task, by the number of workers"; }
  std::string examples() const override {
    return "  mitra bench decision\n"
           "  mitra bench decision --schedulers dmdas,heft --workers 4,260 --tiles 30 --json -\n";
  }
  std::vector<Option> options() override {
    return {{"--schedulers", &schedulers_, "LIST", "Policies of `mitra schedulers`, with parameters if need be; all [all]"},
            {"--workers", &workers_, "LIST", "Workers in all, 4 GPUs among them, 2 below 16 [4,16,64,260,1024]"},
            {"--tiles", &tiles_, "N", "Rows of tiles of the Cholesky factorisation [60]"},
            {"--repeat", &repeat_, "N", "Repetitions, interleaved; medians and quartiles are reported [3]"},
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    if (repeat_ == 0) throw ConfigError("--repeat is at least 1");
    SimulatedCholesky::check("--tiles", {tiles_});
    for (const std::uint64_t count : workers_)
      if (checked_workers(count) < 3) throw ConfigError(detail::message("--workers is a number of at least 3 here, not ", count));
    const ScratchDirectory directory;
    std::vector<Row> rows;
    for (const std::string& scheduler : chosen_schedulers(schedulers_))
      for (const std::uint64_t count : workers_) {
        Row row{scheduler, count, SimulationOptions{}.config()};
        row.config.machine = machine_file(directory, count);
        rows.push_back(std::move(row));
      }

    const SimulatedCholesky cholesky{.tiles = tiles_};
    std::vector<double> clock_costs;
    std::atomic<std::size_t> done{0};
    const double all = static_cast<double>(repeat_ * rows.size());
    {
      const Progress progress("bench decision", [&] { return static_cast<double>(done) / all; });
      for (std::uint64_t round = 0; round < repeat_; ++round)
        for (Row& row : rows) {
          clock_costs.push_back(clock_cost());  // right before: what reading it takes now
          row.run(cholesky, clock_costs.back());
          ++done;
        }
    }
    report(output, rows, cholesky, Quartiles::of(clock_costs).median);
    return Status::done;
  }

 private:
  struct Row {
    std::string scheduler;
    std::uint64_t workers;
    Config config;
    std::vector<double> by_task{}, by_call{}, longest{};  // ns; a round each
    PolicyTimes times{};                                  // of the last round: counts are the same in all

    void run(const SimulatedCholesky& cholesky, double clock) {
      times = {};
      config.policy = [this] { return std::make_unique<TimedPolicy>(make_scheduler(scheduler), times); };
      {
        Runtime rt(config);
        cholesky.run(rt);
      }
      double ns = 0.0, calls = 0.0, most = 0.0;
      for (const CallTimes* kind : {&times.submitted, &times.ready, &times.next, &times.finished, &times.victim}) {
        calls += static_cast<double>(kind->calls);
        ns += corrected(*kind, clock);
        most = std::max(most, static_cast<double>(kind->longest_ns) - clock);
      }
      by_task.push_back(ns / static_cast<double>(cholesky.tasks()));
      by_call.push_back(ns / calls);
      longest.push_back(most);
    }
    static double corrected(const CallTimes& kind, double clock) {
      return std::max(0.0, static_cast<double>(kind.ns) - static_cast<double>(kind.calls) * clock);
    }
    Json calls(double tasks, double clock) const {
      Json object = Json::object({});
      const std::pair<const char*, const CallTimes*> kinds[] = {{"submitted", &times.submitted}, {"ready", &times.ready},
                                                                {"next", &times.next}, {"finished", &times.finished},
                                                                {"victim", &times.victim}};
      for (const auto& [name, kind] : kinds)
        object.set(name, Json::object({{"calls_per_task", static_cast<double>(kind->calls) / tasks},
                                       {"ns_per_task", corrected(*kind, clock) / tasks}}));
      return object;
    }
  };

  /// From the least to the most workers: how many times as long a decision takes, and the ratio of their logarithms.
  struct Growth {
    std::string scheduler;
    std::uint64_t from, to;
    double ratio, logarithmic;
    bool is_logarithmic() const { return ratio <= logarithmic; }
  };
  static std::vector<Growth> growth_of(const std::vector<Row>& rows) {
    std::vector<Growth> found;
    for (auto first = rows.begin(); first != rows.end();) {
      const auto last = std::find_if(first, rows.end(), [&](const Row& row) { return row.scheduler != first->scheduler; });
      const auto [least, most] = std::minmax_element(first, last, [](const Row& a, const Row& b) { return a.workers < b.workers; });
      const double from = Quartiles::of(least->by_task).median, to = Quartiles::of(most->by_task).median;
      if (least->workers < most->workers && from > 0.0)
        found.push_back({first->scheduler, least->workers, most->workers, to / from,
                         std::log2(static_cast<double>(most->workers)) / std::log2(static_cast<double>(least->workers))});
      first = last;
    }
    return found;
  }

  void report(const Output& output, const std::vector<Row>& rows, const SimulatedCholesky& cholesky, double clock) const {
    Table table({"scheduler", "workers", "ns a task", "p25", "p75", "ns a call", "calls a task", "longest, us"});
    Json list = Json::array();
    const double tasks = static_cast<double>(cholesky.tasks());
    for (const Row& row : rows) {
      const Quartiles by_task = Quartiles::of(row.by_task), by_call = Quartiles::of(row.by_call), longest = Quartiles::of(row.longest);
      table.row({row.scheduler, fmt::format("{}", row.workers), fmt::format("{:.0f}", by_task.median),
                 fmt::format("{:.0f}", by_task.p25), fmt::format("{:.0f}", by_task.p75), fmt::format("{:.0f}", by_call.median),
                 fmt::format("{:.2f}", by_task.median / by_call.median), fmt::format("{:.1f}", longest.median / 1e3)});
      list.push(Json::object({{"runtime", "mitra"},
                              {"pattern", "cholesky"},
                              {"machine", kMachine},
                              {"scheduler", row.scheduler},
                              {"workers", row.workers},
                              {"tiles", cholesky.tiles},
                              {"tasks", cholesky.tasks()},
                              {"ns_per_task", by_task.json()},
                              {"ns_per_call", by_call.json()},
                              {"longest_ns", longest.json()},
                              {"clock_ns", clock},
                              {"calls", row.calls(tasks, clock)}}));
    }
    std::string text = fmt::format("Cholesky of {} tasks on {} with so many workers, in virtual time.\n\n{}\n", cholesky.tasks(),
                                   kMachine, table.text());
    Json grown = Json::array();
    for (const Growth& growth : growth_of(rows)) {
      text += fmt::format("{}: {:.2f} times as long with {} workers as with {}, {} logarithmic ({:.2f})\n", growth.scheduler,
                          growth.ratio, growth.to, growth.from, growth.is_logarithmic() ? "at most" : "more than", growth.logarithmic);
      grown.push(Json::object({{"scheduler", growth.scheduler},
                               {"from_workers", growth.from},
                               {"to_workers", growth.to},
                               {"ratio", growth.ratio},
                               {"log2_ratio", growth.logarithmic},
                               {"at_most_logarithmic", growth.is_logarithmic()}}));
    }
    output.text(fmt::format("{}\nEvery call of the policy counts: submitted, ready, next, finished, victim. Reading the clock takes {:.1f} ns,\n"
                            "and is subtracted; time that other processes took is left out. Medians of {} interleaved runs.\n",
                            text, clock, repeat_));
    output.json(Json::object({{"rows", list}, {"growth", grown}}));
  }

  std::vector<std::string> schedulers_;
  std::vector<std::uint64_t> workers_{4, 16, 64, 260, 1024};
  std::uint64_t tiles_ = 60, repeat_ = 3;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> bench_decision_call() { return std::make_unique<BenchDecision>(); }

}  // namespace mitra::tool
