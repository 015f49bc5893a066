// What each task costs on each class of workers: asked of the models once for all tasks of equal name, shapes and work.
// Flow: submission -> [task costs] -> estimates, virtual durations, bounds. Thread-safety: serialised, the engine's lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/machine.hpp>
#include <mitra/performance_model.hpp>

namespace mitra::engine {

/// What a class needs for one task.
struct ClassCost {
  double seconds = 0.0;
  double watts = 0.0;
  float uncertainty = 0.0F;
  bool known = false;
  std::uint8_t samples = 0;  ///< Measured in this run, as far as they count.
};

class TaskCosts {
 public:
  static constexpr std::uint32_t kNothing = 0;  ///< The row of tasks that take no time: joins.

  TaskCosts(const Machine& machine, const PerformanceModel& model);

  /// @returns The number of the row that holds the task's costs.
  std::uint32_t row_of(detail::TaskHeader& task);
  const ClassCost* row(std::uint32_t number) const { return &costs_[std::size_t{number} * classes_]; }
  const ClassCost& cost(std::uint32_t number, ClassId worker_class) const { return row(number)[worker_class.index()]; }
  /// Kinds of workers of which at least one class is known.
  std::uint8_t known_kinds(std::uint32_t number) const { return info_[number].kinds; }
  /// The shortest known time; 0 if none is known.
  double shortest(std::uint32_t number) const { return info_[number].shortest; }
  double flops(std::uint32_t number) const { return info_[number].flops; }
  const char* name(std::uint32_t number) const { return info_[number].name; }
  std::size_t rows() const { return info_.size(); }

  /// A task of this row took so long: what is measured goes before what a model says.
  void learn(std::uint32_t number, ClassId worker_class, double seconds);

  /// Shapes are numbered, so that a task's are compared by numbers.
  std::uint32_t shape_number(const detail::Shape& shape);

 private:
  struct RowInfo {
    const char* name = "";
    double shortest = 0.0, flops = 0.0;
    std::uint8_t kinds = 0;
  };
  std::uint32_t add_row(const detail::TaskHeader& task, const detail::WorkAmount& work);
  void grow();

  const Machine& machine_;
  const PerformanceModel& model_;
  const std::size_t classes_;
  std::vector<ClassCost> costs_;  // row x class
  std::vector<RowInfo> info_;
  struct Slot {
    std::uint64_t hash = 0;  // 0: free
    std::uint32_t row = 0;
  };
  std::vector<Slot> slots_;  // open addressing by hash
  std::uint64_t last_hash_ = 0;
  std::uint32_t last_row_ = 0;
  std::unordered_map<std::uint64_t, std::vector<std::pair<detail::Shape, std::uint32_t>>> shapes_;
  std::uint32_t shape_count_ = 0;
};

}  // namespace mitra::engine
