// Flow: command line -> [workload choice] -> workload. Thread-safety: main thread.

#include "workload_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <mitra/error.hpp>

#include "text.hpp"
#include "workloads/graph_files/graph_file.hpp"
#include "workloads/graph_workload.hpp"

namespace mitra::tool {

using workloads::WorkloadInfo;

WorkloadChoice::WorkloadChoice() {
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

std::vector<Option> WorkloadChoice::options() {
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

workloads::GivenValues WorkloadChoice::given() const {
  workloads::GivenValues values;
  for (const Entry& entry : entries_)
    if (entry.given) values[entry.name] = *entry.given;
  return values;
}

void WorkloadChoice::resolve(const std::string& call, std::uint64_t seed) {
  if (name_.empty()) {
    std::vector<std::string> names;
    for (const WorkloadInfo& workload : workloads::workloads()) names.push_back(workload.name);
    throw ConfigError(detail::message(call, ": name a workload; known: ", join(names), ", or a graph file"));
  }
  const auto known = std::ranges::find(workloads::workloads(), name_, &WorkloadInfo::name);
  if (known == workloads::workloads().end() && (std::filesystem::exists(name_) || name_.find('.') != std::string::npos)) {
    if (const auto values = given(); !values.empty())
      throw ConfigError(detail::message(call, ": a graph file has no parameter '", values.begin()->first, "'"));
    graph_ = std::make_shared<const TaskGraph>(workloads::read_graph_file(name_));
    return;
  }
  info_ = &workloads::find_workload(name_);
  workloads::GivenValues values = given();
  if (std::ranges::find(info_->parameters, "seed", &workloads::ParameterInfo::name) != info_->parameters.end())
    values["seed"] = std::to_string(seed);
  parameters_.emplace(info_->name, info_->parameters, values);
}

std::vector<std::pair<std::string, std::string>> WorkloadChoice::parameters() const {
  return parameters_ ? parameters_->values() : std::vector<std::pair<std::string, std::string>>{};
}

std::unique_ptr<workloads::Workload> WorkloadChoice::make() const {
  return graph_ != nullptr ? workloads::make_graph_workload(*graph_) : workloads::make_workload(*info_, *parameters_);
}

std::optional<double> WorkloadChoice::one_core_rate() const {
  if (!has_one_core_rate()) return std::nullopt;
  return info_->one_core_rate(*parameters_);
}

}  // namespace mitra::tool
