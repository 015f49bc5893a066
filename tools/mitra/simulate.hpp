// One workload under one scheduler, in virtual time or live: what `simulate`, `compare` and the benchmarks share.
// Flow: call -> [simulate] -> Runtime -> run record. Thread-safety: several runs at once, each with its own Runtime.
#pragma once

#include <functional>
#include <optional>

#include <mitra/config.hpp>
#include <mitra/lower_bounds.hpp>

#include "run_record.hpp"
#include "workload_choice.hpp"

namespace mitra::tool {

/// @param bounds   Of the same workload on the same machine, if they are known; otherwise those of the run's own books.
/// @throws TaskError, Error, ConfigError as Runtime does.
RunRecord run_once(const WorkloadChoice& workload, const Config& config, const std::optional<Bounds>& bounds = std::nullopt);

}  // namespace mitra::tool
