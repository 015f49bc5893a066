// `mitra machine`: this machine as policies see it.
// Flow: Runtime::machine -> [machine] -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include <mitra/mitra.hpp>

#include "calls.hpp"
#include "output.hpp"
#include "runtime_options.hpp"
#include "text.hpp"

namespace mitra::tool {
namespace {

std::string describe(const Machine& machine) {
  std::string text =
      fmt::format("{}: {} workers on {} processors\n", machine.name, machine.workers.size(), machine.processors);
  for (const WorkerClass& c : machine.classes)
    text += fmt::format("  class   {:<10} {} x {}, memory node {}\n", c.name, c.workers.size(), to_string(c.kind),
                        machine.memory_nodes[c.node.index()].name);
  for (const MemoryNode& node : machine.memory_nodes)
    text += fmt::format("  memory  {:<10} {}\n", node.name,
                        node.capacity.value == 0 ? "unknown size" : format_bytes(node.capacity));

  // By cache, not worker by worker: 256 lines say less than 8.
  std::map<std::pair<int, int>, std::vector<std::string>> caches;
  for (const Worker& worker : machine.workers)
    caches[{worker.numa_domain, worker.l3_domain}].push_back(
        worker.processor < 0 ? fmt::format("{}", worker.id.value)
                             : fmt::format("{}@{}", worker.id.value, worker.processor));
  text += "\nNUMA domain  L3 domain  workers (worker@processor; without @: not bound)\n";
  for (const auto& [place, workers] : caches)
    text += fmt::format("{:>11}  {:>9}  {}\n", place.first, place.second, fmt::join(workers, " "));
  return text;
}

Json to_json(const Machine& machine) {
  Json workers = Json::array(), classes = Json::array(), nodes = Json::array(), distances = Json::array();
  for (const Worker& worker : machine.workers) {
    workers.push(Json::object({{"id", worker.id.value},
                               {"class", worker.worker_class.value},
                               {"node", worker.node.value},
                               {"processor", worker.processor < 0 ? Json() : Json(worker.processor)},
                               {"l3_domain", worker.l3_domain},
                               {"numa_domain", worker.numa_domain}}));
    Json row = Json::array();
    for (const Worker& other : machine.workers) row.push(machine.distance(worker.id, other.id));
    distances.push(row);
  }
  for (const WorkerClass& c : machine.classes) {
    Json members = Json::array();
    for (const WorkerId id : c.workers) members.push(id.value);
    classes.push(
        Json::object({{"name", c.name}, {"kind", to_string(c.kind)}, {"node", c.node.value}, {"workers", members}}));
  }
  for (const MemoryNode& node : machine.memory_nodes)
    nodes.push(Json::object(
        {{"name", node.name}, {"capacity_bytes", node.capacity.value == 0 ? Json() : Json(node.capacity.value)}}));
  return Json::object({{"name", machine.name},
                       {"processors", machine.processors},
                       {"workers", workers},
                       {"classes", classes},
                       {"memory_nodes", nodes},
                       {"distances", distances}});
}

class MachineCall final : public Call {
 public:
  std::string name() const override { return "machine"; }
  std::string summary() const override { return "show this machine: workers, classes, caches, memory"; }
  std::string examples() const override {
    return "  mitra machine\n"
           "  mitra machine --workers 8 --json -\n";
  }
  std::vector<Option> options() override {
    return {{"--workers", &runtime_.workers, "N", "Threads in all; 0: one for each processor [MITRA_WORKERS]"},
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    const Runtime rt(runtime_.config());
    if (output.has_text()) output.text(describe(rt.machine()));
    if (output.has_json()) output.json(to_json(rt.machine()));
    return Status::done;
  }

 private:
  RuntimeOptions runtime_;
  std::optional<std::string> json_;
};

}  // namespace

std::unique_ptr<Call> machine_call() { return std::make_unique<MachineCall>(); }

}  // namespace mitra::tool
