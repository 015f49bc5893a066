// Configurations that tests share.
// Flow: tests -> [runtimes] -> Runtime. Thread-safety: immutable.
#pragma once

#include <mitra/mitra.hpp>
#include <string>

namespace mitra::test {

/// The defaults with so many threads in all, the calling one among them.
inline Config with_workers(unsigned workers, std::string scheduler = "locality_ws") {
  Config config;
  config.workers = workers;
  config.scheduler = std::move(scheduler);
  config.hip = "off";  // tests count workers
  return config;
}

/// One thread: nothing runs before a wait, then what is ready runs in the order of its priority. An order that tests
/// foresee without looking at a clock: of two tasks, the later one of higher priority comes first unless it depends.
inline Config foreseeable() { return with_workers(1, "priority"); }

}  // namespace mitra::test
