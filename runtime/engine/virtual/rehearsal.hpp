// What has been submitted and has not begun, run again under other policies: each time in an engine and a virtual time of
// its own, as the models see it. For policies that want to know before they decide.
// Flow: submission -> [rehearsal] -> another task engine -> makespan -> policy. Thread-safety: serialised, the engine's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/engine.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/performance_model.hpp>
#include <mitra/scheduling_policy.hpp>

#include "graph/datum.hpp"
#include "memory/memory_manager.hpp"

namespace mitra::engine {

class Rehearsal {
 public:
  /// What a policy is told of a task.
  using Estimates = std::function<std::optional<Estimate>(const detail::TaskHeader& task, ClassId worker_class)>;

  /// @param config  Of the run itself: its seed, and the duration of tasks that no model knows.
  Rehearsal(const MachineDescription& description, const Machine& machine, const Config& config, const memory::MemoryManager& memory)
      : description_(description), machine_(machine), config_(config), memory_(memory) {}

  void submitted(const detail::TaskHeader& task, const detail::SubmitExtras* extras);
  /// A task runs, or will not run: what is open is no longer all that was submitted.
  void begun() { possible_ = false; }
  /// Nothing is open.
  void end_phase();

  /// @returns The makespans of all that is open; infinite for those that are longer than another one; empty if they cannot
  ///          be known: a task has begun, or has a parent, or stands for a replay, or no model knows it.
  /// @throws Whatever one of the policies throws. @thread Each runs on a thread of its own, on as many as there are cores.
  std::vector<Seconds> run(std::span<const PolicyMaker> policies, const Estimates& estimates);

 private:
  struct Access {
    std::uint32_t datum;
    AccessMode mode;
    const detail::ReduceOperation* operation;
  };
  struct Entry {
    const detail::TaskHeader* task;
    std::uint64_t id;
    std::size_t first_after;  // in after_, ids
  };
  using Row = std::vector<std::optional<Prediction>>;  // by class
  class Told;
  bool write_script(const Estimates& estimates);
  Seconds run_one(const PolicyMaker& policy, std::atomic<double>& least) const;
  std::uint32_t number_of(graph::Datum& datum);

  const MachineDescription& description_;
  const Machine& machine_;
  const Config& config_;
  const memory::MemoryManager& memory_;
  std::vector<Entry> entries_;
  std::vector<std::uint64_t> after_;
  bool possible_ = true;

  // The script: what every run of the same graph has in common.
  bool written_ = false;
  std::vector<graph::Datum*> data_;
  std::unordered_map<const graph::Datum*, std::uint32_t> numbers_;
  std::vector<Access> accesses_;               // of all tasks, in order
  std::vector<const char*> names_;             // by task; equal addresses, equal times
  std::deque<std::string> texts_;
  std::unordered_map<const char*, Row> told_;  // by the address of a name
};

/// A run took longer than it was worth.
class TimeIsUp : public Error {
 public:
  using Error::Error;
};

}  // namespace mitra::engine
