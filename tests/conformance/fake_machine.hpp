// Machines that policies are tested on: they need not exist.
// Flow: conformance tests -> [fake machine] -> policy. Thread-safety: immutable once made.
#pragma once

#include <mitra/machine.hpp>
#include <string>

namespace mitra::conformance {

/// `cpus` cores, `share_l3` of them to a cache and twice as many to a NUMA domain, and `gpus` GPUs with memory of their own.
inline Machine fake_machine(std::size_t cpus, std::size_t gpus = 0, std::size_t share_l3 = 2) {
  Machine machine;
  machine.name = std::to_string(cpus) + " cores, " + std::to_string(gpus) + " GPUs";
  machine.processors = static_cast<int>(cpus);
  machine.memory_nodes.push_back({"host", Bytes(0)});
  machine.classes.push_back({"cpu", WorkerKind::cpu, NodeId(0), {}});
  if (gpus > 0) machine.classes.push_back({"hip", WorkerKind::hip, NodeId(1), {}});
  for (std::size_t i = 0; i < cpus + gpus; ++i) {
    const bool gpu = i >= cpus;
    Worker worker;
    worker.id = WorkerId(static_cast<std::uint32_t>(i));
    worker.worker_class = ClassId(gpu ? 1 : 0);
    worker.node = NodeId(gpu ? static_cast<std::uint32_t>(1 + i - cpus) : 0);
    worker.processor = static_cast<int>(i);
    worker.l3_domain = static_cast<int>(i / share_l3);
    worker.numa_domain = static_cast<int>(i / (2 * share_l3));
    if (gpu) machine.memory_nodes.push_back({"gpu", Bytes(std::uint64_t{1} << 30)});
    machine.workers.push_back(worker);
    machine.classes[worker.worker_class.index()].workers.push_back(worker.id);
  }
  return machine;
}

inline WorkerKind kind_of(const Machine& machine, WorkerId worker) {
  return machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
}

}  // namespace mitra::conformance
