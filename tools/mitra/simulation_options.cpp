// Flow: command line -> [simulation options] -> Config. Thread-safety: main thread.

#include "simulation_options.hpp"

#include <charconv>

#include <mitra/error.hpp>

#include "runtime_options.hpp"

namespace mitra::tool {

std::vector<Option> SimulationOptions::options() {
  return {
      {"--machine", &machine, "NAME", "A name of `mitra machine --list`, identical, or a machine file [MITRA_MACHINE]"},
      {"--workers", &workers, "N", "Workers of the machine `identical` [MITRA_WORKERS]"},
      {"--seed", &seed, "N", "Source of every random choice: workload, scheduler, noise [MITRA_SEED]"},
      {"--noise", &noise, "SIGMA", "Durations vary by a log-normal factor of mean 1 and this sigma [MITRA_NOISE]"},
      {"--information", &information, "MODE",
       "What the scheduler is told of durations: exact, noisy[:SIGMA], mean, blind [MITRA_INFORMATION]"},
      {"--window", &window, "N", "Tasks in flight before submission waits; 0: no limit [MITRA_WINDOW]"},
      {"--unknown", &unknown, "SECONDS", "Duration of tasks that no model knows; without it they are an error [MITRA_UNKNOWN]"},
      {"--execute", &execute, "", "Run the bodies for their values, and verify them; time stays virtual [MITRA_EXECUTE]"},
  };
}

double checked_number(const char* option, const std::string& text, double least, double most) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= least && value <= most))
    throw ConfigError(detail::message(option, ' ', text, ": a number of ", least, " to ", most, " is expected"));
  return value;
}

Config SimulationOptions::config() const {
  Config config = Config::from_environment();
  config.backend = "sim";
  if (machine) config.machine = *machine;
  if (workers) config.workers = checked_workers(*workers);
  if (seed) config.seed = *seed;
  if (window) config.window = *window;
  if (noise) config.noise = checked_number("--noise", *noise, 0.0, 10.0);
  if (information) config.information = *information;
  if (unknown) config.unknown = Seconds(checked_number("--unknown", *unknown, 0.0, 1e9));
  if (execute) config.execute = true;
  return config;
}

}  // namespace mitra::tool
