// Policies built into the library; the function is generated from the names of the files in schedulers/.
// Flow: schedulers -> [registry] -> engine.
#pragma once

#include <span>

#include <mitra/scheduling_policy.hpp>

namespace mitra::detail {

std::span<const PolicyInfoFunction> builtin_schedulers() noexcept;

}  // namespace mitra::detail
