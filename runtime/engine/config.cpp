// The one place that reads the environment, and the one that writes to standard error.
// Flow: environment -> [config] -> Runtime.
#include <mitra/config.hpp>

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <mitra/error.hpp>
#include <mitra/model_store.hpp>

#include "engine/task_engine.hpp"

extern char** environ;

namespace mitra {

namespace {

struct Variable {
  std::string_view name;
  void (*set)(Config&, const std::string&);
};

template <class Number>
Number number(std::string_view name, const std::string& text, std::string_view expected) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw ConfigError(detail::message(name, "=", text, ": ", expected, " is expected"));
  return value;
}

constexpr Variable kVariables[] = {
    {"MITRA_BACKEND", [](Config& c, const std::string& v) { c.backend = v; }},
    {"MITRA_BIND",
     [](Config& c, const std::string& v) {
       if (v != "0" && v != "1") throw ConfigError(detail::message("MITRA_BIND=", v, ": 0 or 1 is expected"));
       c.bind = v == "1";
     }},
    {"MITRA_EMU", [](Config& c, const std::string& v) { c.emu = v; }},
    {"MITRA_EXECUTE",
     [](Config& c, const std::string& v) {
       if (v != "0" && v != "1") throw ConfigError(detail::message("MITRA_EXECUTE=", v, ": 0 or 1 is expected"));
       c.execute = v == "1";
     }},
    {"MITRA_HIP", [](Config& c, const std::string& v) { c.hip = v; }},
    {"MITRA_INFORMATION", [](Config& c, const std::string& v) { c.information = v; }},
    {"MITRA_MACHINE", [](Config& c, const std::string& v) { c.machine = v; }},
    {"MITRA_MEMORY", [](Config& c, const std::string& v) { c.memory = v; }},
    {"MITRA_MODELS", [](Config& c, const std::string& v) { c.models = v; }},
    {"MITRA_NOISE", [](Config& c, const std::string& v) { c.noise = number<double>("MITRA_NOISE", v, "a number"); }},
    {"MITRA_NUMA", [](Config& c, const std::string& v) { c.numa = v; }},
    {"MITRA_RECORD_GRAPH", [](Config& c, const std::string& v) { c.record_graph = v; }},
    {"MITRA_RECOVERY",
     [](Config& c, const std::string& v) {
       if (v != "0" && v != "1") throw ConfigError(detail::message("MITRA_RECOVERY=", v, ": 0 or 1 is expected"));
       c.recovery = v == "1";
     }},
    {"MITRA_SCHEDULER", [](Config& c, const std::string& v) { c.scheduler = v; }},
    {"MITRA_SEED", [](Config& c, const std::string& v) { c.seed = number<std::uint64_t>("MITRA_SEED", v, "a whole number"); }},
    {"MITRA_SPILL", [](Config& c, const std::string& v) { c.spill = v; }},
    {"MITRA_TEAMS", [](Config& c, const std::string& v) { c.teams = v; }},
    {"MITRA_UNKNOWN",
     [](Config& c, const std::string& v) { c.unknown = Seconds(number<double>("MITRA_UNKNOWN", v, "a number of seconds")); }},
    {"MITRA_WATCHDOG",
     [](Config& c, const std::string& v) {
       const double seconds = number<double>("MITRA_WATCHDOG", v, "a number of seconds");
       if (!(seconds >= 0.0 && seconds < 1e9)) throw ConfigError(detail::message("MITRA_WATCHDOG=", v, ": 0 to 1e9 seconds are expected"));
       c.watchdog = Seconds(seconds);
     }},
    {"MITRA_WINDOW",
     [](Config& c, const std::string& v) { c.window = number<std::size_t>("MITRA_WINDOW", v, "a number of tasks"); }},
    {"MITRA_WORKERS",
     [](Config& c, const std::string& v) {
       c.workers = number<unsigned>("MITRA_WORKERS", v, "a number of threads");
       if (c.workers == 0) throw ConfigError("MITRA_WORKERS=0: at least 1 thread is needed; unset it for one a core");
     }},
};

/// @returns Where measured times of this machine lie; empty where the environment names no place for caches.
std::string usual_models() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  const std::string_view cache_name = cache == nullptr ? "" : cache, home_name = home == nullptr ? "" : home;
  return cache_name.empty() && home_name.empty() ? std::string() : default_models_path(cache_name, home_name, host_name());
}

// Read by Mitra's tests and tools, not by the library.
constexpr std::string_view kForeign[] = {"MITRA_TEST_"};

}  // namespace

Config Config::from_environment() {
  Config config;
  config.models = usual_models();
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !text.starts_with("MITRA_")) continue;
    const std::string_view name = text.substr(0, equals);
    bool known = false;
    for (std::string_view prefix : kForeign) known |= name.starts_with(prefix);
    for (const Variable& variable : kVariables) {
      if (variable.name != name) continue;
      variable.set(config, std::string(text.substr(equals + 1)));
      known = true;
    }
    if (known) continue;
    std::string list;
    for (const Variable& variable : kVariables) list += (list.empty() ? "" : ", ") + std::string(variable.name);
    throw ConfigError(detail::message("unknown environment variable ", name, "; known: ", list));
  }
  return config;
}

void engine::report_to_standard_error(std::string_view text) {
  std::fprintf(stderr, "mitra: %.*s", static_cast<int>(text.size()), text.data());
}

}  // namespace mitra
