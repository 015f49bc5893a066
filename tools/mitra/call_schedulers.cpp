// `mitra schedulers`: every policy built into the library, with its parameters.
// Flow: registry -> [schedulers] -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <mitra/registry.hpp>

#include "calls.hpp"
#include "output.hpp"

namespace mitra::tool {
namespace {

Machine with_a_device() {
  Machine machine;
  machine.classes.push_back({"device", WorkerKind::hip, NodeId(0), {}});
  return machine;
}

class Schedulers final : public Call {
 public:
  std::string name() const override { return "schedulers"; }
  std::string summary() const override { return "list the scheduling policies and their parameters"; }
  std::string examples() const override {
    return "  mitra schedulers\n"
           "  mitra schedulers --json -\n";
  }
  std::vector<Option> options() override { return {Output::json_option(json_)}; }

  Status execute() override {
    const Output output(json_);
    Json list = Json::array();
    for (const PolicyInfo* policy : schedulers()) {
      output.text(fmt::format("{:<16} {}\n", policy->name, policy->summary));
      Json parameters = Json::array();
      for (const PolicyParameter& parameter : policy->parameters) {
        output.text(fmt::format("  {:<14} {} [{}]\n", parameter.name, parameter.summary, parameter.value));
        parameters.push(
            Json::object({{"name", parameter.name}, {"default", parameter.value}, {"summary", parameter.summary}}));
      }
      list.push(Json::object({{"name", policy->name}, {"summary", policy->summary}, {"parameters", parameters}}));
    }
    output.text(
        "\nChoose one with --scheduler NAME[:key=value,...], or one of your own with --scheduler ./FILE.so:NAME\n"
        "Without a name: " + default_scheduler({}) + "; where there are devices: " + default_scheduler(with_a_device()) + "\n");
    output.json(Json::object({{"schedulers", list},
                              {"default", default_scheduler({})},
                              {"default_beside_devices", default_scheduler(with_a_device())}}));
    return Status::done;
  }

 private:
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> schedulers_call() { return std::make_unique<Schedulers>(); }

}  // namespace mitra::tool
