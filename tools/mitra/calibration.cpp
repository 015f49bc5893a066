// Flow: workloads -> Runtime with a measuring policy -> [calibration] -> model store, machine file.

#include "calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <ranges>
#include <set>
#include <stdexcept>
#include <thread>

#include <mitra/model_store.hpp>

#include "text.hpp"
#include "workloads/overhead_graph.hpp"
#include "workloads/workload.hpp"

namespace mitra::tool {
namespace {

Seconds now() {
  return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

/// One run of a workload.
struct Step {
  std::string workload;
  workloads::GivenValues parameters;
  double cost = 0.0;  ///< Relative to other steps of the same family: what predicts how long it will take.
};

/// Steps of one workload from small to large; the large ones are left out when time is short.
struct Family {
  std::string name;
  std::vector<std::string> codelets;  ///< That its runs measure.
  std::vector<Step> steps;
};

std::vector<Family> families(bool quick) {
  std::vector<Family> all;
  const auto text = [](std::size_t number) { return fmt::format("{}", number); };
  // Matrices that fill no cache: a task finds its data where it finds them in a large run, in memory.
  const auto order = [](std::size_t tile, std::size_t least, std::size_t rows) { return std::max(least / tile, rows) * tile; };
  for (const char* precision : {"double", "float"}) {
    Family cholesky{fmt::format("cholesky {}", precision), {"potrf", "trsm", "syrk", "gemm", "fill_positive_definite"}, {}};
    Family gemm{fmt::format("gemm {}", precision), {"gemm", "fill_random"}, {}};
    for (const std::size_t tile : {32U, 64U, 96U, 128U, 192U, 256U, 384U, 512U, 768U, 1024U}) {
      if (quick && tile > 256) continue;
      const auto cost = [&](std::size_t n) { return std::pow(static_cast<double>(n), 3.0); };
      // At least eight tiles a row: 8 potrf, 28 trsm, 28 syrk, 56 gemm.
      const std::size_t n = order(tile, quick ? 1536 : 4096, 8), m = order(tile, quick ? 768 : 2048, 3);
      cholesky.steps.push_back({"cholesky", {{"n", text(n)}, {"tile", text(tile)}, {"precision", precision}}, cost(n)});
      gemm.steps.push_back({"gemm", {{"n", text(m)}, {"tile", text(tile)}, {"precision", precision}}, cost(m)});
    }
    all.push_back(std::move(cholesky));
    all.push_back(std::move(gemm));
  }
  Family stencil{"stencil", {"relax", "heat"}, {}};
  for (const std::size_t tile : {64U, 128U, 256U, 512U, 1024U}) {
    if (quick && tile > 512) continue;
    const std::size_t n = order(tile, quick ? 1024 : 4096, 4);
    stencil.steps.push_back({"stencil", {{"n", text(n)}, {"tile", text(tile)}, {"steps", "10"}}, static_cast<double>(n * n)});
  }
  all.push_back(std::move(stencil));
  // Patterns whose tasks have other numbers of inputs.
  for (const char* pattern : {"stencil_1d", "no_comm", "fft", "nearest"}) {
    Family bench{fmt::format("task bench {}", pattern), {"task_bench", "clear_output"}, {}};
    for (const std::size_t iterations : {1U, 16U, 64U, 256U, 1024U, 4096U, 16384U, 65536U}) {
      if (quick && iterations > 16384) continue;
      bench.steps.push_back({pattern,
                             {{"width", "16"}, {"steps", iterations > 4096 ? "12" : "120"}, {"kernel", "compute"}, {"iterations", text(iterations)}},
                             static_cast<double>(iterations)});
    }
    all.push_back(std::move(bench));
  }
  return all;
}

/// To four digits: what comes behind them is noise.
double rounded(double value) {
  if (!(value > 0.0)) return value;
  const double unit = std::pow(10.0, 3 - std::floor(std::log10(value)));
  return std::round(value * unit) / unit;
}

bool wanted(const std::vector<std::string>& codelets, const std::string& name) {
  return codelets.empty() || std::ranges::find(codelets, name) != codelets.end();
}

/// a := b + s c on arrays far larger than any cache: 24 bytes an element, as McCalpin's STREAM counts its triad.
class Triad {
 public:
  explicit Triad(std::size_t elements) : a_(elements, 1.0), b_(elements, 2.0), c_(elements, 3.0) {}
  /// @returns When it began and ended.
  std::pair<Seconds, Seconds> run() {
    const Seconds start = now();
    double *a = a_.data(), s = 0.5;
    const double *b = b_.data(), *c = c_.data();
    for (std::size_t i = 0; i < a_.size(); ++i) a[i] = b[i] + s * c[i];
    asm volatile("" : : "r"(a) : "memory");
    return {start, now()};
  }
  double bytes() const { return 24.0 * static_cast<double>(a_.size()); }

 private:
  std::vector<double> a_, b_, c_;
};

/// @returns Bytes/s of `threads` triads at the same time: the best of several.
double triad_bandwidth(std::size_t threads, std::size_t elements, int repetitions) {
  std::vector<std::unique_ptr<Triad>> triads(threads);
  std::vector<std::vector<std::pair<Seconds, Seconds>>> times(threads);
  std::atomic<std::size_t> arrived{0};
  std::vector<std::thread> running;
  for (std::size_t t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      triads[t] = std::make_unique<Triad>(elements);  // on its own thread: the pages lie near it
      for (int i = 0; i < repetitions; ++i) {
        const std::size_t all = threads * (static_cast<std::size_t>(i) + 1);
        for (++arrived; arrived.load() < all;) std::this_thread::yield();
        times[t].push_back(triads[t]->run());
      }
    });
  for (std::thread& thread : running) thread.join();
  double best = 0.0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(repetitions); ++i) {
    Seconds first = times[0][i].first, last = times[0][i].second;
    for (const auto& of_thread : times) {
      first = std::min(first, of_thread[i].first);
      last = std::max(last, of_thread[i].second);
    }
    best = std::max(best, static_cast<double>(threads) * triads[0]->bytes() / (last - first).value);
  }
  return best;
}

}  // namespace

