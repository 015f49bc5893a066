// Machine files: what is read, what extends what, and the line and remedy of each mistake.
#include <fstream>
#include <mitra/error.hpp>
#include <mitra/machine_file.hpp>
#include <sstream>

#include "support/catch.hpp"

using namespace mitra;

namespace {

/// Lines 1 to 10 of a small machine; further lines start at 11.
const std::string kSmall = R"(name = "small"
[memory.ram]
capacity = "16 GB"
[memory.gpu]
count = 2
[class.cpu]
kind = "cpu"
count = 8
memory = "ram"
# line 10
)";
const std::string kLink = R"([[link]]
name = "bus"
between = ["ram", "gpu"]
bandwidth = "10 GB/s"
latency = "5 us"
)";

MachineDescription parsed(const std::string& text) { return parse_machine(text, "m.toml"); }

/// The text is refused with a message that starts with "m.toml:LINE: " and has all these words.
void refused(const std::string& text, int line, const std::vector<std::string>& says) {
  INFO(text);
  try {
    parsed(text);
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    INFO(message);
    CHECK(message.starts_with("m.toml:" + std::to_string(line) + ": "));
    for (const std::string& word : says) CHECK(message.find(word) != std::string::npos);
  }
}

/// The small machine with a link, and these lines from line 11 on.
void refused_after(const std::string& lines, int line, const std::vector<std::string>& says) {
  refused(kSmall + lines + "\n" + kLink, line, says);
}

const ValueOrigin& origin(const MachineDescription& machine, const std::string& key) {
  for (const ValueOrigin& o : machine.origins)
    if (o.key == key) return o;
  throw std::runtime_error("no origin of " + key);
}

struct TemporaryFiles {
  std::filesystem::path directory;
  TemporaryFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "mitra-machine-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory = name;
  }
  ~TemporaryFiles() { std::filesystem::remove_all(directory); }
  std::filesystem::path write(const char* name, const std::string& text) const {
    std::ofstream(directory / name) << text;
    return directory / name;
  }
};

}  // namespace

TEST_CASE("a small machine file") {
  const MachineDescription machine = parsed(kSmall + kLink);
  CHECK(machine.name == "small");
  CHECK(machine.memories.size() == 3);
  CHECK(machine.memories[1].name == "gpu0");
  CHECK(machine.memories[1].group == "gpu");
  CHECK(machine.memories[1].capacity == Bytes(0));
  CHECK(machine.classes[0].count == 8);
  CHECK(machine.classes[0].efficiency[0] == 0.0);
  CHECK(machine.links.size() == 4);
  CHECK(machine.route(NodeId(0), NodeId(2)).latency == Seconds(5e-6));
}

TEST_CASE("memories without a way of their own are joined through the host") {
  const MachineDescription machine = parsed(kSmall + kLink);
  const Route peer = machine.route(NodeId(1), NodeId(2));
  REQUIRE(peer.links.size() == 2);
  CHECK(machine.links[peer.links[0]].name == "bus gpu0>ram");
  CHECK(machine.links[peer.links[1]].name == "bus ram>gpu1");
  CHECK(peer.latency == Seconds(10e-6));
}

TEST_CASE("links: half duplex, shared by all, faster back") {
  const auto links = [](const std::string& more) { return parsed(kSmall + kLink + more); };
  CHECK(links("duplex = \"half\"").links.size() == 2);
  CHECK(links("shared = \"all\"").links.size() == 2);
  const MachineDescription bus = links("duplex = \"half\"\nshared = \"all\"");
  CHECK(bus.links.size() == 1);
  CHECK(bus.route(NodeId(1), NodeId(2)).links == std::vector<std::uint32_t>{0});  // crossed once, not twice
  const MachineDescription back = links("bandwidth_back = \"12 GB/s\"\nlatency_back = \"7 us\"");
  CHECK(back.links[back.route(NodeId(1), NodeId(0)).links[0]].bandwidth == 12e9);
  CHECK(back.route(NodeId(1), NodeId(0)).latency == Seconds(7e-6));
  CHECK(back.links[back.route(NodeId(0), NodeId(1)).links[0]].bandwidth == 10e9);
}

