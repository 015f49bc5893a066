// The scheduling policies that a Config can name.
// Flow: schedulers, shared objects -> [registry] -> engine. Thread-safety: thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/scheduling_policy.hpp>

namespace mitra {

/// @returns The policies built into this library, by name.
std::vector<const PolicyInfo*> schedulers();

/// @returns The policy of a Config that names none (`auto`): one for cores alone, another one where devices have memories of their own.
std::string default_scheduler(const Machine& machine);

/// Makes a policy from NAME[:key=value,...] or FILE.so:NAME[:key=value,...]. A shared object stays loaded.
/// @throws ConfigError for an unknown name or parameter (it lists the known ones), or a file that cannot be loaded.
std::unique_ptr<SchedulingPolicy> make_scheduler(std::string_view description);

}  // namespace mitra
