// Flow: machine description -> [machine model] -> combined model.

#include "model/machine_model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <mitra/error.hpp>
#include <mitra/power_model.hpp>

#include "model/size_regression.hpp"

namespace mitra::model {
namespace {

std::pair<std::size_t, std::size_t> parse_shape(const KernelTiming& kernel, const std::string& text) {
  std::size_t rows = 0, cols = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, rows);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == 'x')
    if (const auto second = std::from_chars(first.ptr + 1, end, cols); second.ec == std::errc{} && second.ptr == end)
      return {rows, cols};
  throw ConfigError(detail::message("kernel '", kernel.codelet, "': the shape '", text, "' is not ROWSxCOLS, as in 960x960"));
}

double elements_of(const TaskFootprint& task) {
  double sum = 0.0;
  for (const AccessFootprint& access : task.accesses)
    sum += static_cast<double>(access.rows) * static_cast<double>(access.cols);
  return sum;
}

double flops_of(const TaskFootprint& task) { return task.work.known ? task.work.flops : 0.0; }

/// A share of the peak or of a rate that the description leaves out is all of it.
double or_one(double share) { return share > 0.0 ? share : 1.0; }

}  // namespace

Precision precision_of(const TaskFootprint& task) {
  std::size_t most = 0, element = 0;
  for (const AccessFootprint& access : task.accesses) {
    const std::size_t bytes = access.rows * access.cols * access.element_size;
    if (bytes > most || (bytes == most && access.element_size > element)) most = bytes, element = access.element_size;
  }
  return element == 0 ? Precision::fp64 : mitra::precision_of(element);
}

double MachineModel::Row::elements(std::size_t accesses) const {
  double sum = 0.0;
  for (const auto& [rows, cols] : shapes) sum += static_cast<double>(rows) * static_cast<double>(cols);
  return shapes.size() == 1 ? sum * static_cast<double>(accesses) : sum;
}

MachineModel::MachineModel(MachineDescription description)
    : description_(std::move(description)), rows_(description_.classes.size()) {
  for (const KernelTiming& kernel : description_.kernels) {
    Row row{&kernel, {}};
    for (const std::string& shape : kernel.shapes) row.shapes.push_back(parse_shape(kernel, shape));
    MITRA_CHECK(kernel.worker_class.value < rows_.size(), "kernel '", kernel.codelet, "' has class ",
                kernel.worker_class.value, " of ", rows_.size());
    rows_[kernel.worker_class.index()][kernel.codelet].push_back(std::move(row));
  }
  for (const WorkerClassDescription& c : description_.classes) {
    const auto memory = std::ranges::find_if(
        description_.memories, [&](const MemoryDescription& m) { return m.group == c.memory || m.name == c.memory; });
    joules_per_byte_.push_back(memory == description_.memories.end() ? 0.0 : memory->joules_per_byte);
  }
}

const std::vector<MachineModel::Row>* MachineModel::rows(std::string_view codelet, ClassId worker_class) const {
  const auto& of_class = rows_[worker_class.index()];
  const auto found = of_class.find(codelet);
  return found == of_class.end() ? nullptr : &found->second;
}

double MachineModel::relative_rate(std::string_view codelet, ClassId worker_class) const {
  for (const RelativeRate& rate : description_.rates)
    if (rate.worker_class == worker_class && rate.codelet == codelet) return or_one(rate.rate);
  const std::optional<ClassId> core = core_of(worker_class);
  return core ? relative_rate(codelet, *core) : 1.0;
}

std::optional<MachineModel::Time> MachineModel::roofline(const TaskFootprint& task, ClassId worker_class,
                                                         double clock_ratio) const {
  const WorkerClassDescription& c = description_.classes[worker_class.index()];
  const auto p = static_cast<std::size_t>(precision_of(task));
  if (!task.work.known) return std::nullopt;
  if (task.work.flops > 0.0 && !(c.peak[p] > 0.0)) return std::nullopt;
  const double cores_used = task.moldable ? 1.0 : 1.0 / c.cores;  // share of the worker's

  double compute = c.kernel_overhead.value, move = 0.0;
  if (task.work.flops > 0.0)
    compute += task.work.flops /
               (cores_used * c.peak[p] * or_one(c.efficiency[p]) * relative_rate(task.codelet, worker_class) * clock_ratio);
  if (task.work.bytes > 0.0) {
    if (c.bandwidth > 0.0)
      move = task.work.bytes / c.bandwidth;
    else if (!(task.work.flops > 0.0))
      return std::nullopt;  // bytes alone, and nobody says how fast they move
  }
  return Time{Seconds(std::max(compute, move)), move > compute};
}

std::optional<Prediction> MachineModel::measured(const TaskFootprint& task, ClassId worker_class) const {
  const std::vector<Row>* known = rows(task.codelet, worker_class);
  if (known == nullptr) return std::nullopt;
  const Precision precision = precision_of(task);
  for (const Row& row : *known) {
    const auto is_shape = [&](std::size_t i) {
      const auto& [rows, cols] = row.shapes[row.shapes.size() == 1 ? 0 : i];
      return task.accesses[i].rows == rows && task.accesses[i].cols == cols;
    };
    bool equal = row.timing->precision == precision && !row.shapes.empty() && !task.accesses.empty() &&
                 (row.shapes.size() == 1 || row.shapes.size() == task.accesses.size());
    for (std::size_t i = 0; equal && i < task.accesses.size(); ++i) equal = is_shape(i);
    if (equal) return complete({row.timing->seconds, {}, row.timing->spread, "machine file"}, task, worker_class);
  }
  return std::nullopt;
}

