// Flow: registry -> [task bench] -> Runtime::submit. Thread-safety: submission thread.

#include "workloads/task_bench.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include <mitra/error.hpp>

#include "workloads/builtin.hpp"

namespace mitra::workloads {
namespace {

std::string cell_text(const TaskBenchCell& cell) { return detail::message('(', cell.step, ", ", cell.column, ')'); }

}  // namespace

void TaskBenchCheck::fail(const TaskBenchCell& expected, const TaskBenchCell& found) const {
  throw std::runtime_error(detail::message("task (", point_.step, ", ", point_.column, ") got the output of ",
                                           cell_text(found), " where that of ", cell_text(expected), " had to be"));
}

void TaskBenchCheck::fail_missing(const TaskBenchCell& expected) const {
  throw std::runtime_error(
      detail::message("task (", point_.step, ", ", point_.column, ") did not get the output of ", cell_text(expected)));
}

void TaskBenchCheck::fail_count(std::size_t expected, std::size_t found) const {
  throw std::runtime_error(detail::message("task (", point_.step, ", ", point_.column, ") got ", found,
                                           " outputs, it has ", expected, " predecessors"));
}

Bytes TaskBench::footprint() const {
  constexpr std::uint64_t handle_bytes = 384;  // the datum itself is the smallest part of it
  return Bytes(static_cast<std::uint64_t>(plan_.graph.width * plan_.rows()) * handle_bytes);
}

void TaskBench::generate(Runtime& rt) {
  const auto clear = codelet("clear_output")
                         .cpu([](View<TaskBenchCell> out) { out[0] = TaskBenchCell{}; })
                         .cost([](View<const TaskBenchCell>) { return Work{.bytes = sizeof(TaskBenchCell)}; });
  for (std::int64_t i = 0; i < plan_.rows() * plan_.graph.width; ++i) {
    outputs_.push_back(rt.vector<TaskBenchCell>(1));
    if (rt.executes()) rt.submit(clear, outputs_.back().write());
  }
}

void TaskBench::submit(Runtime& rt) {
  // One list for all tasks, so that its memory is allocated once: this loop is what benchmarks time.
  using Kind = VectorKind<TaskBenchCell>;
  AccessList<Kind, AccessMode::read> inputs{{}, SourceLocation::current()};
  const auto input = [&](std::size_t i) { return DataRef<Kind>(inputs.data[i]).read(); };
  for (std::int64_t step = 0; step < plan_.graph.steps; ++step) {
    const std::int64_t first = plan_.graph.first_column(step), end = first + plan_.graph.columns(step);
    const Vector<TaskBenchCell>* before = step > 0 ? outputs(step - 1) : nullptr;
    const Vector<TaskBenchCell>* now = outputs(step);
    for (std::int64_t column = first; column < end; ++column) {
      inputs.data.clear();
      plan_.graph.for_each_predecessor(step, column,
                                       [&](std::int64_t from) { inputs.data.push_back(before[from].header()); });
      const TaskBenchPoint point{&plan_, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(column)};
      const auto out = now[column].write();
      switch (inputs.data.size()) {
        case 0:
          rt.submit(codelet_, point, out);
          break;
        case 1:
          rt.submit(codelet_, point, input(0), out);
          break;
        case 2:
          rt.submit(codelet_, point, input(0), input(1), out);
          break;
        case 3:
          rt.submit(codelet_, point, input(0), input(1), input(2), out);
          break;
        default:
          rt.submit(codelet_, point, inputs, out);
      }
    }
  }
}

Verification TaskBench::verify(Runtime& rt) {
  const std::int64_t last = plan_.graph.steps - 1, first = plan_.graph.first_column(last);
  std::int64_t wrong = 0;
  for (std::int64_t column = first; column < first + plan_.graph.columns(last); ++column) {
    const auto cell = rt.acquire(outputs(last)[column].read());
    wrong += cell.view()[0] == TaskBenchCell{last, column} ? 0 : 1;
  }
  return {static_cast<double>(wrong), wrong == 0,
          "residual: wrong outputs of the last step; every task has checked its inputs"};
}

namespace {

struct PatternInfo {
  TaskBenchPattern pattern;
  const char* name;
  const char* summary;
  bool has_radix = false;
};

constexpr PatternInfo kPatterns[] = {
    {TaskBenchPattern::trivial, "trivial", "Task Bench: no dependencies"},
    {TaskBenchPattern::no_comm, "no_comm", "Task Bench: each column is a chain"},
    {TaskBenchPattern::stencil_1d, "stencil_1d", "Task Bench: on the column and its two neighbours"},
    {TaskBenchPattern::stencil_1d_periodic, "stencil_1d_periodic", "Task Bench: stencil_1d on a ring"},
    {TaskBenchPattern::dom, "dom", "Task Bench: a wavefront sweeping over the grid (discrete ordinates)"},
    {TaskBenchPattern::tree, "tree", "Task Bench: each task has two successors until the width is reached"},
    {TaskBenchPattern::fft, "fft", "Task Bench: butterfly, the distance doubles with each step"},
    {TaskBenchPattern::all_to_all, "all_to_all", "Task Bench: on every column"},
    {TaskBenchPattern::nearest, "nearest", "Task Bench: on `radix` nearest columns", true},
    {TaskBenchPattern::spread, "spread", "Task Bench: on `radix` columns, spread over the width", true},
    {TaskBenchPattern::random_nearest, "random_nearest",
     "Task Bench: on a random quarter of the `radix` nearest columns", true},
};

std::unique_ptr<Workload> make(const WorkloadInfo& info, const Parameters& parameters) {
  const PatternInfo& pattern = *std::ranges::find(kPatterns, info.name, &PatternInfo::name);
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  const auto number = [&](const char* name, std::uint64_t least, std::uint64_t at_most) {
    return static_cast<std::int64_t>(parameters.integer(name, least, at_most));
  };

  TaskBenchPlan plan;
  plan.graph.pattern = pattern.pattern;
  plan.graph.width = number("width", 1, most);
  plan.graph.steps = number("steps", 1, most);
  plan.graph.seed = parameters.integer("seed", 0, std::numeric_limits<std::uint64_t>::max());
  if (pattern.has_radix) plan.graph.radix = number("radix", 0, 65535);
  plan.fields = number("fields", 0, most);
  // A task writes where step - fields wrote: with one buffer, over what its neighbours still have to read.
  if (plan.fields == 1) throw ConfigError(info.name + ": fields is 0 (a buffer for each step) or at least 2");
  constexpr std::int64_t most_outputs = 1 << 28;
  if (plan.rows() > most_outputs / plan.graph.width)
    throw ConfigError(detail::message(info.name, ": ", plan.rows(), " buffers for each of ", plan.graph.width,
                                      " columns are too many: at most ", most_outputs, " in all"));

  plan.kernel = static_cast<TaskBenchPlan::Kernel>(parameters.choice("kernel", {"empty", "busy", "compute"}));
  plan.iterations = parameters.integer("iterations", 0, std::numeric_limits<std::int64_t>::max());
  const Seconds grain(parameters.real("grain"));
  if (grain > Seconds(0)) {
    if (plan.kernel == TaskBenchPlan::Kernel::busy) plan.grain = grain;
    if (plan.kernel == TaskBenchPlan::Kernel::compute) plan.iterations = compute_iterations(grain);
  }
  return std::make_unique<TaskBench>(plan);
}

}  // namespace

std::vector<WorkloadInfo> task_bench_workloads() {
  std::vector<WorkloadInfo> list;
  for (const PatternInfo& pattern : kPatterns) {
    WorkloadInfo info{pattern.name, pattern.summary, {}, make};
    info.parameters = {{"width", "64", "columns"},
                       {"steps", "1000", "rows; a task depends on tasks of the row before"},
                       {"kernel", "compute", "what a task does: empty, busy (waits) or compute (64 doubles, in cache)"},
                       {"grain", "0", "seconds that a task takes, calibrated for compute; 0: iterations count"},
                       {"iterations", "1000", "loops of the kernel in a task; compute: 128 flop each"},
                       {"fields", "2", "output buffers of a column, used in turn; 0: one for each step"},
                       {"seed", "1", "source of random edges"}};
    if (pattern.has_radix)
      info.parameters.insert(info.parameters.begin() + 2, {"radix", "5", "dependencies of a task, at most"});
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace mitra::workloads