std::vector<std::string> Calibration::known_codelets() {
  std::set<std::string> names;
  for (const Family& family : families(false)) names.insert(family.codelets.begin(), family.codelets.end());
  return {names.begin(), names.end()};
}

Calibration::Calibration(CalibrationOptions options) : options_(std::move(options)), host_(host_name()) {
  const std::vector<std::string> known = known_codelets();
  for (const std::string& codelet : options_.codelets)
    if (std::ranges::find(known, codelet) == known.end())
      throw ConfigError(detail::message("no workload has a codelet '", codelet, "'; known: ", join(known)));
}

void Calibration::run() {
  measure_overheads();
  done_ = 0.05;
  measure_bandwidth();
  done_ = 0.1;
  measure_kernels(Seconds(options_.quick ? 5.0 : 40.0));
  // Its best tile: a product of one large matrix may have been disturbed, hundreds of tiles were not all.
  for (const TimingRecord& record : records()) {
    const auto summary = summarise(record);
    if (!summary || record.key.codelet != "gemm") continue;
    std::optional<double>& rate = record.key.shapes.front().element_size == 8 ? rate_fp64 : rate_fp32;
    rate = std::max(rate.value_or(0.0), record.key.flops / summary->seconds.value);
  }
  describe_machine();
  done_ = 1.0;
}

void Calibration::measure_kernels(Seconds budget) {
  std::vector<Family> all = families(options_.quick);
  std::erase_if(all, [&](const Family& family) {
    return std::ranges::none_of(family.codelets, [&](const std::string& name) { return wanted(options_.codelets, name); });
  });
  Config config = options_.config;
  config.policy = [this] { return std::make_unique<MeasuringPolicy>(notes_); };
  Runtime rt(config);

  // One size of every family, then the next size of every family: what time is left to, all have their part of. And all of
  // it again: the machine may have been slower for some seconds, and for one size.
  const Seconds start = now();
  constexpr int kRounds = 3;
  std::map<std::string, std::pair<double, double>> last;  // by family: cost and seconds of its last step
  std::set<std::string> ended;
  std::size_t most = 0;
  for (const Family& family : all) most = std::max(most, family.steps.size());
  for (std::size_t i = 0; i < most * (options_.quick ? 1 : kRounds); ++i)
    for (const Family& family : all) {
      const std::size_t size = i % most;
      if (size >= family.steps.size() || ended.contains(family.name)) continue;
      const Step& step = family.steps[size];
      const Seconds begun = now(), used = begun - start;
      const auto& [cost, seconds] = last[family.name];
      const double expected = cost > 0.0 ? seconds * step.cost / cost : 0.0;
      if (used.value + expected > budget.value) {
        ended.insert(family.name);
        if (i >= most) continue;  // measured before
        std::string sizes;
        for (const auto& parameter : step.parameters) sizes += (sizes.empty() ? "" : " ") + parameter.second;
        remarks_.push_back(fmt::format("{}: sizes from {} on were left out, they would take {} and more", family.name,
                                       sizes, format_seconds(Seconds(expected))));
        continue;
      }
      const workloads::WorkloadResult result = workloads::run(rt, step.workload, step.parameters);
      if (result.verified == false)
        throw std::runtime_error(fmt::format("{}: the result is wrong ({})", step.workload, fmt::join(result.remarks, "; ")));
      last[family.name] = {step.cost, (now() - begun).value};
      done_ = 0.1 + 0.9 * std::min(1.0, (now() - start) / budget);
    }
}

