// Flow: call -> [run record] -> output. Thread-safety: a value.

#include "run_record.hpp"

#include <sys/resource.h>

#include <charconv>

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

}  // namespace

Bytes peak_rss() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Bytes(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
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
      {"bounds", nulls({"critical_path_s", "area_s", "mixed_s", "best_s", "gap", "energy_j"})},
      {"energy",
       nulls({"total_j", "source", "average_w", "peak_w", "edp_js", "by_component", "power_cap_w", "cap_violation_s"})},
      {"memory", memory},
      {"worker_classes", classes},
      {"decisions", nulls({"count", "mean_ns", "max_ns"})},
      {"schedule_digest", nullptr},
      {"repetitions", Json::object({{"count", makespans.size()},
                                    {"makespan_s", makespans.empty() ? Json() : Quartiles::of(makespans).json()}})},
  });
}

}  // namespace mitra::tool
