// A machine description from StarPU's bus files and codelet files.
// Flow: StarPU's sampling directory -> [StarPU machine] -> machine description.

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <mitra/error.hpp>
#include <mitra/starpu_import.hpp>

#include "model/starpu_platform.hpp"
#include "model/text_lines.hpp"

namespace mitra {
namespace {

using model::TextLine;
using model::TextLines;

struct Devices {
  std::uint64_t processors = 0, gpus = 0;
};

/// HOST.config: "12 # Number of CPUs". What a number means stands in the comment behind it.
Devices read_config(const std::string& path) {
  const std::string text = model::read_text(path);
  TextLines lines(text, path);
  Devices devices;
  bool has_processors = false;
  // The comments of the lines, which TextLines leaves out.
  std::vector<std::string_view> comments{{}};
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const std::size_t mark = line.find('#');
    comments.push_back(mark == std::string_view::npos ? std::string_view() : line.substr(mark));
    at = end + 1;
  }
  while (!lines.at_end()) {
    const TextLine& line = lines.next("a number of devices");
    if (line.words.size() != 1) lines.refuse(line, "NUMBER # Number of DEVICES is expected");
    const std::uint64_t number = lines.whole(line, line.words.front(), "a number of devices", 0, 65536);
    const std::string_view comment = comments[line.number];
    if (comment.find("CPUs") != std::string_view::npos) {
      devices.processors = number;
      has_processors = true;
    } else if (comment.find("CUDA") != std::string_view::npos || comment.find("HIP") != std::string_view::npos) {
      devices.gpus += number;
    }
  }
  if (!has_processors || devices.processors <= devices.gpus)
    throw ConfigError(detail::message(path, ":1: a line `N # Number of CPUs` with more processors than GPUs (",
                                      devices.gpus, ") is expected"));
  return devices;
}

/// A square matrix over memories: row from, column to. Only the leading `count` of them are read; they have to be numbers.
std::vector<double> read_matrix(const std::string& path, std::size_t count, const char* what, bool may_be_zero) {
  TextLines lines(model::read_text(path), path);
  std::vector<double> matrix;
  for (std::size_t from = 0; from < count; ++from) {
    const TextLine& line = lines.next(detail::message("row ", from, " of ", what));
    if (line.words.size() < count)
      lines.refuse(line, detail::message("a row of ", what, " to at least ", count, " memories is expected"));
    for (std::size_t to = 0; to < count; ++to) {
      const double value = lines.number(line, line.words[to], what);
      if (value < 0.0 || (from != to && value == 0.0 && !may_be_zero))
        lines.refuse(line, detail::message(what, " from memory ", from, " to ", to, " is not positive"));
      matrix.push_back(value);
    }
  }
  return matrix;
}

/// HOST.affinity: for each GPU its number, then the processors from the nearest one on.
void check_affinity(const std::string& path, const Devices& devices) {
  TextLines lines(model::read_text(path), path);
  for (std::uint64_t gpu = 0; gpu < devices.gpus; ++gpu) {
    const TextLine& line = lines.next(detail::message("the row of GPU ", gpu));
    if (lines.whole(line, line.words.front(), "the number of a GPU", 0, 65535) != gpu)
      lines.refuse(line, detail::message("the row of GPU ", gpu, " is expected"));
    if (line.words.size() < 2) lines.refuse(line, "the processors near the GPU are expected");
    for (const std::string_view word : line.words) lines.whole(line, word, "the number of a processor", 0, 65535);
  }
}

void add_measured_routes(MachineDescription& machine, const std::vector<double>& bandwidths,
                         const std::vector<double>& latencies) {
  const std::size_t count = machine.memories.size();
  for (std::size_t from = 0; from < count; ++from)
    for (std::size_t to = 0; to < count; ++to) {
      if (from == to) continue;
      machine.local_routes[from * count + to] = {{static_cast<std::uint32_t>(machine.links.size())},
                                                 Seconds(latencies[from * count + to] * 1e-6)};
      machine.links.push_back({machine.memories[from].name + "-" + machine.memories[to].name,
                               bandwidths[from * count + to] * 1e6, 0.0});
    }
}

void add_platform_routes(MachineDescription& machine, const model::StarpuPlatform& platform, const std::string& path) {
  const std::size_t count = machine.memories.size();
  std::vector<std::string> names{"RAM"};
  for (std::size_t gpu = 0; gpu + 1 < count; ++gpu)
    names.push_back(platform.has_host(detail::message("CUDA", gpu)) ? detail::message("CUDA", gpu)
                                                                    : detail::message("HIP", gpu));
  for (std::size_t from = 0; from < count; ++from)
    for (std::size_t to = 0; to < count; ++to) {
      if (from == to) continue;
      const model::StarpuPlatform::Way* way = platform.find_way(names[from], names[to]);
      if (way == nullptr)
        throw ConfigError(detail::message(path, ": there is no route from ", names[from], " to ", names[to]));
      Route& route = machine.local_routes[from * count + to];
      for (const std::string& name : way->links) {
        const model::StarpuPlatform::Link& link = platform.link(name);
        auto known = std::ranges::find(machine.links, name, &LinkDescription::name);
        if (known == machine.links.end()) known = machine.links.insert(known, {name, link.bandwidth, 0.0});
        const auto index = static_cast<std::uint32_t>(known - machine.links.begin());
        if (std::ranges::find(route.links, index) != route.links.end()) continue;
        route.links.push_back(index);
        route.latency += Seconds(link.latency);
      }
    }
  for (std::size_t memory = 1; memory < count; ++memory)
    machine.memories[memory].capacity = platform.memory_size(names[memory]);
}

void add_kernels(MachineDescription& machine, const std::filesystem::path& directory, const std::string& host,
                 std::vector<std::string>* skipped) {
  if (!std::filesystem::is_directory(directory)) return;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with("." + host) && name.find('.') == name.size() - host.size() - 1) files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  for (const std::string& file : files) {
    StarpuTimes times = convert_starpu_sampling(read_starpu_sampling(file));
    for (const TimingRecord& record : times.records) {
      const ClassId worker_class(record.key.worker_class == "cpu" ? 0U : 1U);
      if (worker_class.value >= machine.classes.size()) {
        times.skipped.push_back(detail::message(model::base_name(file), ": the machine has no GPU for this time"));
        continue;
      }
      KernelTiming kernel{record.key.codelet, {}, precision_of(record.key.shapes.front().element_size), worker_class,
                          record.imported->seconds, record.imported->spread, record.imported->flops};
      for (const DataShape& shape : record.key.shapes) kernel.shapes.push_back(to_string(shape));
      machine.kernels.push_back(std::move(kernel));
    }
    if (skipped != nullptr) skipped->insert(skipped->end(), times.skipped.begin(), times.skipped.end());
  }
}

}  // namespace