void Calibration::measure_overheads() {
  // One worker, and a window that takes the whole graph: first all is submitted, then all is executed.
  Config config = options_.config;
  config.workers = 1;
  config.policy = nullptr;
  workloads::OverheadSize size;
  size.tasks = 2'000;  // as many as a window holds: records that have left the caches would count for the runtime
  config.window = 1U << 20;
  Runtime rt(config);
  workloads::OverheadGraph graph(rt, workloads::OverheadPattern::stencil_1d, size);
  std::vector<double> submit, execute;
  for (int i = 0; i < (options_.quick ? 50 : 200); ++i) {
    const Seconds start = now();
    graph.submit();
    const Seconds submitted = now();
    rt.wait();
    const Seconds end = now();
    submit.push_back((submitted - start).value / static_cast<double>(graph.tasks()));
    execute.push_back((end - submitted).value / static_cast<double>(graph.tasks()));
  }
  const auto middle = [](std::vector<double>& values) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return Seconds(values[values.size() / 2]);
  };
  submission_overhead = middle(submit);
  task_overhead = middle(execute);
}

void Calibration::measure_bandwidth() {
  Config config = options_.config;
  config.policy = nullptr;
  const std::size_t processors = static_cast<std::size_t>(Runtime(config).machine().processors);
  // 64 MiB an array and more than any cache of a core; for many cores less each, and much more together.
  const std::size_t elements = (std::size_t{64} << 20) / sizeof(double);
  const int repetitions = options_.quick ? 3 : 8;
  bandwidth_one = triad_bandwidth(1, elements, repetitions);
  bandwidth_all = processors == 1 ? bandwidth_one : triad_bandwidth(processors, elements / 4, repetitions);
}

std::vector<TimingRecord> Calibration::records() const {
  std::vector<TimingRecord> list;
  for (const auto& [key, record] : notes_)
    if (wanted(options_.codelets, key.codelet)) list.push_back(record);
  return list;
}

void Calibration::describe_machine() {
  Config config = options_.config;
  config.policy = nullptr;
  const Runtime rt(config);
  const Machine& found = rt.machine();
  const WorkerClass& cpus = found.classes.front();
  machine_.name = host_;
  machine_.summary = fmt::format("measured by `mitra calibrate`: {} workers on {} processors", found.workers.size(), found.processors);
  machine_.submission_overhead = Seconds(rounded(submission_overhead.value));

  WorkerClassDescription cpu;
  cpu.name = cpus.name;
  cpu.count = static_cast<unsigned>(cpus.workers.size());
  std::set<int> caches;
  for (const Worker& worker : found.workers) caches.insert(worker.l3_domain);
  cpu.l3_domains = static_cast<unsigned>(caches.size());
  cpu.memory = "dram";
  cpu.task_overhead = Seconds(rounded(task_overhead.value));
  cpu.bandwidth = rounded(bandwidth_one);
  // The peak that matters is what a matrix product reaches; of the datasheet's one, nothing is known here.
  for (const auto& [precision, flops] : {std::pair(Precision::fp64, rate_fp64), std::pair(Precision::fp32, rate_fp32)}) {
    if (!flops) continue;
    cpu.peak[static_cast<std::size_t>(precision)] = rounded(*flops);
    cpu.efficiency[static_cast<std::size_t>(precision)] = 1.0;
  }
  machine_.classes.push_back(cpu);

  MemoryDescription memory;
  memory.name = memory.group = "dram";
  memory.capacity = found.memory_nodes.front().capacity;
  memory.bandwidth = rounded(bandwidth_all);
  machine_.memories.push_back(memory);
  machine_.local_routes.resize(1);
  machine_.to_network.resize(1);
  machine_.from_network.resize(1);

  // Rows, but for tasks that differ by more than their shapes; and rates of what computes, by the largest size.
  std::map<std::string, std::pair<double, double>> largest;  // codelet -> flops, flop/s
  for (const TimingRecord& record : records()) {
    const auto summary = summarise(record);
    if (!summary || record.key.shapes.empty() || record.key.codelet == "task_bench") continue;
    KernelTiming kernel{record.key.codelet, {}, precision_of(record.key.shapes.back().element_size), ClassId(0),
                        Seconds(rounded(summary->seconds.value)), rounded(summary->spread), record.key.flops};
    for (const DataShape& shape : record.key.shapes) kernel.shapes.push_back(to_string(shape));
    if (kernel.precision == Precision::fp64 && record.key.flops > largest[record.key.codelet].first && rate_fp64)
      largest[record.key.codelet] = {record.key.flops, record.key.flops / summary->seconds.value};
    machine_.kernels.push_back(std::move(kernel));
  }
  for (const auto& [codelet, best] : largest)
    if (best.second > 0.0) machine_.rates.push_back({codelet, ClassId(0), rounded(best.second / *rate_fp64)});

  for (const char* key : {"submission_overhead", "class.cpu.task_overhead", "class.cpu.bandwidth", "memory.dram.bandwidth",
                          "class.cpu.peak.fp64", "class.cpu.peak.fp32"})
    machine_.origins.push_back({key, {}, "measured by `mitra calibrate`", false,
                                std::string_view(key).find("peak") == std::string_view::npos
                                    ? ""
                                    : "the best rate of a matrix product on one core, while the others were busy or idle"});
}

}  // namespace mitra::tool
