// Which workload a call is about, and its parameters: a name of `mitra workloads` or a graph file.
// Flow: command line -> [workload choice] -> workload. Thread-safety: main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "call.hpp"
#include "workloads/workload.hpp"

namespace mitra::tool {

class WorkloadChoice {
 public:
  WorkloadChoice();
  /// WORKLOAD itself, and the parameters of all workloads; which of them the chosen one has is checked when it is known.
  Option argument() { return {"WORKLOAD", &name_, "WORKLOAD", "A name from `mitra workloads`, or a graph file"}; }
  std::vector<Option> options();

  /// Reads what was given. @param call  For messages. @throws ConfigError for an unknown workload or parameter.
  void resolve(const std::string& call, std::uint64_t seed);
  // After resolve():
  const std::string& name() const { return name_; }
  std::vector<std::pair<std::string, std::string>> parameters() const;
  /// A graph file does not verify itself, and only workloads of a name do real work.
  bool is_file() const { return graph_ != nullptr; }
  const TaskGraph* graph() const { return graph_.get(); }
  std::unique_ptr<workloads::Workload> make() const;
  /// @returns The rate of one core at the workload's main kernel, measured now; nothing where no kernel bounds the rate.
  std::optional<double> one_core_rate() const;
  bool has_one_core_rate() const { return info_ != nullptr && info_->one_core_rate != nullptr; }

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
  workloads::GivenValues given() const;

  std::string name_;
  std::vector<Entry> entries_;  // complete before options() gives addresses away
  const workloads::WorkloadInfo* info_ = nullptr;
  std::optional<workloads::Parameters> parameters_;
  std::shared_ptr<const TaskGraph> graph_;
};

}  // namespace mitra::tool
