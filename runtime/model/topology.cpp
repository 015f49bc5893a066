#include "model/topology.hpp"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <mitra/error.hpp>

namespace mitra::model {

namespace {

struct TopologyDeleter {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, TopologyDeleter>;

Topology load_topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw ConfigError("hwloc could not be initialised");
  Topology topology(raw);
  // Without WHOLE_SYSTEM hwloc leaves out what the cgroup forbids; the thread's own mask is intersected below.
  if (hwloc_topology_load(raw) != 0) throw ConfigError("hwloc could not read this machine's topology");
  return topology;
}

/// Index of the object of `type` above `core`; 0 if the machine has none.
int domain_of(hwloc_topology_t topology, hwloc_obj_t core, hwloc_obj_type_t type) {
  if (type == HWLOC_OBJ_NUMANODE) {  // memory objects hang beside the tree
    for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology, type, node)) != nullptr;)
      if (hwloc_bitmap_intersects(node->cpuset, core->cpuset)) return static_cast<int>(node->logical_index);
    return 0;
  }
  const hwloc_obj_t above = hwloc_get_ancestor_obj_by_type(topology, type, core);
  return above == nullptr ? 0 : static_cast<int>(above->logical_index);
}

}  // namespace

Machine discover_machine(unsigned workers, bool bind) {
  const Topology topology = load_topology();
  cpu_set_t mask;
  CPU_ZERO(&mask);
  const bool have_mask = sched_getaffinity(0, sizeof mask, &mask) == 0;

  std::vector<hwloc_obj_t> units;  // one processor a core first, then the hyper-threads
  for (hwloc_obj_t pu = nullptr; (pu = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_PU, pu)) != nullptr;)
    if (!have_mask || CPU_ISSET(pu->os_index, &mask)) units.push_back(pu);
  if (units.empty()) throw ConfigError("the process may use no processor: its cpuset is empty");
  std::stable_sort(units.begin(), units.end(), [](hwloc_obj_t a, hwloc_obj_t b) { return a->sibling_rank < b->sibling_rank; });
  std::vector<hwloc_obj_t> cores;
  for (hwloc_obj_t unit : units)
    if (unit->sibling_rank == units.front()->sibling_rank || unit->parent->type != HWLOC_OBJ_CORE) cores.push_back(unit);

  if (workers == 0) workers = static_cast<unsigned>(cores.size());
  const std::vector<hwloc_obj_t>& places = workers <= cores.size() ? cores : units;

  Machine machine;
  machine.name = "this machine";
  machine.processors = static_cast<int>(units.size());
  machine.memory_nodes.push_back({"host", Bytes(hwloc_get_root_obj(topology.get())->total_memory)});
  machine.classes.push_back({"cpu", WorkerKind::cpu, NodeId(0), {}});
  for (unsigned i = 0; i < workers; ++i) {
    const hwloc_obj_t place = places[i % places.size()];
    Worker worker{WorkerId(i), ClassId(0), NodeId(0), -1, 0, 0};
    if (bind && workers <= places.size()) worker.processor = static_cast<int>(place->os_index);
    worker.l3_domain = domain_of(topology.get(), place, HWLOC_OBJ_L3CACHE);
    worker.numa_domain = domain_of(topology.get(), place, HWLOC_OBJ_NUMANODE);
    machine.classes[0].workers.push_back(worker.id);
    machine.workers.push_back(worker);
  }
  // To the cache and not to the core: the application's own thread is a worker, too, and is not bound by us. Bound to
  // cores, a worker and that thread would share one while another is idle, until the system notices, milliseconds later.
  if (bind && workers <= places.size())
    for (Worker& worker : machine.workers)
      for (hwloc_obj_t unit : units)
        if (domain_of(topology.get(), unit, HWLOC_OBJ_L3CACHE) == worker.l3_domain)
          worker.bound_to.push_back(static_cast<int>(unit->os_index));
  return machine;
}

}  // namespace mitra::model
