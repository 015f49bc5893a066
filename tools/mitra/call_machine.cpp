// `mitra machine`: this machine as policies see it, or one that a machine file describes.
// Flow: Runtime::machine, machine file -> [machine] -> output. Thread-safety: main thread.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include <mitra/machine_file.hpp>
#include <mitra/mitra.hpp>

#include "calls.hpp"
#include "machine_text.hpp"
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
  for (const Worker& worker : machine.workers) {
    std::string entry = fmt::format("{}", worker.id.value);
    if (worker.cores > 1) entry += fmt::format("x{}", worker.cores);
    if (worker.processor >= 0)
      entry += worker.cores == 1 ? fmt::format("@{}", worker.processor) : fmt::format("@{}", fmt::join(worker.bound_to, ","));
    caches[{worker.numa_domain, worker.l3_domain}].push_back(std::move(entry));
  }
  text += "\nNUMA domain  L3 domain  workers (worker@processor, without @: not bound; worker xN: a team of N cores)\n";
  for (const auto& [place, workers] : caches)
    text += fmt::format("{:>11}  {:>9}  {}\n", place.first, place.second, fmt::join(workers, " "));
  for (const std::string& remark : machine.remarks) text += "\n" + remark + "\n";
  return text;
}

Json to_json(const Machine& machine) {
  Json workers = Json::array(), classes = Json::array(), nodes = Json::array(), distances = Json::array(), remarks = Json::array();
  for (const std::string& remark : machine.remarks) remarks.push(remark);
  for (const Worker& worker : machine.workers) {
    workers.push(Json::object({{"id", worker.id.value},
                               {"class", worker.worker_class.value},
                               {"node", worker.node.value},
                               {"processor", worker.processor < 0 ? Json() : Json(worker.processor)},
                               {"l3_domain", worker.l3_domain},
                               {"numa_domain", worker.numa_domain},
                               {"cores", worker.cores}}));
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
                       {"distances", distances},
                       {"remarks", remarks}});
}

/// What hwloc knows of this machine, as a machine file; how fast it is, nobody has measured yet.
std::string file_of(const Machine& machine) {
  MachineDescription description;
  description.name = "this-machine";
  description.summary = fmt::format("{} workers on {} processors, found by hwloc", machine.workers.size(), machine.processors);
  MemoryDescription memory;
  memory.name = memory.group = "ram";
  memory.capacity = machine.memory_nodes[0].capacity;
  description.memories.push_back(std::move(memory));
  description.local_routes.push_back({});
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c) {
    WorkerClassDescription about;
    about.name = machine.classes[c].name;
    about.kind = machine.classes[c].kind;
    about.cores = machine.classes[c].cores;
    about.count = static_cast<unsigned>(machine.classes[c].workers.size());
    about.memory = "ram";
    std::set<int> caches;
    for (const WorkerId id : machine.classes[c].workers) caches.insert(machine.workers[id.index()].l3_domain);
    about.l3_domains = static_cast<unsigned>(caches.size());
    description.classes.push_back(std::move(about));
  }
  return "# Found by hwloc. How fast its workers are is not known: without [class.cpu.peak] and [[kernel]] rows a simulation\n"
         "# knows no durations but those that tasks state themselves. docs/machines.md says how to add them.\n" +
         write_machine_file(description);
}

/// The text of a shipped machine keeps its comments; everything else is written anew, with what it extends inside.
std::string file_of(const std::string& name) {
  for (const ShippedMachine& shipped : shipped_machines())
    if (shipped.name == name) return std::string(shipped.text);
  return write_machine_file(find_machine(name));
}

void save(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  if (!file) throw ConfigError(fmt::format("--save: cannot write '{}': {}", path, std::strerror(errno)));
  file << text;
  if (!file.flush()) throw std::runtime_error(fmt::format("--save: cannot write '{}': {}", path, std::strerror(errno)));
}

class MachineCall final : public Call {
 public:
  std::string name() const override { return "machine"; }
  std::string summary() const override { return "show this machine, or one of a machine file: workers, memories, links, power"; }
  std::string examples() const override {
    return "  mitra machine\n"
           "  mitra machine --workers 8 --json -\n"
           "  mitra machine --teams l3\n"
           "  mitra machine --list\n"
           "  mitra machine alice-recoque-unified --sources\n"
           "  mitra machine mirage --save mine.toml\n";
  }
  std::vector<Option> options() override {
    return {{"NAME_OR_FILE", &machine_, "", "A machine of --list, or a machine file; without it: this machine"},
            {"--list", &list_, "", "List the machines that come with Mitra"},
            {"--sources", &sources_, "", "Say where each value of the machine file comes from"},
            {"--save", &save_, "FILE", "Write a machine file: of this machine, as far as hwloc knows it, or of the one named"},
            {"--workers", &runtime_.workers, "N", "Threads in all; 0: one for each processor [MITRA_WORKERS]"},
            runtime_.teams_option(),
            runtime_.numa_option(),
            Output::json_option(json_)};
  }

  Status execute() override {
    const Output output(json_);
    if (list_) {
      if (machine_) throw ConfigError("--list lists all machines; leave '" + *machine_ + "' out");
      if (save_) throw ConfigError("--save writes one machine; leave --list out");
      return list(output);
    }
    if (machine_ && (runtime_.workers || runtime_.teams || runtime_.numa))
      throw ConfigError(detail::message(runtime_.workers ? "--workers" : runtime_.teams ? "--teams" : "--numa", " belongs to this machine; a machine file has its own"));
    return machine_ ? described(output) : this_machine(output);
  }

 private:
  static Status list(const Output& output) {
    Table table({"machine", "summary"});
    Json machines = Json::array();
    for (const ShippedMachine& machine : shipped_machines()) {
      table.row({std::string(machine.name), machine.summary});
      machines.push(Json::object({{"name", machine.name}, {"summary", machine.summary}}));
    }
    table.row({"identical-N", "N equal workers, one memory, no transfers"});
    machines.push(Json::object({{"name", "identical-N"}, {"summary", "N equal workers, one memory, no transfers"}}));
    if (output.has_text()) output.text(table.text());
    if (output.has_json()) output.json(Json::object({{"machines", machines}}));
    return Status::done;
  }

  Status described(const Output& output) const {
    const MachineDescription machine = find_machine(*machine_);
    if (save_) save(*save_, file_of(*machine_));
    if (output.has_text()) output.text(mitra::tool::describe(machine, sources_));
    if (output.has_json()) output.json(mitra::tool::to_json(machine, sources_));
    return Status::done;
  }

  Status this_machine(const Output& output) const {
    if (sources_) throw ConfigError("--sources says where the values of a machine file come from; name one of `mitra machine --list`");
    const Runtime rt(runtime_.config());
    if (save_) save(*save_, file_of(rt.machine()));
    if (output.has_text()) output.text(describe(rt.machine()));
    if (output.has_json()) output.json(to_json(rt.machine()));
    return Status::done;
  }

  RuntimeOptions runtime_;
  std::optional<std::string> machine_, save_, json_;
  bool list_ = false, sources_ = false;
};

}  // namespace

std::unique_ptr<Call> machine_call() { return std::make_unique<MachineCall>(); }

}  // namespace mitra::tool