TEST_CASE("routes win over links, and may share them") {
  const MachineDescription machine = parsed(kSmall + kLink + R"(
[[link]]
name = "bridge"
bandwidth = "8 GB/s"
[[route]]
from = "ram"
to = "gpu"
bandwidth = "6 GB/s"
latency = "10 us"
links = ["bridge"]
)");
  for (std::uint32_t gpu : {1U, 2U}) {
    const Route route = machine.route(NodeId(0), NodeId(gpu));
    REQUIRE(route.links.size() == 2);
    CHECK(machine.links[route.links[0]].bandwidth == 6e9);
    CHECK(machine.links[route.links[1]].name == "bridge");
    CHECK(machine.links[machine.route(NodeId(gpu), NodeId(0)).links.at(0)].name.starts_with("bus"));
  }
}

TEST_CASE("origins: of a value, of a section, of both") {
  const MachineDescription machine = parsed(kSmall + R"([class.cpu.peak]
source = "manual"
assumption = true
note = "boost"
fp64 = "10 GFLOP/s"
fp32 = { value = "20 GFLOP/s", note = "measured twice" }
bf16 = { value = "40 GFLOP/s", source = "measured" }
)" + kLink);
  CHECK(origin(machine, "memory.ram.capacity").value == "16 GB");
  CHECK(origin(machine, "memory.ram.capacity").source.empty());
  CHECK_FALSE(origin(machine, "memory.ram.capacity").assumption);
  const ValueOrigin& all = origin(machine, "class.cpu.peak.fp64");
  CHECK((all.source == "manual" && all.assumption && all.note == "boost"));
  const ValueOrigin& own_note = origin(machine, "class.cpu.peak.fp32");
  CHECK((own_note.source == "manual" && own_note.assumption && own_note.note == "measured twice"));
  const ValueOrigin& own_source = origin(machine, "class.cpu.peak.bf16");  // a new source is no assumption of the old
  CHECK((own_source.source == "measured" && !own_source.assumption && own_source.note.empty()));
  CHECK(machine.classes[0].peak[2] == 40e9);
  CHECK(machine.classes[0].efficiency[2] == 1.0);
}

TEST_CASE("power: what is not said of a precision is said of the next wider one") {
  const auto power = [](const std::string& lines) { return parsed(kSmall + "[class.cpu.power]\n" + lines + "\n" + kLink).classes[0].power; };
  WorkerPower p = power("idle = \"1 W\"\nfp64 = \"5 W\"\nbf16 = \"7 W\"");
  CHECK(p.known);
  CHECK(p.static_power == Watts(1));
  CHECK(p.dynamic == std::array{Watts(5), Watts(5), Watts(7), Watts(7), Watts(7)});
  CHECK(p.stream == Watts(5));
  p = power("static = \"2 W\"\nfp32 = \"3 W\"\nstream = \"1 W\"");
  CHECK(p.dynamic == std::array{Watts(3), Watts(3), Watts(3), Watts(3), Watts(3)});
  CHECK((p.static_power == Watts(2) && p.stream == Watts(1)));
  CHECK_FALSE(parsed(kSmall + kLink).classes[0].power.known);
}

