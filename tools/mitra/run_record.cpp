// Flow: call -> [run record] -> output. Thread-safety: a value.

#include "run_record.hpp"

#include <sys/resource.h>

#include <charconv>
#include <cstdio>

#include "quartiles.hpp"

namespace mitra::tool {
namespace {

/// A parameter's value is a number where it reads as one.
Json typed(const std::string& text) {
  const char* end = text.data() + text.size();
  std::uint64_t whole = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, whole); error == std::errc{} && stop == end)
    return whole;
  double number = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, number); error == std::errc{} && stop == end)
    return number;
  return text;
}

Json nulls(std::initializer_list<const char*> keys) {
  Json object = Json::object({});
  for (const char* key : keys) object.set(key, nullptr);
  return object;
}

Json bounds_json(const Bounds& bounds, std::optional<double> gap) {
  return Json::object({{"critical_path_s", bounds.critical_path.value},
                       {"area_s", bounds.area.value},
                       {"mixed_s", bounds.mixed.value},
                       {"best_s", bounds.best.value},
                       {"gap", gap},
                       {"energy_j", bounds.energy > Joules(0.0) ? Json(bounds.energy.value) : Json()}});
}

Json energy_json(const SimulationReport& report) {
  const auto& energy = report.energy;
  Json components = Json::object({});
  for (const auto& [name, joules] : energy.components) components.set(name, joules.value);
  return Json::object({{"total_j", energy.total.value},
                       {"source", "model"},
                       {"average_w", (energy.total / report.makespan).value},
                       {"peak_w", energy.peak.value},
                       {"edp_js", energy.total.value * report.makespan.value},
                       {"by_component", components},
                       {"power_cap_w", nullptr},
                       {"cap_violation_s", nullptr}});
}

std::string hexadecimal(std::uint64_t value) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value));
  return digits;
}

}  // namespace

Bytes peak_rss() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Bytes(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
}

std::optional<DevicesRecord> devices_of(const Runtime& rt) {
  const Statistics statistics = rt.statistics();
  if (!statistics.memory || rt.config().backend != "native") return std::nullopt;
  return DevicesRecord{statistics.lost_devices, statistics.recomputed};
}

Json RunRecord::json() const {
  Json given = Json::object({});
  for (const auto& [name, value] : parameters) given.set(name, typed(value));
  Json classes = Json::array();
  for (const WorkerClassRecord& c : worker_classes)
    classes.push(
        Json::object({{"name", c.name}, {"count", c.count}, {"busy_fraction", c.busy_fraction}, {"tasks", c.tasks}}));
  std::vector<double> makespans;
  for (const Seconds time : repetitions) makespans.push_back(time.value);

  Json memory =
      nulls({"bytes_to_device", "bytes_from_device", "bytes_peer", "evictions", "peak_bytes", "peak_rss_bytes"});
  Json decisions = nulls({"count", "mean_ns", "max_ns"});
  if (simulation || this->memory) {
    const auto& moved = simulation ? simulation->memory : *this->memory;
    Json peak = Json::object({});
    for (const auto& [name, bytes] : moved.peak) peak.set(name, bytes.value);
    memory = Json::object({{"bytes_to_device", moved.to_device.value},
                           {"bytes_from_device", moved.from_device.value},
                           {"bytes_peer", moved.between_devices.value},
                           {"bytes_network", moved.network.value},
                           {"bytes_to_storage", moved.to_storage.value},
                           {"bytes_from_storage", moved.from_storage.value},
                           {"bytes_between_domains", moved.between_domains.value},
                           {"transfers", moved.transfers},
                           {"evictions", moved.evictions},
                           {"peak_bytes", peak},
                           {"peak_rss_bytes", nullptr}});
  }
  if (simulation)
    decisions = Json::object({{"count", simulation->decisions.count},
                              {"mean_ns", simulation->decisions.mean_ns},
                              {"max_ns", simulation->decisions.max_ns}});
  if (peak_rss) memory.set("peak_rss_bytes", peak_rss->value);

  return Json::object({
      {"workload", workload},
      {"parameters", given},
      {"backend", backend},
      {"scheduler", scheduler},
      {"machine", machine},
      {"seed", seed},
      {"tasks", tasks},
      {"workers", workers},
      {"makespan_s", makespan.value},
      {"tasks_per_s", tasks_per_second()},
      {"gflops", gflops()},
      {"flops", flops},
      {"reference_gflops", reference_gflops},
      {"submit_s", submit ? Json(submit->value) : Json()},
      {"wall_s", wall.value},
      {"residual", residual},
      {"verified", verified},
      {"bounds", bounds ? bounds_json(*bounds, gap())
                        : nulls({"critical_path_s", "area_s", "mixed_s", "best_s", "gap", "energy_j"})},
      {"energy",
       knows_energy() ? energy_json(*simulation)
       : nulls({"total_j", "source", "average_w", "peak_w", "edp_js", "by_component", "power_cap_w", "cap_violation_s"})},
      {"memory", memory},
      {"devices", devices ? Json::object({{"lost", devices->lost}, {"recomputed", devices->recomputed}}) : nulls({"lost", "recomputed"})},
      {"worker_classes", classes},
      {"decisions", decisions},
      {"schedule_digest", simulation ? Json(hexadecimal(simulation->schedule_digest)) : Json()},
      {"repetitions", Json::object({{"count", makespans.size()},
                                    {"makespan_s", makespans.empty() ? Json() : Quartiles::of(makespans).json()}})},
  });
}

}  // namespace mitra::tool
