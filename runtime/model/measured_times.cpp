// Flow: completions, imports -> [measured times] -> history model, model store.

#include <mitra/measured_times.hpp>

#include <algorithm>
#include <cmath>

#include <mitra/error.hpp>

#include "model/hash.hpp"

namespace mitra {
namespace {

std::uint64_t hash(const TimingKey& key) {
  std::uint64_t digest = model::hash_text(key.codelet);
  digest = model::mix(digest ^ model::hash_text(key.worker_class));
  digest = model::mix(digest ^ model::hash_text(key.power_state));
  for (const DataShape& shape : key.shapes)
    for (const std::size_t number : {shape.rows, shape.cols, shape.element_size}) digest = model::mix(digest ^ number);
  return digest;
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// `count` of the samples, evenly spaced in their order.
std::vector<double> thinned(std::vector<double> samples, std::size_t count) {
  if (samples.size() <= count) return samples;
  std::sort(samples.begin(), samples.end());
  std::vector<double> kept;
  for (std::size_t i = 0; i < count; ++i) kept.push_back(samples[(2 * i + 1) * samples.size() / (2 * count)]);
  return kept;
}

ImportedTime pooled(const ImportedTime& a, const ImportedTime& b) {
  const double na = static_cast<double>(a.count), nb = static_cast<double>(b.count), n = na + nb;
  const double mean = (na * a.seconds.value + nb * b.seconds.value) / n;
  const auto square = [&](const ImportedTime& x) {
    const double deviation = x.spread * x.seconds.value, shift = x.seconds.value - mean;
    return deviation * deviation + shift * shift;
  };
  ImportedTime result = a;
  result.seconds = Seconds(mean);
  result.spread = mean > 0.0 ? std::sqrt((na * square(a) + nb * square(b)) / n) / mean : 0.0;
  result.count = a.count + b.count;
  result.origin += ", " + b.origin;
  return result;
}

}  // namespace

void add_sample(TimingRecord& record, Seconds seconds) {
  MITRA_CHECK(std::isfinite(seconds.value) && seconds.value >= 0.0, "a task of '", record.key.codelet, "' took ",
              seconds.value, " s");
  ++record.count;
  const double sample = std::round(seconds.value * 1e10) / 1e10;
  if (record.samples.size() < kReservoir) {
    record.samples.push_back(sample);
    return;
  }
  const std::uint64_t place = model::mix(hash(record.key) + record.count) % record.count;
  if (place < kReservoir) record.samples[place] = sample;
}

void merge_into(TimingRecord& record, const TimingRecord& other) {
  if (other.imported) {
    // The same import again brings nothing new.
    if (!record.imported)
      record.imported = other.imported;
    else if (record.imported->origin.find(other.imported->origin) == std::string::npos)
      record.imported = pooled(*record.imported, *other.imported);
  }
  if (record.samples.size() + other.samples.size() <= kReservoir) {
    record.samples.insert(record.samples.end(), other.samples.begin(), other.samples.end());
  } else {
    const double all = static_cast<double>(record.count) + static_cast<double>(other.count);
    const auto share = static_cast<std::size_t>(
        std::lround(static_cast<double>(kReservoir) * static_cast<double>(record.count) / all));
    // What one side cannot fill, the other may.
    const std::size_t least = kReservoir - std::min(kReservoir, other.samples.size());
    const std::size_t mine = std::clamp(share, least, std::min(kReservoir, record.samples.size()));
    record.samples = thinned(std::move(record.samples), mine);
    const std::vector<double> theirs = thinned(other.samples, kReservoir - mine);
    record.samples.insert(record.samples.end(), theirs.begin(), theirs.end());
  }
  record.count += other.count;
}

std::optional<TimingSummary> summarise(const TimingRecord& record) {
  if (record.samples.size() < kLeastSamples) {
    if (!record.imported) return std::nullopt;
    return TimingSummary{record.imported->seconds, record.imported->spread, record.imported->count};
  }
  std::vector<double> values = record.samples;
  const double middle = median(values);
  for (double& value : values) value = std::abs(value - middle);
  // 1.4826: for normally distributed values it makes the median absolute deviation the standard deviation.
  const double deviation = 1.4826 * median(values);
  // Makespans are sums: the mean. But of what belongs together: nobody expects an outlier a second time.
  double sum = 0.0, kept = 0.0;
  for (const double value : record.samples)
    if (std::abs(value - middle) <= 3.0 * deviation) sum += value, kept += 1.0;
  return TimingSummary{Seconds(sum / kept), middle > 0.0 ? deviation / middle : 0.0, record.count};
}

TimingKey timing_key(const TaskFootprint& task, std::string_view worker_class, std::string_view power_state) {
  TimingKey key{std::string(task.codelet), {}, std::string(worker_class), std::string(power_state),
                task.work.known ? task.work.flops : 0.0};
  for (const AccessFootprint& access : task.accesses)
    key.shapes.push_back({access.rows, access.cols, access.element_size});
  return key;
}

std::string to_string(const DataShape& shape) { return detail::message(shape.rows, 'x', shape.cols); }

}  // namespace mitra
