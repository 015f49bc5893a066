// Measured times of tasks: what tells one kind of task from another, and what its measurements say.
// Flow: completions, imports -> [measured times] -> history model, model store. Thread-safety: values.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/performance_model.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// The extent of one datum of a task.
struct DataShape {
  std::size_t rows = 0, cols = 0, element_size = 0;  ///< element_size in bytes
  auto operator<=>(const DataShape&) const = default;
};

/// Tasks with equal keys take equally long, but for chance.
struct TimingKey {
  std::string codelet;
  std::vector<DataShape> shapes;  ///< One an access, in their order.
  std::string worker_class;       ///< Its name: "cpu"
  std::string power_state;        ///< Of the class; empty: the default.
  double flops = 0.0;             ///< Of the codelet's cost; 0: it states none, or they are not known.
  auto operator<=>(const TimingKey&) const = default;
};

/// What is known of measurements that were made elsewhere: no single one, but their mean.
struct ImportedTime {
  Seconds seconds;          ///< Mean.
  double spread = 0.0;      ///< Relative standard deviation.
  std::uint64_t count = 0;  ///< Measurements behind it.
  double flops = 0.0;       ///< Of one task; 0: not said.
  std::string origin;       ///< "chol_model_gemm.sirocco"
};

/// All measurements of one key.
struct TimingRecord {
  TimingKey key;
  std::uint64_t count = 0;       ///< Measurements so far.
  std::vector<double> samples;   ///< Seconds; at most kReservoir of them, a fair choice.
  std::optional<ImportedTime> imported;

  double flops() const { return key.flops > 0.0 ? key.flops : imported ? imported->flops : 0.0; }
};

/// What the measurements of one key say.
struct TimingSummary {
  Seconds seconds;          ///< The mean of those within three deviations of the median.
  double spread = 0.0;      ///< Relative: 1.4826 times the median absolute deviation, over the median.
  std::uint64_t count = 0;  ///< Measurements behind it.
};

/// Samples that a record keeps: the median of 64 has a standard error of 0.16 standard deviations.
inline constexpr std::size_t kReservoir = 64;
/// Measurements that it takes to be believed: of five, two may be wrong and the median still lies among the others.
inline constexpr std::size_t kLeastSamples = 5;

/// Adds a measurement. Beyond kReservoir, it takes the place of another with the probability that keeps the choice fair
/// (Vitter, ACM TOMS 11, 1985, algorithm R); which one, follows from the key and the count alone.
/// It is rounded to 0.1 ns, which no clock resolves.
/// @pre `seconds` is finite and not negative.
void add_sample(TimingRecord& record, Seconds seconds);

/// Adds the measurements of another record of the same key. Where both together have too many samples, each keeps a
/// share by its count, evenly spaced over its sorted samples: its quantiles stay.
void merge_into(TimingRecord& record, const TimingRecord& other);

/// @returns Median and spread of the record's own samples; without enough of them, what was imported; else nothing.
std::optional<TimingSummary> summarise(const TimingRecord& record);

/// @returns The key of a task, for measurements on a class.
TimingKey timing_key(const TaskFootprint& task, std::string_view worker_class, std::string_view power_state = {});

/// @returns "960x960", for messages and tables.
std::string to_string(const DataShape& shape);

}  // namespace mitra
