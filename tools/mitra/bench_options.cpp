// Flow: command line -> [bench options] -> benchmark. Thread-safety: main thread.

#include "bench_options.hpp"

#include <algorithm>
#include <chrono>

#include <mitra/error.hpp>

namespace mitra::tool {

std::vector<Option> BenchOptions::options() {
  return {{"--modes", &modes, "LIST", "submit: infer the dependencies; replay: run a recorded graph [submit,replay]"},
          {"--workers", &workers, "LIST",
           "Threads in all, for each Runtime [as MITRA_WORKERS says, or one for each processor]"},
          {"--repeat", &repeat, "N",
           "Repetitions, interleaved; medians and quartiles are reported [" + std::to_string(repeat) + "]"},
          {"--scheduler", &runtime.scheduler, "NAME", "A policy of `mitra schedulers` [MITRA_SCHEDULER]"},
          {"--seed", &runtime.seed, "N", "Source of the scheduler's random choices [MITRA_SEED]"}};
}

std::vector<std::unique_ptr<Runtime>> BenchOptions::start() const {
  if (repeat == 0) throw ConfigError("--repeat is at least 1");
  for (const std::string& mode : modes)
    if (std::ranges::find(kModes, mode) == kModes.end())
      throw ConfigError(detail::message("unknown mode '", mode, "'; known: ", kModes[0], ", ", kModes[1]));
  Config config = runtime.config();
  std::vector<std::unique_ptr<Runtime>> runtimes;
  for (const std::uint64_t count : workers.empty() ? std::vector<std::uint64_t>{config.workers} : workers) {
    config.workers = checked_workers(count);
    runtimes.push_back(std::make_unique<Runtime>(config));
  }
  return runtimes;
}

BenchCase::BenchCase(Runtime& rt, workloads::OverheadPattern pattern, const workloads::OverheadSize& size,
                     std::string mode)
    : rt_(rt), graph_(rt, pattern, size), mode_(std::move(mode)) {
  if (mode_ == "replay") recorded_ = rt_.record([this] { graph_.submit(); });
}

Seconds BenchCase::run() {
  const auto start = std::chrono::steady_clock::now();
  if (mode_ == "replay")
    rt_.replay(recorded_);
  else
    graph_.submit();
  rt_.wait();
  return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace mitra::tool
