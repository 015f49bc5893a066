// `mitra workloads`: what `mitra run` can run, with its parameters.
// Flow: registry -> [workloads] -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include "calls.hpp"
#include "output.hpp"
#include "workloads/workload.hpp"

namespace mitra::tool {
namespace {

class Workloads final : public Call {
 public:
  std::string name() const override { return "workloads"; }
  std::string summary() const override { return "list the workloads and their parameters"; }
  std::string examples() const override {
    return "  mitra workloads\n"
           "  mitra workloads --json -\n";
  }
  std::vector<Option> options() override { return {Output::json_option(json_)}; }

  Status execute() override {
    const Output output(json_);
    Json list = Json::array();
    for (const workloads::WorkloadInfo& workload : workloads::workloads()) {
      output.text(fmt::format("{:<20} {}\n", workload.name, workload.summary));
      Json parameters = Json::array();
      for (const workloads::ParameterInfo& parameter : workload.parameters) {
        output.text(fmt::format("  --{:<16} {} [{}]\n", parameter.name, parameter.summary, parameter.value));
        parameters.push(
            Json::object({{"name", parameter.name}, {"default", parameter.value}, {"summary", parameter.summary}}));
      }
      list.push(Json::object({{"name", workload.name}, {"summary", workload.summary}, {"parameters", parameters}}));
    }
    output.json(Json::object({{"workloads", list}}));
    return Status::done;
  }

 private:
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> workloads_call() { return std::make_unique<Workloads>(); }

}  // namespace mitra::tool
