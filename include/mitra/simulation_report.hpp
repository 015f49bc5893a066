// What a run in virtual time says of itself when it is over.
// Flow: engine -> [simulation report] -> tools, tests. Thread-safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <mitra/lower_bounds.hpp>
#include <mitra/types.hpp>

namespace mitra {

struct SimulationReport {
  Seconds makespan;               ///< Until the last task's end.
  std::uint64_t tasks = 0;        ///< Executed.
  double flops = 0.0;             ///< Of those that state them.
  std::uint64_t unknown_tasks = 0;  ///< No model knew them: they took Config::unknown.

  struct ClassReport {
    std::string name;
    std::size_t workers = 0;
    Seconds busy;                 ///< Summed over its workers.
    std::uint64_t tasks = 0;
    Joules energy;                ///< Of its workers, idle and busy.
  };
  std::vector<ClassReport> classes;

  struct Energy {
    bool known = false;           ///< The machine file says what its workers draw.
    Joules total;                 ///< The sum of the components, by the power conversion.
    std::vector<std::pair<std::string, Joules>> components;
    Watts peak;                   ///< Of all workers and constant consumers at one moment.
  } energy;

  struct Memory {
    Bytes to_device, from_device, between_devices, network;
    Bytes to_storage, from_storage;  ///< Live runs alone: a spill directory's.
    Bytes between_domains;           ///< Live runs with numa=nodes: between the memories of NUMA domains, the home among them.
    std::uint64_t transfers = 0, evictions = 0;
    std::vector<std::pair<std::string, Bytes>> peak;  ///< By memory node: the most that lay there at one time.
  } memory;

  struct Decisions {
    std::uint64_t count = 0;      ///< Calls of the policy.
    double mean_ns = 0.0, max_ns = 0.0;  ///< Of wall time; one call in 16 is measured.
  } decisions;

  std::uint64_t schedule_digest = 0;  ///< Over (task, worker, start, end), in order of completion.
  BoundProblem bounds;                ///< What lower_bounds() needs: groups, resources, a critical path.
};

}  // namespace mitra
