// What is asked of performance models, and what they answer: how long a task takes on a class of workers, and what it draws.
// Flow: codelet, shapes -> [performance model] -> estimates, simulated durations, bounds. Thread-safety: each says.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// One access, for models: equal shapes, equal times.
struct AccessFootprint {
  std::size_t rows = 0, cols = 0, element_size = 0;
  AccessMode mode = AccessMode::read;
  bool operator==(const AccessFootprint&) const = default;
};

/// All that tells tasks of one codelet apart for a model.
struct TaskFootprint {
  std::string_view codelet;
  std::vector<AccessFootprint> accesses;
  detail::WorkAmount work;  ///< Of the codelet's cost; `known` is false where it states none.
  bool moldable = false;    ///< It uses all cores of a team; false: one of them.
};

/// What a model says of one task on one worker of a class, at the class's default power state.
struct Prediction {
  Seconds seconds;
  Watts power;               ///< Drawn by the worker while the task runs, its static part included.
  double uncertainty = 0.0;  ///< Relative standard deviation.
  const char* source = "";   ///< "history", "machine file", "regression", "roofline", "stated"
};

/// @thread immutable after construction, unless an implementation says otherwise.
class PerformanceModel {
 public:
  virtual ~PerformanceModel() = default;
  /// @returns Nothing if the model knows nothing of such tasks on this class: unknown is not zero.
  virtual std::optional<Prediction> predict(const TaskFootprint& task, ClassId worker_class) const = 0;
};

}  // namespace mitra
