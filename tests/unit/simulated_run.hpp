// A workload in virtual time, for tests of policies: machine, policy and size in, report out.
// Flow: tests -> [simulated run] -> Runtime. Thread-safety: one thread.
#pragma once

#include <mitra/mitra.hpp>
#include <string>

#include "workloads/workload.hpp"

namespace mitra::test {

struct SimulatedRun {
  std::string machine;    ///< A name, or a file.
  std::string scheduler;  ///< With its parameters.
  std::string workload = "cholesky";
  std::size_t tiles = 8, tile = 960;
  std::string precision = "double";
  std::string information = "exact";

  workloads::WorkloadResult operator()() const {
    Config config;
    config.backend = "sim";
    config.machine = machine;
    config.scheduler = scheduler;
    config.information = information;
    Runtime rt(config);
    return workloads::run(rt, workload,
                          {{"n", std::to_string(tiles * tile)}, {"tile", std::to_string(tile)}, {"precision", precision}});
  }
};

/// GFLOP/s of virtual time.
inline double rate(const workloads::WorkloadResult& result) { return result.flops / result.makespan.value * 1e-9; }

}  // namespace mitra::test
