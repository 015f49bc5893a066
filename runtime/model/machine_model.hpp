// What a machine description says of a task: its measured kernels, its roofline, its power.
// Flow: machine description -> [machine model] -> combined model. Thread-safety: immutable.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <mitra/performance_model.hpp>

namespace mitra::model {

/// Relative standard deviation of a roofline's time. [assumption] One kernel's rate relative to a matrix product differs
/// between two generations of GPUs (M2070, V100) by a factor of 1.2 (trsm) to 1.4 (syrk).
inline constexpr double kRooflineUncertainty = 0.3;

/// Answers in this order:
///   "machine file"  a kernel row of this codelet, class, precision and these shapes: its time
///   "regression"    between rows of other sizes: see size_regression.hpp
///   "stated"        Work::seconds, on classes of cores; it says nothing of a GPU
///   "roofline"      max(kernel_overhead + flops / (peak efficiency rate x), bytes / bandwidth), x = clock / clock_max at the
///                   default cap; needs the peak if there are flops, and flops or bytes at all
/// On a team (a class of several cores), the first class of single cores is asked as well, where the machine has one:
///   a sequential task takes as long as on a core, and the other cores of the team idle;
///   "scaled"        after the team's own rows, a moldable task takes what rows say of a core, divided by cores team_efficiency
/// Without single cores, a sequential task has the roofline of the team's peak / cores.
/// To each of them the class's task_overhead is added: `seconds` is how long the task keeps its worker.
///
/// The precision is that of the element size of the task's largest access; fp64 without data. Power is that of the
/// operating point under the default cap, the bytes that the task moves in its memory included; it is zero where the
/// description says nothing about power. A task is memory-bound for the power model if its bytes outweigh its flops on
/// the roofline.
class MachineModel final : public PerformanceModel {
 public:
  /// @throws ConfigError for a kernel row whose shapes are not ROWSxCOLS.
  explicit MachineModel(MachineDescription description);
  MachineModel(const MachineModel&) = delete;
  MachineModel& operator=(const MachineModel&) = delete;

  std::optional<Prediction> predict(const TaskFootprint& task, ClassId worker_class) const override;

  /// The parts of predict(), for models that put others between them.
  std::optional<Prediction> measured(const TaskFootprint& task, ClassId worker_class) const;
  std::optional<Prediction> interpolated(const TaskFootprint& task, ClassId worker_class) const;
  std::optional<Prediction> from_work(const TaskFootprint& task, ClassId worker_class) const;

  /// predict() over kernel rows from anywhere. @param rows  rows(class) returns what they say of the task there, if anything.
  template <class Rows>
  std::optional<Prediction> predict_by(const TaskFootprint& task, ClassId worker_class, Rows rows) const {
    const std::optional<ClassId> core = core_of(worker_class);
    if (core && !task.moldable) {
      auto found = predict_by(task, *core, rows);
      return found ? std::optional(on_one_core(*found, worker_class, *core)) : std::nullopt;
    }
    if (auto found = rows(worker_class)) return found;
    if (core)
      if (auto found = rows(*core)) return scaled(*found, task, worker_class, *core);
    return from_work(task, worker_class);
  }

  /// Adds task_overhead and power to a time that another model knows.
  Prediction complete(Prediction prediction, const TaskFootprint& task, ClassId worker_class) const;

  const MachineDescription& description() const { return description_; }

 private:
  struct Row {
    const KernelTiming* timing;
    std::vector<std::pair<std::size_t, std::size_t>> shapes;  ///< Rows and columns; one alone stands for all accesses.
    double elements(std::size_t accesses) const;
  };
  struct Time {
    Seconds seconds;
    bool memory_bound = false;
  };

  /// @returns For a team, the first class of single cores, if there is one.
  std::optional<ClassId> core_of(ClassId team) const;
  Prediction on_one_core(Prediction prediction, ClassId team, ClassId core) const;
  Prediction scaled(Prediction prediction, const TaskFootprint& task, ClassId team, ClassId core) const;
  const std::vector<Row>* rows(std::string_view codelet, ClassId worker_class) const;
  double relative_rate(std::string_view codelet, ClassId worker_class) const;
  std::optional<Time> roofline(const TaskFootprint& task, ClassId worker_class, double clock_ratio) const;

  MachineDescription description_;
  std::vector<std::map<std::string, std::vector<Row>, std::less<>>> rows_;  ///< By class, by codelet.
  std::vector<double> joules_per_byte_;  ///< By class: of its memory.
};

/// @returns What the data of a task are computed in.
Precision precision_of(const TaskFootprint& task);

}  // namespace mitra::model
