// Task Bench's graphs as a workload: the tasks check what they read, and write what the next step checks.
// Flow: registry -> [task bench] -> Runtime::submit. Thread-safety: submission thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "workloads/task_bench_graph.hpp"
#include "workloads/task_bench_kernel.hpp"
#include "workloads/workload.hpp"

namespace mitra::workloads {

/// What a task leaves in its output: who it was.
struct TaskBenchCell {
  std::int64_t step = -1, column = -1;
  friend bool operator==(const TaskBenchCell&, const TaskBenchCell&) = default;
};

/// What is the same for all tasks of a run.
struct TaskBenchPlan {
  enum class Kernel : std::uint8_t { empty, busy, compute };

  TaskBenchGraph graph;
  Kernel kernel = Kernel::empty;
  std::uint64_t iterations = 0;  ///< busy, compute.
  Seconds grain{0.0};            ///< busy: spins so long; 0: iterations count.
  std::int64_t fields = 2;       ///< Buffers of a column, used in turn; 0: one a step.

  std::int64_t rows() const { return fields == 0 ? graph.steps : fields; }
  double flops_per_task() const { return kernel == Kernel::compute ? compute_flops(iterations) : 0.0; }
};

/// The value that a task is submitted with.
struct TaskBenchPoint {
  const TaskBenchPlan* plan;
  std::uint32_t step, column;
};

/// Compares what a task got with its predecessors in the graph, in the graph's order.
class TaskBenchCheck {
 public:
  explicit TaskBenchCheck(const TaskBenchPoint& point) : point_(point) {}
  /// @throws std::runtime_error unless there is one input for each predecessor, and it is that predecessor's output.
  template <class InputAt>
  void inputs(std::size_t count, InputAt&& input_at) const {
    std::size_t next = 0;
    point_.plan->graph.for_each_predecessor(point_.step, point_.column, [&](std::int64_t column) {
      const TaskBenchCell expected{std::int64_t{point_.step} - 1, column};
      if (next >= count) [[unlikely]]
        fail_missing(expected);
      const TaskBenchCell& found = input_at(next++);
      if (!(found == expected)) [[unlikely]]
        fail(expected, found);
    });
    if (next != count) [[unlikely]]
      fail_count(next, count);
  }

 private:
  [[noreturn]] void fail(const TaskBenchCell& expected, const TaskBenchCell& found) const;
  [[noreturn]] void fail_missing(const TaskBenchCell& expected) const;
  [[noreturn]] void fail_count(std::size_t expected, std::size_t found) const;
  TaskBenchPoint point_;
};

using TaskBenchInputs = Views<VectorKind<TaskBenchCell>, AccessMode::read>;

/// The body: the point, its inputs (up to three views, or a list), its output.
struct TaskBenchBody {
  using In = View<const TaskBenchCell>;
  using Out = View<TaskBenchCell>;

  void operator()(const TaskBenchPoint& p, Out out) const { run(p, std::span<const In>(), out); }
  void operator()(const TaskBenchPoint& p, In a, Out out) const { run(p, std::array{a}, out); }
  void operator()(const TaskBenchPoint& p, In a, In b, Out out) const { run(p, std::array{a, b}, out); }
  void operator()(const TaskBenchPoint& p, In a, In b, In c, Out out) const { run(p, std::array{a, b, c}, out); }
  void operator()(const TaskBenchPoint& p, const TaskBenchInputs& list, Out out) const { run(p, list, out); }

 private:
  template <class Inputs>
  static void run(const TaskBenchPoint& point, const Inputs& inputs, Out out) {
    TaskBenchCheck(point).inputs(inputs.size(), [&](std::size_t i) -> const TaskBenchCell& { return inputs[i][0]; });
    work(*point.plan);
    out[0] = {point.step, point.column};
  }
  static void work(const TaskBenchPlan& plan) {
    if (plan.kernel == TaskBenchPlan::Kernel::compute) compute(plan.iterations);
    if (plan.kernel != TaskBenchPlan::Kernel::busy) return;
    if (plan.grain > Seconds(0))
      spin(plan.grain);
    else
      multiply_chain(plan.iterations);
  }
};

struct TaskBenchCost {
  template <class... Inputs>
  Work operator()(const TaskBenchPoint& point, const Inputs&... inputs) const {
    const std::size_t cells = (cells_of(inputs) + ...);
    const double waits = point.plan->kernel == TaskBenchPlan::Kernel::busy ? point.plan->grain.value : 0.0;
    return {.flops = point.plan->flops_per_task(), .bytes = static_cast<double>(cells * sizeof(TaskBenchCell)), .seconds = waits};
  }

 private:
  static std::size_t cells_of(const View<const TaskBenchCell>& view) { return view.size(); }
  static std::size_t cells_of(const TaskBenchInputs& list) { return list.size(); }
};

inline auto task_bench_codelet() { return codelet("task_bench").cpu(TaskBenchBody{}).cost(TaskBenchCost{}); }

class TaskBench final : public Workload {
 public:
  explicit TaskBench(const TaskBenchPlan& plan) : plan_(plan) {}
  std::uint64_t tasks() const override { return plan_.graph.tasks(); }
  double flops() const override { return plan_.flops_per_task() * static_cast<double>(tasks()); }
  Bytes footprint() const override;
  void generate(Runtime& rt) override;
  void submit(Runtime& rt) override;
  Verification verify(Runtime& rt) override;

  const TaskBenchPlan& plan() const { return plan_; }
  /// Where the tasks of a step leave their outputs, by column.
  const Vector<TaskBenchCell>* outputs(std::int64_t step) const {
    return &outputs_[static_cast<std::size_t>(step % plan_.rows() * plan_.graph.width)];
  }

 private:
  const TaskBenchPlan plan_;
  const decltype(task_bench_codelet()) codelet_ = task_bench_codelet();
  std::vector<Vector<TaskBenchCell>> outputs_;
};

}  // namespace mitra::workloads
