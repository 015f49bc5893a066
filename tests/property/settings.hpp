// Under what the properties must hold: every policy, few workers and many, a window that is never full and one that always is.
// Flow: [settings] -> property tests. Thread-safety: one thread.
#pragma once

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

namespace mitra::property {

/// Calls test(rt, seed) for each setting and so many seeds; one Runtime serves all seeds of a setting.
template <class Test>
void in_every_setting(std::uint64_t seeds, Test test) {
  for (const PolicyInfo* policy : schedulers())
    for (const unsigned workers : {1U, 2U, 3U, 8U, 64U})
      for (const std::size_t window : {std::size_t{0}, std::size_t{5}}) {
        Config config = test::with_workers(workers, policy->name);
        config.window = window;
        Runtime rt(config);
        for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 9) / 10 : seeds)) {
          MITRA_INFO_SEED(seed);
          INFO(policy->name << ", " << workers << " workers, window " << window);
          test(rt, seed);
        }
      }
}

}  // namespace mitra::property
