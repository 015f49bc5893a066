// Flow: machine description -> [to machine] -> engine, policies. Thread-safety: immutable code.
#include <algorithm>

#include <mitra/error.hpp>
#include <mitra/machine_description.hpp>

namespace mitra {

namespace {

/// The memories of one compute node that a class uses, by their places in that node.
std::vector<std::uint32_t> memories_of(const MachineDescription& description, const WorkerClassDescription& c) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t m = 0; m < description.memories_per_node; ++m) {
    const MemoryDescription& memory = description.memories[m];
    // Node 0 of several is called "n0.hbm2"; a class names it without its node.
    std::string_view name = memory.name;
    if (description.compute_nodes > 1 && name.starts_with("n0.")) name.remove_prefix(3);
    if (memory.group == c.memory || name == c.memory) found.push_back(m);
  }
  MITRA_CHECK(!found.empty(), "class ", c.name, " uses memory ", c.memory, ", which the machine does not have");
  return found;
}

}  // namespace

Machine to_machine(const MachineDescription& description) {
  Machine machine;
  machine.name = description.name;
  for (const MemoryDescription& memory : description.memories)
    machine.memory_nodes.push_back({memory.name, memory.capacity, static_cast<int>(memory.compute_node)});
  std::vector<std::vector<std::uint32_t>> memories;
  for (const WorkerClassDescription& c : description.classes) {
    memories.push_back(memories_of(description, c));
    machine.classes.push_back({c.name, c.kind, NodeId(memories.back().front()), {}, c.can_abort, c.cores});
  }

  int l3_domain = 0;  // caches are numbered over the whole machine; a GPU's memory side counts as one of its own
  for (unsigned node = 0; node < description.compute_nodes; ++node)
    for (std::uint32_t c = 0; c < description.classes.size(); ++c) {
      const WorkerClassDescription& about = description.classes[c];
      const unsigned domains = about.kind == WorkerKind::cpu ? about.l3_domains : about.count;
      for (std::uint64_t i = 0; i < about.count; ++i) {
        Worker worker;
        worker.id = WorkerId(static_cast<std::uint32_t>(machine.workers.size()));
        worker.worker_class = ClassId(c);
        worker.node = NodeId(node * description.memories_per_node + memories[c][i * memories[c].size() / about.count]);
        worker.l3_domain = l3_domain + static_cast<int>(i * domains / about.count);
        worker.numa_domain = static_cast<int>(worker.node.value);
        worker.compute_node = static_cast<int>(node);
        worker.cores = about.cores;
        machine.classes[c].workers.push_back(worker.id);
        machine.workers.push_back(std::move(worker));
      }
      l3_domain += static_cast<int>(domains);
    }
  machine.processors = static_cast<int>(machine.workers.size());
  return machine;
}

}  // namespace mitra
