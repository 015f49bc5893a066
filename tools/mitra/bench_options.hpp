// What the benchmarks share: modes, counts of workers, one Runtime for each.
// Flow: command line -> [bench options] -> benchmark. Thread-safety: main thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/mitra.hpp>
#include <mitra/recorded_graph.hpp>

#include "call.hpp"
#include "runtime_options.hpp"
#include "workloads/overhead_graph.hpp"

namespace mitra::tool {

inline constexpr std::array<std::string_view, 2> kModes{"submit", "replay"};

struct BenchOptions {
  std::vector<std::string> modes{kModes.begin(), kModes.end()};
  std::vector<std::uint64_t> workers;
  std::uint64_t repeat;
  RuntimeOptions runtime;

  explicit BenchOptions(std::uint64_t repetitions) : repeat(repetitions) {}
  std::vector<Option> options();
  /// A Runtime for each count of workers; all of them live until the benchmark ends, and sleep while another one works.
  /// @throws ConfigError for an option that cannot be.
  std::vector<std::unique_ptr<Runtime>> start() const;
};

/// One graph on one Runtime, in one mode: what is timed.
class BenchCase {
 public:
  BenchCase(Runtime& rt, workloads::OverheadPattern pattern, const workloads::OverheadSize& size, std::string mode);

  /// @returns The time from the first submission to the last completion; a replay's graph has been recorded before.
  Seconds run();

  std::uint64_t tasks() const { return graph_.tasks(); }
  std::size_t workers() const { return rt_.machine().workers.size(); }
  const std::string& mode() const { return mode_; }

 private:
  Runtime& rt_;
  workloads::OverheadGraph graph_;
  std::string mode_;
  RecordedGraph recorded_;
};

}  // namespace mitra::tool
