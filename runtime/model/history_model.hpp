// What has been measured of tasks, while they ran here and in earlier runs.
// Flow: completions, model store -> [history model] -> combined model. Thread-safety: thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <mitra/measured_times.hpp>
#include <mitra/performance_model.hpp>

namespace mitra::model {

/// Measured times by codelet, shapes, element sizes, flops, class and power state: their median, and its spread.
/// A record without flops (an import) answers for every amount of flops on its shapes, after the one with the very flops.
/// Times are those of bodies: they hold no overhead of the runtime, and predictions no power.
class HistoryModel final : public PerformanceModel {
 public:
  /// @param class_names  Of the machine's classes, by ClassId.
  /// @param power_state  The state of all classes, which is part of the keys; empty: the default.
  explicit HistoryModel(std::vector<std::string> class_names, std::string power_state = {});

  /// Adds one measurement of a body.
  void add(const TaskFootprint& task, ClassId worker_class, Seconds seconds);
  /// Adds what is known from elsewhere: a store. Records of other classes and power states are kept, too.
  void add(const std::vector<TimingRecord>& records);

  std::optional<Prediction> predict(const TaskFootprint& task, ClassId worker_class) const override;
  /// The parts of predict(): "history" from equal tasks, "regression" from other sizes of the codelet.
  std::optional<Prediction> measured(const TaskFootprint& task, ClassId worker_class) const;
  std::optional<Prediction> interpolated(const TaskFootprint& task, ClassId worker_class) const;

  /// @returns What add(task, ...) has brought since the last call, for merge_models(): what a store had is not in it.
  std::vector<TimingRecord> take_new();

 private:
  struct Entry {
    TimingRecord record;
    TimingRecord fresh;  ///< The part of it that no store has.
    std::optional<TimingSummary> summary;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Entries = std::vector<Entry>;

  Entry& entry(TimingKey key);
  bool belongs(const Entry& entry, const TaskFootprint& task, ClassId worker_class, bool same_extents) const;

  const std::vector<std::string> class_names_;
  const std::string power_state_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entries, TextHash, std::equal_to<>> by_codelet_;  // a codelet has few kinds of tasks
};

}  // namespace mitra::model
