// The task graphs that runtimes are compared on; bench/peers has the same ones for the others.
// Flow: `mitra bench`, micro benchmarks -> [overhead graph] -> Runtime::submit. Thread-safety: submission thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <mitra/mitra.hpp>

namespace mitra::workloads {

enum class OverheadPattern : std::uint8_t {
  independent,       ///< Tasks without data.
  independent_data,  ///< Each task writes a datum of its own.
  chain,             ///< Each task changes the same datum.
  stencil_1d,        ///< Task Bench's, with two buffers used in turn.
  cholesky,          ///< The accesses of a tiled factorisation.
};

inline constexpr std::array<std::string_view, 5> kOverheadPatterns{"independent", "independent_data", "chain",
                                                                   "stencil_1d", "cholesky"};

/// @throws ConfigError for an unknown name; it lists the known ones.
OverheadPattern overhead_pattern(std::string_view name);

struct OverheadSize {
  std::uint64_t tasks = 100'000;  ///< independent, independent_data, chain; stencil_1d: whole steps of about so many.
  std::uint64_t width = 64;       ///< stencil_1d.
  std::uint64_t steps = 0;        ///< stencil_1d; 0: as `tasks` says.
  std::uint64_t tiles = 60;       ///< cholesky, in a row: tiles (tiles + 1) (tiles + 2) / 6 tasks.
  std::uint64_t iterations = 0;   ///< Of compute() in each task; 0: the bodies are empty.
};

/// Data, registered with a Runtime, and the loops that submit tasks on them. Bodies take the views that their accesses
/// give, as those of an application would.
class OverheadGraph {
 public:
  OverheadGraph(Runtime& rt, OverheadPattern pattern, const OverheadSize& size);

  std::uint64_t tasks() const;
  /// Submits every task of the graph once; the caller waits, or records.
  void submit();

 private:
  template <class Body>
  void submit_with(Body body);
  template <class Body>
  void submit_stencil(Body body);
  template <class Body>
  void submit_cholesky(Body body);
  std::uint64_t steps() const;

  Runtime& rt_;
  const OverheadPattern pattern_;
  const OverheadSize size_;
  std::vector<double> values_;
  std::vector<Object<double>> data_;  // after values_: handles go before what they lend
};

}  // namespace mitra::workloads