MachineDescription import_starpu_machine(const std::string& directory, const std::string& host,
                                         std::vector<std::string>* skipped) {
  const std::filesystem::path root(directory);
  const std::string bus = (root / "bus" / host).string();
  const Devices devices = read_config(bus + ".config");
  check_affinity(bus + ".affinity", devices);

  MachineDescription machine;
  machine.name = host;
  machine.summary = detail::message("imported from StarPU's measurements: ", devices.processors, " cores, of which ",
                                    devices.gpus, " drive GPUs, and ", devices.gpus, " GPUs");
  WorkerClassDescription cpu;
  cpu.name = "cpu";
  cpu.count = static_cast<unsigned>(devices.processors - devices.gpus);
  cpu.memory = "ram";
  machine.classes.push_back(cpu);
  machine.memories.push_back({"ram", "ram", 0, {}, 0.0, {}, 0.0});
  if (devices.gpus > 0) {
    WorkerClassDescription gpu;
    gpu.name = "gpu";
    gpu.kind = WorkerKind::hip;
    gpu.count = static_cast<unsigned>(devices.gpus);
    gpu.memory = "gpu";
    gpu.pipeline = 2;  // StarPU prepares the next task while one runs
    gpu.driver_core = true;
    machine.classes.push_back(gpu);
    for (std::uint64_t i = 0; i < devices.gpus; ++i)
      machine.memories.push_back({detail::message("gpu", i), "gpu", 0, {}, 0.0, {}, 0.0});
  }
  const std::size_t count = machine.memories.size();
  machine.memories_per_node = static_cast<std::uint32_t>(count);
  machine.local_routes.resize(count * count);
  machine.to_network.resize(count);
  machine.from_network.resize(count);

  const std::vector<double> bandwidths = read_matrix(bus + ".bandwidth", count, "bandwidths", false);
  const std::vector<double> latencies = read_matrix(bus + ".latency", count, "latencies", true);
  const std::string platform = bus + ".platform.v4.xml";
  if (devices.gpus > 0 && std::filesystem::exists(platform))
    add_platform_routes(machine, model::read_starpu_platform(platform), platform);
  else
    add_measured_routes(machine, bandwidths, latencies);
  machine.links_per_node = static_cast<std::uint32_t>(machine.links.size());

  add_kernels(machine, root / "codelets" / "45", host, skipped);
  return machine;
}

}  // namespace mitra
