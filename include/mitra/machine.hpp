// The machine as policies see it: workers, classes of equal workers, memory nodes, distances.
// Flow: model -> engine -> [machine] -> schedulers. Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <mitra/types.hpp>

namespace mitra {

/// What kind of implementation a worker executes.
enum class WorkerKind : std::uint8_t { cpu, hip };
inline constexpr std::size_t kWorkerKinds = 2;

constexpr const char* to_string(WorkerKind kind) { return kind == WorkerKind::cpu ? "cpu" : "hip"; }

/// Workers that are equal to every model: policies decide by class, then take any worker of it.
struct WorkerClass {
  std::string name;                      ///< "cpu", ...
  WorkerKind kind = WorkerKind::cpu;
  NodeId node{0};                        ///< The memory node of its first worker; each has its own in Worker::node.
  std::vector<WorkerId> workers;         ///< In order of their identity.
  bool can_abort = false;                ///< A running task can be taken back. @see SchedulerView::take_back
  unsigned cores = 1;                    ///< Of each of its workers; more than one: teams, for tasks that are moldable.
};

struct Worker {
  WorkerId id;
  ClassId worker_class{0};
  NodeId node{0};
  int processor = -1;   ///< Operating-system index of the core that is meant for it; -1: it shares them with others.
  int l3_domain = 0;    ///< Index of the last-level cache it shares.
  int numa_domain = 0;  ///< Index of the NUMA domain.
  int compute_node = 0; ///< Index of the compute node, on simulated machines of several.
  std::vector<int> bound_to{};  ///< Processors that it may run on: those of its last-level cache that belong to no team, or
                                ///< those of the team that it is; empty: not bound.
  unsigned cores = 1;   ///< More than one: a team. @see WorkerClass::cores
  std::string power_domain{};  ///< Equal for devices that share a power cap: compute partitions of one GPU. Empty: not known.
};

struct MemoryNode {
  std::string name;  ///< "host", ...
  Bytes capacity;    ///< 0: unknown.
  int compute_node = 0;
};

/// Everything that is known of the machine before a run.
struct Machine {
  std::string name;
  std::vector<Worker> workers;
  std::vector<WorkerClass> classes;
  std::vector<MemoryNode> memory_nodes;
  int processors = 1;  ///< Processors that the process may use (cpuset, cgroup); workers may be more.
  std::vector<std::string> remarks{};  ///< What was looked for, and is not used, and why, or is used: a line each.

  /// 0: same core, 1: same last-level cache, 2: same NUMA domain, 3: same machine.
  int distance(WorkerId a, WorkerId b) const {
    const Worker& x = workers[a.index()];
    const Worker& y = workers[b.index()];
    if (x.processor >= 0 && x.processor == y.processor) return 0;
    if (x.l3_domain == y.l3_domain) return 1;
    return x.numa_domain == y.numa_domain ? 2 : 3;
  }
};

/// Equal workers of one memory node: nothing but their queues tells them apart, so a policy decides among places.
struct Place {
  ClassId worker_class{0};
  NodeId node{0};
  std::vector<WorkerId> workers{};
};

/// @returns The places of a machine, by class, then by node. 260 workers of Alice Recoque are five.
inline std::vector<Place> places_of(const Machine& machine) {
  std::vector<Place> places;
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c) {
    const std::size_t first = places.size();
    for (const WorkerId id : machine.classes[c].workers) {
      const NodeId node = machine.workers[id.index()].node;
      std::size_t i = first;
      // The workers of a node come together: the last place is nearly always the one.
      if (places.size() > first && places.back().node == node)
        i = places.size() - 1;
      else
        while (i < places.size() && places[i].node != node) ++i;
      if (i == places.size()) places.push_back({ClassId(c), node, {}});
      places[i].workers.push_back(id);
    }
  }
  return places;
}

}  // namespace mitra