TEST_CASE("cores that drive GPUs are not workers") {
  const std::string gpu = "[class.gpu]\nkind = \"hip\"\ncount = 2\nmemory = \"gpu\"\ndriver_core = true\n";
  const MachineDescription machine = parsed(kSmall + gpu + kLink);
  CHECK(machine.classes[0].count == 6);
  CHECK(machine.classes[1].driver_core);
  const Machine seen = to_machine(machine);
  CHECK(seen.workers.size() == 8);
  CHECK(seen.workers[6].node == NodeId(1));
  CHECK(seen.workers[7].node == NodeId(2));
  CHECK(seen.processors == 8);
  CHECK(seen.classes[1].kind == WorkerKind::hip);
  CHECK(seen.memory_nodes[0].capacity == Bytes(16'000'000'000));
}

TEST_CASE("kernels: a row for each class, and shapes one by one") {
  const MachineDescription machine = parsed(kSmall + R"([class.gpu]
kind = "hip"
count = 2
memory = "gpu"
[[kernel]]
codelet = "gemm"
shape = "960x960"
precision = "fp32"
time = { cpu = "88 ms", gpu = { value = "2.8 ms", source = "here" } }
spread = { cpu = 0.1 }
[[kernel]]
codelet = "dot"
shape = ["100", "100", "1"]
flops = "200 FLOP"
spread = 0.5
time.cpu = "1 us"
[rates.gpu]
syrk = 0.7
)" + kLink);
  REQUIRE(machine.kernels.size() == 3);
  CHECK(machine.kernels[0].precision == Precision::fp32);
  CHECK(machine.kernels[0].worker_class == ClassId(0));
  CHECK(machine.kernels[0].spread == 0.1);
  CHECK(machine.kernels[1].seconds == Seconds(2.8e-3));
  CHECK(machine.kernels[1].spread == 0.0);
  CHECK(origin(machine, "kernel.gemm.960x960.fp32.time.gpu").source == "here");
  CHECK(machine.kernels[2].shapes == std::vector<std::string>{"100", "100", "1"});
  CHECK(machine.kernels[2].flops == 200.0);
  CHECK(machine.kernels[2].spread == 0.5);
  REQUIRE(machine.rates.size() == 1);
  CHECK(machine.rates[0].worker_class == ClassId(1));
}

TEST_CASE("a machine extends a shipped one, or a file beside it") {
  MachineDescription machine = parsed(R"(extends = "mirage"
[class.gpu.power]
idle = "50 W"
[[kernel]]
codelet = "gemm"
shape = "960x960"
precision = "fp64"
time = { gpu = "5 ms" }
[[kernel]]
codelet = "getrf"
shape = "960x960"
time = { cpu = "50 ms" }
[[route]]
from = "ram"
to = "gpu0"
latency = "1 us"
)");
  const MachineDescription base = find_machine("mirage");
  CHECK(machine.name == "m");  // not the name of the other
  CHECK(machine.summary == base.summary);
  CHECK(machine.classes[1].power.idle == Watts(50));
  CHECK(machine.classes[1].power.static_power == base.classes[1].power.static_power);
  CHECK(machine.classes[0].count == 9);
  CHECK(machine.kernels.size() == base.kernels.size() + 1);
  int products = 0;
  for (const KernelTiming& k : machine.kernels)
    if (k.codelet == "gemm" && k.precision == Precision::fp64) {
      ++products;
      CHECK(k.seconds == Seconds(k.worker_class == ClassId(0) ? 172.932e-3 : 5e-3));
    }
  CHECK(products == 2);
  CHECK(machine.route(NodeId(0), NodeId(1)).latency == Seconds(1e-6));
  CHECK(machine.route(NodeId(0), NodeId(1)).links.size() == base.route(NodeId(0), NodeId(1)).links.size());
  CHECK_FALSE(origin(machine, "class.gpu.power.idle").assumption);  // the file that says it answers for it
  CHECK(origin(machine, "class.gpu.power.static").assumption);

  const TemporaryFiles files;
  files.write("base.toml", kSmall + kLink);
  const auto path = files.write("derived.toml", "summary = \"faster\"\nextends = \"base.toml\"\n[[link]]\nname = \"bus\"\nbandwidth = \"20 GB/s\"\n");
  machine = find_machine(path.string());
  CHECK(machine.name == "derived");
  CHECK(machine.summary == "faster");
  CHECK(machine.links.size() == 4);
  CHECK(machine.links[0].bandwidth == 20e9);
  CHECK(machine.route(NodeId(0), NodeId(1)).latency == Seconds(5e-6));

  // An error in the other file is told with that file's name and line.
  files.write("base.toml", kSmall + "speed = 1\n");
  CHECK_THROWS_WITH(read_machine_file(path), Catch::Contains("base.toml:11: unknown key 'speed' in class.cpu"));
  const auto circle = files.write("circle.toml", "\nextends = \"circle.toml\"\n");
  CHECK_THROWS_WITH(read_machine_file(circle), Catch::Contains("circle.toml:2: ") && Catch::Contains("extends itself"));
}

TEST_CASE("files and names that do not exist") {
  CHECK_THROWS_WITH(find_machine("alice-recoque-unifed"),
                    Catch::Contains("no machine 'alice-recoque-unifed'") && Catch::Contains("did you mean 'alice-recoque-unified'?") &&
                        Catch::Contains("mirage") && Catch::Contains("identical-N"));
  CHECK_THROWS_WITH(read_machine_file("/nowhere/m.toml"), Catch::Contains("there is no file '/nowhere/m.toml'"));
  CHECK_THROWS_WITH(read_machine_file("/"), Catch::Contains("there is no file"));
  refused("extends = \"nowhere\"", 1, {"nowhere", "shipped: ", "sirocco"});
  refused("\nextends = 5", 2, {"expected the name of a shipped machine"});
}

TEST_CASE("what is no TOML is told with its line") {
  refused("name = \"a\"\n[memory.ram\n", 2, {"no TOML"});
  refused("a = 1\na = 2\n", 2, {"no TOML"});
  refused("a = \n", 1, {"no TOML"});
  refused("\n\nx = " + std::string(200, '[') + "\n", 3, {"no TOML"});
  refused("\n" + std::string(50, 'a') + [] { std::string s; for (int i = 0; i < 100000; ++i) s += ".a"; return s; }() + " = 1", 2,
          {"a key of more than 16 parts"});
  refused("name = 1979-05-27\n", 1, {"a date"});
}

TEST_CASE("unknown keys are told with the near one and the known ones") {
  refused("nam = \"x\"\n" + kSmall + kLink, 1, {"unknown key 'nam'", "did you mean 'name'?", "compute_nodes"});
  refused_after("bandwith = \"1 GB/s\"", 11, {"unknown key 'bandwith' in class.cpu", "did you mean 'bandwidth'?"});
  refused_after("[class.cpu.peak]\nfp16 = \"1 GFLOP/s\"", 12, {"'fp16'", "fp64, fp32, bf16"});
  refused_after("[class.cpu.power]\nactive = \"1 W\"", 12, {"'active'", "static"});
  refused_after("[power]\nidle = \"1 W\"", 12, {"'idle'", "conversion, constant"});
  refused_after("[[link]]\nname = \"x\"\nbandwidth = \"1 GB/s\"\nbetwen = [\"ram\", \"gpu\"]", 14, {"did you mean 'between'?"});
  refused_after("l3_domains = { value = 2, sorce = \"x\" }", 11, {"unknown key 'sorce' beside 'value'"});
}

TEST_CASE("a missing or wrong unit is told with an example") {
  refused_after("bandwidth = 100", 11, {"class.cpu.bandwidth = 100 has no unit", "\"128 GB/s\""});
  refused_after("bandwidth = 1.5", 11, {"has no unit"});
  refused_after("bandwidth = \"100\"", 11, {"expected a bandwidth such as"});
  refused_after("bandwidth = \"100 GB\"", 11, {"\"100 GB\"", "\"128 GB/s\""});
  refused_after("kernel_overhead = \"5 W\"", 11, {"expected a time such as \"150 us\""});
  refused_after("[class.cpu.peak]\nfp64 = \"10 TFLOPS\"", 12, {"\"288 TFLOP/s\""});
  refused_after("[class.cpu.power]\nidle = true", 12, {"true", "\"1.65 W\""});
  refused_after("bandwidth = { value = 5, source = \"x\" }", 11, {"has no unit"});
}

TEST_CASE("impossible values are told with what is possible") {
  refused_after("bandwidth = \"-1 GB/s\"", 11, {"more than 0"});
  refused_after("bandwidth = \"0 GB/s\"", 11, {"more than 0", "leave the key out"});
  refused_after("kernel_overhead = \"-1 us\"", 11, {"0 or more"});
  refused_after("bandwidth = \"nan GB/s\"", 11, {"expected a bandwidth"});
  refused_after("streams = 0", 11, {"from 1 to 1024"});
  refused_after("streams = 2.5", 11, {"whole number"});
  refused_after("streams = 4\npipeline = 2", 12, {"pipeline is below streams"});
  refused_after("l3_domains = 9", 11, {"from 1 to 8"});
  refused_after("driver_core = true", 11, {"a class of cores"});
  refused_after("can_abort = 1", 11, {"true or false"});
  refused_after("[class.cpu.peak]\nfp64 = \"1 GFLOP/s\"\n[class.cpu.efficiency]\nfp64 = 1.2", 14, {"from 1e-09 to 1"});
  refused_after("[class.cpu.peak]\nfp64 = \"1 GFLOP/s\"\n[class.cpu.efficiency]\nfp64 = nan", 14, {"nan", "from 1e-09 to 1"});
  refused_after("[class.cpu.efficiency]\nfp64 = 0.9", 11, {"without a peak"});
  refused_after("[class.cpu.power]\nclock_min = \"1 GHz\"", 12, {"without clock_max"});
  refused_after("[class.cpu.power]\nclock_max = \"1 GHz\"\nclock_min = \"2 GHz\"", 13, {"above clock_max"});
  refused_after("[class.cpu.power]\ncap = \"10 W\"\ncap_min = \"20 W\"", 12, {"below cap_min"});
  refused_after("[class.cpu.power]\ncap = \"40 W\"\ncap_max = \"20 W\"", 12, {"above cap_max"});
  refused_after("[power]\nconversion = 1.5", 12, {"from 0.01 to 1"});
  refused_after("[memory.disk]\ncapacity = \"0 B\"", 12, {"more than 0"});
  refused_after("[memory.disk]\ncapacity = \"99 EB\"", 12, {"1 B to 4 EB"});
  refused_after("[memory.disk]\ncount = 0", 12, {"from 1 to 256"});
  refused_after("[memory.disk]\ncount = 3\npackage = 2", 11, {"do not fill packages"});
  refused_after("[class.fpga]\nkind = \"fpga\"\ncount = 1\nmemory = \"ram\"", 12, {"expected one of cpu, hip"});
  refused_after("[class.gpu]\nkind = \"hip\"\ncount = 0\nmemory = \"gpu\"", 13, {"from 1 to 65536"});
  refused_after("[rates.cpu]\nsyrk = 0", 12, {"from 1e-06"});
  refused("compute_nodes = 0\n" + kSmall + kLink, 1, {"from 1 to 65536"});
  refused("compute_nodes = 60000\n" + kSmall + "[class.more]\nkind = \"cpu\"\ncount = 60000\nmemory = \"ram\"\n" + kLink, 1,
          {"60000 compute nodes", "at most 4000000 workers"});
}

TEST_CASE("missing keys and sections are told with a line to write") {
  refused("name = \"x\"", 1, {"no 'memory'", "[memory.dram]"});
  refused("[memory.ram]", 1, {"no 'class'", "[class.cpu]"});
  refused("[memory]\n[class.cpu]\n", 1, {"[memory] is empty"});
  refused("[memory.ram]\n[class.cpu]\ncount = 1\nmemory = \"ram\"", 2, {"class.cpu has no 'kind'", "kind = \"cpu\""});
  refused("[memory.ram]\n[class.cpu]\nkind = \"cpu\"\nmemory = \"ram\"", 2, {"no 'count'"});
  refused("[memory.ram]\n[class.cpu]\nkind = \"cpu\"\ncount = 1", 2, {"no 'memory'", "memory = \"ram\""});
  refused("memory = 5", 1, {"expected a table"});
  refused("[memory]\nram = 5", 2, {"expected a table", "[memory.NAME]"});
  refused_after("[link]\nname = \"x\"", 13, {"no TOML"});  // [link] and [[link]] in one file
  refused(kSmall + "[link]\nname = \"x\"", 11, {"write [[link]]"});
  refused_after("[[kernel]]\ncodelet = \"gemm\"\nshape = \"8x8\"", 11, {"no 'time'"});
  refused_after("[[link]]\nname = \"x\"", 11, {"no 'bandwidth'"});
}

TEST_CASE("names that do not exist, or exist twice") {
  refused_after("[class.gpu]\nkind = \"hip\"\ncount = 2\nmemory = \"gpus\"", 14, {"no memory 'gpus'", "did you mean 'gpu'?", "known: ram, gpu"});
  refused_after("[[link]]\nname = \"x\"\nbetween = [\"ram\", \"hbm\"]\nbandwidth = \"1 GB/s\"", 13, {"no memory 'hbm'", "gpu0, gpu1, gpu, network"});
  refused_after("[[link]]\nname = \"x\"\nbetween = [\"ram\"]\nbandwidth = \"1 GB/s\"", 13, {"expected two memories"});
  refused_after("[[link]]\nname = \"x\"\nbetween = [\"network\", \"ram\"]\nbandwidth = \"1 GB/s\"", 13, {"comes second"});
  refused(kSmall + kLink + kLink, 16, {"a second [[link]] named 'bus', after that of line 11"});
  refused(kSmall + kLink + "[[link]]\nname = \"bus2\"\nbetween = [\"gpu1\", \"ram\"]\nbandwidth = \"1 GB/s\"", 16, {"a second way from 'gpu1' to 'ram'"});
  const std::string route = "[[route]]\nfrom = \"ram\"\nto = \"gpu0\"\nbandwidth = \"1 GB/s\"\n";
  refused(kSmall + kLink + route + route, 20, {"a second [[route]] from 'ram' to 'gpu0', after that of line 16"});
  refused(kSmall + kLink + "[[route]]\nfrom = \"ram\"\nto = \"gpu0\"\nlinks = [\"bos\"]", 19, {"no link 'bos'"});
  refused(kSmall + kLink + "[[route]]\nfrom = \"ram\"\nto = \"gpu0\"\nlatency = \"1 us\"", 16, {"neither bandwidth nor links"});
  refused(kSmall + kLink + "[[link]]\nname = \"b\"\nbandwidth = \"1 GB/s\"\n[[route]]\nfrom = \"ram\"\nto = \"gpu0\"\nlinks = [\"b\", \"b\"]", 22, {"twice in one route"});
  refused(kSmall, 1, {"no way from 'ram' to 'gpu0'", "between = [\"ram\", \"gpu0\"]"});
  refused("compute_nodes = 2\n" + kSmall + kLink, 1, {"to 'network'", "between = [\"ram\", \"network\"]"});
  refused_after("[memory.gpu1]", 11, {"two memories are named 'gpu1'"});
  refused_after("[memory.network]", 11, {"cannot be named 'network'"});
  refused_after("[rates.gpu]\nsyrk = 1.0", 11, {"no class 'gpu'", "known: cpu"});
  const std::string kernel = "[[kernel]]\ncodelet = \"gemm\"\nshape = \"8x8\"\ntime = { cpu = \"1 ms\" }\n";
  refused_after(kernel + kernel, 18, {"a second kernel.gemm.8x8.fp64.time", "leave one out"});
  refused_after("[[kernel]]\ncodelet = \"gemm\"\nshape = \"8x8\"\ntime = { gpu = \"1 ms\" }", 14, {"no class 'gpu'"});
  refused_after("[[kernel]]\ncodelet = \"gemm\"\nshape = \"8 by 8\"\ntime = { cpu = \"1 ms\" }", 13, {"\"960x960\""});
  refused_after("[class.gpu]\nkind = \"hip\"\ncount = 8\nmemory = \"gpu\"\ndriver_core = true", 6, {"8 cores, of which 8 drive GPUs", "driver_core = false"});
}

TEST_CASE("memories without an own way to the network take the host's") {
  const MachineDescription machine =
      parsed("compute_nodes = 2\n" + kSmall + kLink + "[[link]]\nname = \"nic\"\nbetween = [\"ram\", \"network\"]\nbandwidth = \"12 GB/s\"\nlatency = \"1 us\"\n");
  const Route route = machine.route(NodeId(1), NodeId(5));
  REQUIRE(route.links.size() == 4);
  CHECK(machine.links[route.links[0]].name == "n0.bus gpu0>ram");
  CHECK(machine.links[route.links[1]].name == "n0.nic ram>network");
  CHECK(machine.links[route.links[2]].name == "n1.nic network>ram");
  CHECK(machine.links[route.links[3]].name == "n1.bus ram>gpu1");
  CHECK(route.latency.value == Approx(12e-6));
}

TEST_CASE("the blocks of docs/machines.md are machine files") {
  std::ifstream in(std::string(MITRA_TEST_DATA_DIR) + "/../docs/machines.md");
  REQUIRE(in);
  std::string line, block;
  bool inside = false;
  int blocks = 0;
  while (std::getline(in, line)) {
    if (line == "```toml") {
      inside = true;
      block.clear();
    } else if (inside && line == "```") {
      inside = false;
      ++blocks;
      INFO(block);
      CHECK_NOTHROW(parsed(block));
    } else if (inside) {
      block += line + "\n";
    }
  }
  CHECK(blocks >= 4);
}
