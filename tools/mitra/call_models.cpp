// `mitra models`: what has been measured, of this machine and of others; import and export.
// Flow: command line -> [models] -> model store, StarPU import, machine files -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <mitra/machine_file.hpp>
#include <mitra/mitra.hpp>
#include <mitra/model_store.hpp>
#include <mitra/starpu_import.hpp>

#include "calls.hpp"
#include "models_file.hpp"
#include "output.hpp"
#include "runtime_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

/// What is shown: a store, or the kernel rows of a machine file.
struct Shown {
  ModelSet set;
  std::string file;    ///< Empty: a machine that comes with Mitra.
  std::string source;  ///< "machine file", or empty: each record says it.
  std::string detail;  ///< The codelet that is shown alone; empty: all.
};

std::string data_text(const TimingKey& key) {
  // "960x960 x3": equal ones together.
  std::string text;
  for (std::size_t i = 0; i < key.shapes.size();) {
    std::size_t same = i;
    while (same < key.shapes.size() && key.shapes[same] == key.shapes[i]) ++same;
    text += (text.empty() ? "" : ", ") + to_string(key.shapes[i]) + (same - i > 1 ? fmt::format(" x{}", same - i) : "");
    i = same;
  }
  return text.empty() ? "none" : text;
}

std::string source_of(const Shown& shown, const TimingRecord& record) {
  if (!shown.source.empty()) return shown.source;
  if (record.samples.size() >= kLeastSamples) return "measured";
  return record.imported ? "imported" : "too few";
}

std::string element_text(const TimingKey& key) {
  std::size_t largest = 0;
  for (const DataShape& shape : key.shapes) largest = std::max(largest, shape.element_size);
  return largest == 0 ? "-" : fmt::format("{}", largest);
}

std::string table_of(const Shown& shown) {
  Table table({"codelet", "class", "data", "bytes", "flop", "time", "spread", "GFLOP/s", "count", "source"});
  for (const TimingRecord& record : shown.set.records) {
    const auto summary = summarise(record);
    const bool has_rate = summary && record.flops() > 0.0 && summary->seconds > Seconds(0.0);
    table.row({record.key.codelet,
               record.key.worker_class + (record.key.power_state.empty() ? "" : " (" + record.key.power_state + ")"),
               data_text(record.key), element_text(record.key), record.flops() > 0.0 ? fmt::format("{:.3g}", record.flops()) : "-",
               summary ? format_seconds(summary->seconds) : "-",
               summary ? fmt::format("{:.1f}%", 100 * summary->spread) : "-",
               has_rate ? fmt::format("{:.2f}", record.flops() / summary->seconds.value / 1e9) : "-",
               fmt::format("{}", summary ? summary->count : record.count), source_of(shown, record)});
  }
  return table.text();
}

/// Every measurement of one codelet, as quantiles.
std::string detail_of(const Shown& shown) {
  std::string text;
  for (const TimingRecord& record : shown.set.records) {
    text += fmt::format("\n{} on {}, data {}{}\n", record.key.codelet, record.key.worker_class, data_text(record.key),
                        record.flops() > 0.0 ? fmt::format(", {:.6g} flop", record.flops()) : "");
    if (!record.samples.empty()) {
      std::vector<double> sorted = record.samples;
      std::ranges::sort(sorted);
      const auto at = [&](double share) {
        return format_seconds(Seconds(sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))]));
      };
      text += fmt::format("  measured {} times, {} kept: least {}, quarter {}, half {}, three quarters {}, most {}\n",
                          record.count, sorted.size(), at(0), at(0.25), at(0.5), at(0.75), at(1));
    }
    if (record.imported)
      text += fmt::format("  imported from {}: mean {} of {} measurements, spread {:.1f} %\n", record.imported->origin,
                          format_seconds(record.imported->seconds), record.imported->count, 100 * record.imported->spread);
  }
  return text;
}

Json to_json(const Shown& shown) {
  Json models = Json::array();
  for (const TimingRecord& record : shown.set.records) {
    const auto summary = summarise(record);
    Json data = Json::array();
    for (const DataShape& shape : record.key.shapes)
      data.push(Json::object({{"rows", shape.rows}, {"cols", shape.cols}, {"element_bytes", shape.element_size}}));
    models.push(Json::object(
        {{"codelet", record.key.codelet},
         {"class", record.key.worker_class},
         {"power_state", record.key.power_state.empty() ? Json() : Json(record.key.power_state)},
         {"data", data},
         {"flops", record.flops() > 0.0 ? Json(record.flops()) : Json()},
         {"seconds", summary ? Json(summary->seconds.value) : Json()},
         {"spread", summary ? Json(summary->spread) : Json()},
         {"count", summary ? summary->count : record.count},
         {"source", source_of(shown, record)},
         {"origin", record.imported && !record.imported->origin.empty() ? Json(record.imported->origin) : Json()}}));
  }
  return Json::object({{"machine", shown.set.machine}, {"file", shown.file.empty() ? Json() : Json(shown.file)}, {"models", models}});
}