std::optional<Prediction> MachineModel::interpolated(const TaskFootprint& task, ClassId worker_class) const {
  const std::vector<Row>* known = rows(task.codelet, worker_class);
  if (known == nullptr) return std::nullopt;
  const Precision precision = precision_of(task);
  const auto belongs = [&](const Row& row) {
    return row.timing->precision == precision && (row.shapes.size() <= 1 || row.shapes.size() == task.accesses.size());
  };
  // Flops where all of them are known: they also tell apart what has as many elements.
  bool by_flops = flops_of(task) > 0.0;
  for (const Row& row : *known) by_flops = by_flops && (!belongs(row) || row.timing->flops > 0.0);

  std::vector<SizePoint> points;
  for (const Row& row : *known)
    if (belongs(row))
      points.push_back({by_flops ? row.timing->flops : row.elements(task.accesses.size()), row.timing->seconds.value});
  const auto seconds = interpolate(std::move(points), by_flops ? flops_of(task) : elements_of(task));
  if (!seconds) return std::nullopt;
  return complete({*seconds, {}, kRegressionUncertainty, "regression"}, task, worker_class);
}

std::optional<Prediction> MachineModel::from_work(const TaskFootprint& task, ClassId worker_class) const {
  const WorkerClassDescription& c = description_.classes[worker_class.index()];
  if (!task.work.known) return std::nullopt;
  const double stated = c.kind == WorkerKind::cpu ? task.work.seconds : task.work.gpu_seconds;
  if (stated > 0.0) return complete({Seconds(stated), {}, 0.0, "stated"}, task, worker_class);
  if (task.work.seconds > 0.0 || task.work.gpu_seconds > 0.0) {
    // A time on a core is no time on a GPU, nor the other way round; flops and bytes are for both.
    if (task.work.flops <= 0.0 && task.work.bytes <= 0.0) return std::nullopt;
  }

  double clock_ratio = 1.0;
  if (c.power.known) {
    const auto at_full_clock = roofline(task, worker_class, 1.0);
    if (!at_full_clock) return std::nullopt;
    const double seconds = at_full_clock->seconds.value;
    const double watts = seconds > 0.0 ? task.work.bytes / seconds * joules_per_byte_[worker_class.index()] : 0.0;
    clock_ratio =
        operating_point(c.power, precision_of(task), at_full_clock->memory_bound, watts, Watts(0.0)).clock_ratio;
  }
  const auto time = roofline(task, worker_class, clock_ratio);
  if (!time) return std::nullopt;
  return complete({time->seconds, {}, kRooflineUncertainty, "roofline"}, task, worker_class);
}

Prediction MachineModel::complete(Prediction prediction, const TaskFootprint& task, ClassId worker_class) const {
  const WorkerClassDescription& c = description_.classes[worker_class.index()];
  if (c.power.known) {
    const auto bound = roofline(task, worker_class, 1.0);
    const double bytes = task.work.known ? task.work.bytes : 0.0, seconds = prediction.seconds.value;
    const double watts = seconds > 0.0 ? bytes / seconds * joules_per_byte_[worker_class.index()] : 0.0;
    prediction.power =
        operating_point(c.power, precision_of(task), bound && bound->memory_bound, watts, Watts(0.0)).power;
  }
  prediction.seconds += c.task_overhead;
  return prediction;
}

std::optional<ClassId> MachineModel::core_of(ClassId team) const {
  if (description_.classes[team.index()].cores == 1) return std::nullopt;
  for (std::uint32_t c = 0; c < description_.classes.size(); ++c)
    if (const auto& about = description_.classes[c]; about.kind == WorkerKind::cpu && about.cores == 1) return ClassId(c);
  return std::nullopt;
}

Prediction MachineModel::on_one_core(Prediction prediction, ClassId team, ClassId core) const {
  const WorkerClassDescription &t = description_.classes[team.index()], &c = description_.classes[core.index()];
  prediction.seconds += t.task_overhead - c.task_overhead;
  if (c.power.known) prediction.power += c.power.idle * (t.cores - 1.0);
  return prediction;
}

Prediction MachineModel::scaled(Prediction prediction, const TaskFootprint& task, ClassId team, ClassId core) const {
  const WorkerClassDescription &t = description_.classes[team.index()], &c = description_.classes[core.index()];
  const double body = (prediction.seconds - c.task_overhead).value;
  const Seconds seconds(body / (t.cores * or_one(t.team_efficiency)));
  return complete({seconds, {}, std::max(prediction.uncertainty, kRooflineUncertainty), "scaled"}, task, team);
}

std::optional<Prediction> MachineModel::predict(const TaskFootprint& task, ClassId worker_class) const {
  return predict_by(task, worker_class, [&](ClassId c) {
    auto found = measured(task, c);
    return found ? found : interpolated(task, c);
  });
}

}  // namespace mitra::model
