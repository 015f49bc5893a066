// Flow: completions, model store -> [history model] -> combined model.

#include "model/history_model.hpp"

#include <algorithm>
#include <cmath>

#include "model/size_regression.hpp"

namespace mitra::model {
namespace {

double flops_of(const TaskFootprint& task) { return task.work.known ? task.work.flops : 0.0; }

bool same(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)); }

double elements(const TaskFootprint& task) {
  double sum = 0.0;
  for (const AccessFootprint& access : task.accesses)
    sum += static_cast<double>(access.rows) * static_cast<double>(access.cols);
  return sum;
}
double elements(const TimingKey& key) {
  double sum = 0.0;
  for (const DataShape& shape : key.shapes) sum += static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
  return sum;
}

}  // namespace

HistoryModel::HistoryModel(std::vector<std::string> class_names, std::string power_state)
    : class_names_(std::move(class_names)), power_state_(std::move(power_state)) {}

HistoryModel::Entry& HistoryModel::entry(TimingKey key) {
  Entries& entries = by_codelet_[key.codelet];
  const auto found = std::ranges::find_if(entries, [&](const Entry& e) { return e.record.key == key; });
  if (found != entries.end()) return *found;
  Entry& added = entries.emplace_back();
  added.record.key = key;
  added.fresh.key = std::move(key);
  return added;
}

bool HistoryModel::belongs(const Entry& entry, const TaskFootprint& task, ClassId worker_class,
                           bool same_extents) const {
  const TimingKey& key = entry.record.key;
  if (!entry.summary || key.shapes.size() != task.accesses.size()) return false;
  for (std::size_t i = 0; i < key.shapes.size(); ++i) {
    const DataShape& shape = key.shapes[i];
    const AccessFootprint& access = task.accesses[i];
    if (shape.element_size != access.element_size) return false;
    if (same_extents && (shape.rows != access.rows || shape.cols != access.cols)) return false;
  }
  return key.worker_class == class_names_[worker_class.index()] && key.power_state == power_state_;
}

void HistoryModel::add(const TaskFootprint& task, ClassId worker_class, Seconds seconds) {
  const std::lock_guard lock(mutex_);
  // Without a key of its own: a completion of a known kind of task allocates nothing.
  const auto codelet = by_codelet_.find(task.codelet);
  Entry* known = nullptr;
  if (codelet != by_codelet_.end())
    for (Entry& e : codelet->second) {
      const TimingKey& key = e.record.key;
      bool equal = key.worker_class == class_names_[worker_class.index()] && key.power_state == power_state_ &&
                   key.flops == flops_of(task) && key.shapes.size() == task.accesses.size();
      for (std::size_t i = 0; equal && i < key.shapes.size(); ++i)
        equal = key.shapes[i] == DataShape{task.accesses[i].rows, task.accesses[i].cols, task.accesses[i].element_size};
      if (equal) known = &e;
    }
  if (known == nullptr) known = &entry(timing_key(task, class_names_[worker_class.index()], power_state_));
  add_sample(known->record, seconds);
  add_sample(known->fresh, seconds);
  known->summary = summarise(known->record);
}

void HistoryModel::add(const std::vector<TimingRecord>& records) {
  const std::lock_guard lock(mutex_);
  for (const TimingRecord& record : records) {
    Entry& known = entry(record.key);
    merge_into(known.record, record);
    known.summary = summarise(known.record);
  }
}

std::optional<Prediction> HistoryModel::measured(const TaskFootprint& task, ClassId worker_class) const {
  const std::lock_guard lock(mutex_);
  const auto codelet = by_codelet_.find(task.codelet);
  if (codelet == by_codelet_.end()) return std::nullopt;
  const Entry* found = nullptr;
  for (const Entry& e : codelet->second) {
    if (!belongs(e, task, worker_class, true)) continue;
    if (same(e.record.key.flops, flops_of(task))) {
      found = &e;
      break;
    }
    if (e.record.key.flops == 0.0) found = &e;
  }
  if (found == nullptr) return std::nullopt;
  return Prediction{found->summary->seconds, {}, found->summary->spread, "history"};
}

std::optional<Prediction> HistoryModel::interpolated(const TaskFootprint& task, ClassId worker_class) const {
  const std::lock_guard lock(mutex_);
  const auto codelet = by_codelet_.find(task.codelet);
  if (codelet == by_codelet_.end()) return std::nullopt;
  // Flops where all of them are known: they also tell apart what has as many elements.
  bool by_flops = flops_of(task) > 0.0;
  for (const Entry& e : codelet->second)
    by_flops = by_flops && (!belongs(e, task, worker_class, false) || e.record.flops() > 0.0);

  std::vector<SizePoint> points;
  for (const Entry& e : codelet->second)
    if (belongs(e, task, worker_class, false))
      points.push_back({by_flops ? e.record.flops() : elements(e.record.key), e.summary->seconds.value});
  const auto seconds = interpolate(std::move(points), by_flops ? flops_of(task) : elements(task));
  if (!seconds) return std::nullopt;
  return Prediction{*seconds, {}, kRegressionUncertainty, "regression"};
}

std::optional<Prediction> HistoryModel::predict(const TaskFootprint& task, ClassId worker_class) const {
  if (auto found = measured(task, worker_class)) return found;
  return interpolated(task, worker_class);
}

std::vector<TimingRecord> HistoryModel::take_new() {
  const std::lock_guard lock(mutex_);
  std::vector<TimingRecord> taken;
  for (auto& [codelet, entries] : by_codelet_)
    for (Entry& e : entries) {
      if (e.fresh.count == 0) continue;
      taken.push_back(e.fresh);
      e.fresh.count = 0;
      e.fresh.samples.clear();
    }
  std::sort(taken.begin(), taken.end(), [](const TimingRecord& a, const TimingRecord& b) { return a.key < b.key; });
  return taken;
}

}  // namespace mitra::model