/// The kernel rows of a machine file, as records.
ModelSet rows_of(const MachineDescription& machine) {
  constexpr std::size_t bytes[kPrecisions] = {8, 4, 2, 1, 1};
  ModelSet set{machine.name, {}};
  for (const KernelTiming& kernel : machine.kernels) {
    TimingRecord record;
    record.key.codelet = kernel.codelet;
    record.key.worker_class = machine.classes[kernel.worker_class.index()].name;
    for (const std::string& text : kernel.shapes) {
      DataShape shape{0, 0, bytes[static_cast<std::size_t>(kernel.precision)]};
      std::sscanf(text.c_str(), "%zux%zu", &shape.rows, &shape.cols);  // the machine file's reader has checked it
      record.key.shapes.push_back(shape);
    }
    record.imported = ImportedTime{kernel.seconds, kernel.spread, 1, kernel.flops, {}};
    set.records.push_back(std::move(record));
  }
  return set;
}

class Models final : public Call {
 public:
  std::string name() const override { return "models"; }
  std::string summary() const override { return "show, import and export measured times of tasks"; }
  std::string examples() const override {
    return "  mitra models\n"
           "  mitra models gemm\n"
           "  mitra models mirage --json -\n"
           "  mitra models --import ~/.starpu/sampling/codelets/45/chol_model_gemm.sirocco\n"
           "  mitra models --export times.toml\n";
  }
  std::vector<Option> options() override {
    return {{"NAME", &name_, "NAME", "A codelet of this machine, or another machine: one whose times are stored, or a machine file"},
            {"--import", &import_, "FILE,...", "Add StarPU's codelet files (SYMBOL.HOST) or Mitra's (.toml) to the times of their machine"},
            {"--export", &export_, "FILE", "Write what is shown as a model file"},
            models_.option(),
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    config_models_ = Config::from_environment().models;
    Json imports = Json::array();
    std::string text;
    for (const std::string& file : import_) text += import(file, imports);
    if (!import_.empty() && !name_ && !export_) {
      output.text(text);
      output.json(Json::object({{"imports", imports}}));
      return Status::done;
    }

    const Shown shown = choose();
    if (export_) write(*export_, shown);
    if (output.has_text()) {
      text += fmt::format("{}: {}\n", shown.set.machine, shown.file.empty() ? "machine file" : shown.file);
      if (shown.set.records.empty())
        text += shown.detail.empty() ? "nothing is stored yet; `mitra calibrate` measures this machine\n" : "";
      else
        text += table_of(shown) + (shown.detail.empty() ? "" : detail_of(shown));
      output.text(text);
    }
    Json json = to_json(shown);
    if (!import_.empty()) json.set("imports", imports);
    output.json(json);
    return Status::done;
  }

 private:
  /// @returns A line on what was imported, and one for each measurement that could not be.
  std::string import(const std::string& file, Json& imports) const {
    ModelSet news;
    std::vector<std::string> skipped;
    if (file.ends_with(".toml")) {
      news = load_models(file);
    } else {
      const StarpuSampling sampling = read_starpu_sampling(file);
      StarpuTimes times = convert_starpu_sampling(sampling);
      news = {sampling.host, std::move(times.records)};
      skipped = std::move(times.skipped);
    }
    const std::string target = models_.path(config_models_, news.machine);
    merge_models(target, news);
    imports.push(Json::object({{"file", file},
                               {"machine", news.machine},
                               {"models_file", target},
                               {"kinds", news.records.size()},
                               {"skipped", skipped.size()}}));
    std::string text = fmt::format("{}: {} kinds of tasks of machine {} -> {}\n", file, news.records.size(), news.machine, target);
    for (const std::string& sentence : skipped) text += "  skipped: " + sentence + "\n";
    return text;
  }

  Shown stored(const std::string& machine) const {
    const std::string path = models_.path(config_models_, machine);
    if (!std::filesystem::exists(path)) return {{machine, {}}, path, {}, {}};
    return {load_models(path), path, {}, {}};
  }

  Shown choose() const {
    Shown here = stored(host_name());
    if (!name_) return here;
    std::vector<std::string> codelets;
    for (const TimingRecord& record : here.set.records)
      if (codelets.empty() || codelets.back() != record.key.codelet) codelets.push_back(record.key.codelet);
    if (std::ranges::find(codelets, *name_) != codelets.end()) {
      std::erase_if(here.set.records, [&](const TimingRecord& record) { return record.key.codelet != *name_; });
      here.detail = *name_;
      return here;
    }
    if (here.set.machine == *name_) return here;
    if (Shown other = stored(*name_); !other.set.records.empty() && other.set.machine == *name_) return other;
    try {
      return {rows_of(find_machine(*name_)), {}, "machine file", {}};
    } catch (const ConfigError& error) {
      if (std::filesystem::exists(*name_)) throw;
      throw ConfigError(detail::message("'", *name_, "' is no codelet that was measured (known: ",
                                        codelets.empty() ? "none" : join(codelets), "), and no machine: ", error.what()));
    }
  }

  static void write(const std::string& path, const Shown& shown) {
    if (!shown.source.empty())
      throw ConfigError("--export writes measured times; `mitra machine " + shown.set.machine + " --save FILE` writes a machine file");
    std::ofstream file(path, std::ios::trunc);
    file << write_models(shown.set);
    if (!file.flush()) throw std::runtime_error(fmt::format("--export: cannot write '{}': {}", path, std::strerror(errno)));
  }

  std::optional<std::string> name_, export_, json_;
  std::vector<std::string> import_;
  ModelsFile models_;
  std::string config_models_;
};

}  // namespace

std::unique_ptr<Call> models_call() { return std::make_unique<Models>(); }

}  // namespace mitra::tool
