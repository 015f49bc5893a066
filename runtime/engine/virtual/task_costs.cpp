#include "engine/virtual/task_costs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <mitra/error.hpp>

namespace mitra::engine {

namespace {

/// The finaliser of MurmurHash3 (Appleby), which mixes every bit into every other.
constexpr std::uint64_t mixed(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ h >> 33;
}
constexpr std::uint64_t joined(std::uint64_t hash, std::uint64_t value) { return mixed(hash * 0x9E3779B97F4A7C15ULL + value); }

}  // namespace

TaskCosts::TaskCosts(const Machine& machine, const PerformanceModel& model)
    : machine_(machine), model_(model), classes_(machine.classes.size()), slots_(64) {
  info_.push_back({"", 0.0, 0.0, 0xff});
  costs_.resize(classes_, {0.0, 0.0, 0.0F, true});
}

std::uint32_t TaskCosts::shape_number(const detail::Shape& shape) {
  auto& same = shapes_[joined(joined(shape.rows, shape.cols), shape.element_size)];
  for (const auto& [known, number] : same)
    if (known.rows == shape.rows && known.cols == shape.cols && known.element_size == shape.element_size) return number;
  same.emplace_back(shape, ++shape_count_);
  return shape_count_;
}

std::uint32_t TaskCosts::row_of(detail::TaskHeader& task) {
  detail::WorkAmount work;
  if (task.type->cost != nullptr) work = task.type->cost(task);
  // Names are compared by address: a codelet has one, and two texts at two addresses only make a row more.
  std::uint64_t hash = joined(reinterpret_cast<std::uint64_t>(task.name()), std::uint64_t{task.accesses} << 9 | std::uint64_t{task.kinds} << 1 | std::uint64_t{task.type->moldable});
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::AccessWord word = task.access_words()[i];
    hash = joined(hash, std::uint64_t{word.data()->shape_number} << 8 | static_cast<std::uint64_t>(word.mode()));
  }
  if (work.known) {
    hash = joined(hash, std::bit_cast<std::uint64_t>(work.flops));
    hash = joined(hash, std::bit_cast<std::uint64_t>(work.bytes) ^ std::bit_cast<std::uint64_t>(work.seconds) * 3);
    hash = joined(hash, std::bit_cast<std::uint64_t>(work.gpu_seconds));
  }
  hash |= 1;
  if (hash == last_hash_) return last_row_;
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) & (slots_.size() - 1);
  if (slots_[at].hash == 0) {
    const std::uint32_t row = add_row(task, work);  // first: it may throw
    slots_[at] = {hash, row};
    if (2 * info_.size() > slots_.size()) grow();
    last_row_ = row;
  } else {
    last_row_ = slots_[at].row;
  }
  last_hash_ = hash;
  return last_row_;
}

void TaskCosts::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.hash == 0) continue;
    std::size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].hash != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

void TaskCosts::learn(std::uint32_t number, ClassId worker_class, double seconds) {
  constexpr std::uint8_t kMemory = 32;   // samples that the mean goes over
  constexpr double kOutlier = 4.0;       // an interrupted body counts for so many times the mean at most
  ClassCost& cost = costs_[std::size_t{number} * classes_ + worker_class.index()];
  if (cost.samples == 0) {
    cost.seconds = seconds;
    cost.uncertainty = 0.5F;
  } else {
    if (cost.samples >= 3) seconds = std::min(seconds, kOutlier * cost.seconds);
    const double error = seconds - cost.seconds, weight = 1.0 / (cost.samples + 1);
    cost.seconds += weight * error;
    const double relative = cost.seconds > 0.0 ? std::abs(error) / cost.seconds : 0.0;
    cost.uncertainty += static_cast<float>(weight) * (static_cast<float>(relative) - cost.uncertainty);
  }
  if (cost.samples < kMemory) ++cost.samples;
  cost.known = true;
  RowInfo& info = info_[number];
  info.shortest = info.kinds == 0 ? cost.seconds : std::min(info.shortest, cost.seconds);
  info.kinds |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(machine_.classes[worker_class.index()].kind));
}

std::uint32_t TaskCosts::add_row(const detail::TaskHeader& task, const detail::WorkAmount& work) {
  TaskFootprint footprint;
  footprint.codelet = task.name();
  footprint.work = work;
  footprint.moldable = task.type->moldable;
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::AccessWord word = task.access_words()[i];
    const detail::Shape& shape = word.data()->shape;
    footprint.accesses.push_back({shape.rows, shape.cols, shape.element_size, word.mode()});
  }
  RowInfo info;
  info.name = task.name();
  info.flops = work.flops;
  info.shortest = std::numeric_limits<double>::infinity();
  std::vector<ClassCost> row(classes_);
  for (std::size_t c = 0; c < classes_; ++c) {
    const WorkerKind kind = machine_.classes[c].kind;
    if ((task.kinds >> static_cast<unsigned>(kind) & 1U) == 0) continue;
    const auto prediction = model_.predict(footprint, ClassId(static_cast<std::uint32_t>(c)));
    if (!prediction) continue;
    MITRA_CHECK(prediction->seconds.value >= 0.0 && prediction->seconds.value < 1e15, "the model says ", prediction->seconds.value,
                " s for a task '", task.name(), "'");
    row[c] = {prediction->seconds.value, prediction->power.value, static_cast<float>(prediction->uncertainty), true};
    info.kinds |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
    info.shortest = std::min(info.shortest, prediction->seconds.value);
  }
  if (info.kinds == 0) info.shortest = 0.0;
  costs_.insert(costs_.end(), row.begin(), row.end());
  info_.push_back(info);
  return static_cast<std::uint32_t>(info_.size() - 1);
}

}  // namespace mitra::engine
