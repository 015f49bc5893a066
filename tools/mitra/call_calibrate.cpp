// `mitra calibrate`: measures kernels, overheads and memory here, stores the models, writes a machine file.
// Flow: command line -> [calibrate] -> calibration -> model store, machine file, output. Thread-safety: main thread.

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <mitra/machine_file.hpp>
#include <mitra/mitra.hpp>
#include <mitra/model_store.hpp>

#include "calibration.hpp"
#include "calls.hpp"
#include "models_file.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "runtime_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

class Calibrate final : public Call {
 public:
  std::string name() const override { return "calibrate"; }
  std::string summary() const override { return "measure kernels, overheads and memory here, and store the models"; }
  std::string examples() const override {
    return "  mitra calibrate\n"
           "  mitra calibrate --quick --save here.toml\n"
           "  mitra calibrate --codelets potrf,gemm --models mine.toml\n";
  }
  std::vector<Option> options() override {
    return {{"--codelets", &codelets_, "LIST", "Of " + join(Calibration::known_codelets()) + " [all]"},
            {"--quick", &quick_, "", "Smaller sizes: less than 10 s instead of less than a minute"},
            {"--workers", &runtime_.workers, "N", "Threads in all; 0: one for each processor [MITRA_WORKERS]"},
            models_.option(),
            {"--save", &save_, "FILE", "Where to write the machine file [machine-HOST.toml beside the models]"},
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    Config config = runtime_.config();
    config.emu.clear();  // it stretches time, by a factor that is known: `mitra machine --emu N --save` takes it into account
    config.teams.clear();  // no workload has a moldable codelet: what is measured is single cores, whoever they work with
    const std::string host = host_name(), models = models_.path(config.models, host);
    const std::string machine =
        save_.value_or((std::filesystem::path(models).parent_path() / ("machine-" + host + ".toml")).string());
    // Better before the work than after it: merging nothing finds a file that is broken or cannot be written.
    merge_models(models, {host, {}});

    const Seconds start = now();
    Calibration calibration({config, codelets_, quick_});
    {
      const Progress progress("calibrate", [&] { return calibration.done(); });
      calibration.run();
    }
    const std::vector<TimingRecord> records = calibration.records();
    merge_models(models, {host, records});
    // A machine file of some of the codelets would lack the others.
    const bool has_machine = codelets_.empty() || save_;
    if (has_machine) write(machine, write_machine_file(calibration.machine()));
    const Seconds wall = now() - start;

    std::uint64_t count = 0;
    for (const TimingRecord& record : records) count += record.count;
    if (output.has_text()) output.text(report(calibration, records.size(), count, models, has_machine ? machine : "", wall));
    Json remarks = Json::array();
    for (const std::string& remark : calibration.remarks()) remarks.push(remark);
    output.json(Json::object({{"machine", host},
                              {"models_file", models},
                              {"machine_file", has_machine ? Json(machine) : Json()},
                              {"kinds", records.size()},
                              {"measurements", count},
                              {"submission_overhead_s", calibration.submission_overhead.value},
                              {"task_overhead_s", calibration.task_overhead.value},
                              {"bandwidth_one_bytes_per_s", calibration.bandwidth_one},
                              {"bandwidth_all_bytes_per_s", calibration.bandwidth_all},
                              {"gemm_fp64_flops", calibration.rate_fp64},
                              {"gemm_fp32_flops", calibration.rate_fp32},
                              {"remarks", remarks},
                              {"wall_s", wall.value}}));
    return Status::done;
  }

 private:
  static Seconds now() {
    return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
  }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc);
    file << text;
    if (!file.flush()) throw std::runtime_error(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
  }

  static std::string report(const Calibration& calibration, std::size_t kinds, std::uint64_t count, const std::string& models,
                            const std::string& machine, Seconds wall) {
    std::string text = fmt::format("{} kinds of tasks measured {} times in {}\n", kinds, count, format_seconds(wall));
    text += fmt::format("a task costs {} to submit and {} to run, beside its body\n",
                        format_seconds(calibration.submission_overhead), format_seconds(calibration.task_overhead));
    text += fmt::format("memory: {:.1f} GB/s from one core, {:.1f} GB/s from all\n", calibration.bandwidth_one / 1e9,
                        calibration.bandwidth_all / 1e9);
    if (calibration.rate_fp64 && calibration.rate_fp32)
      text += fmt::format("matrix product on one core: {:.1f} GFLOP/s in fp64, {:.1f} in fp32\n", *calibration.rate_fp64 / 1e9,
                          *calibration.rate_fp32 / 1e9);
    for (const std::string& remark : calibration.remarks()) text += remark + "\n";
    text += fmt::format("models:  {}\n", models);
    if (!machine.empty()) text += fmt::format("machine: {}\n", machine);
    return text;
  }

  RuntimeOptions runtime_;
  ModelsFile models_;
  std::vector<std::string> codelets_;
  bool quick_ = false;
  std::optional<std::string> save_, json_;
};

}  // namespace

std::unique_ptr<Call> calibrate_call() { return std::make_unique<Calibrate>(); }

}  // namespace mitra::tool
