#include "model/topology.hpp"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <mitra/error.hpp>

#include "model/teams.hpp"

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

/// Those of `units` that are on the same core: its hyper-threads.
std::vector<int> processors_of(hwloc_topology_t topology, hwloc_obj_t unit, const std::vector<hwloc_obj_t>& units) {
  const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit);
  std::vector<int> processors;
  for (hwloc_obj_t other : units)
    if (other == unit || (core != nullptr && hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, other) == core))
      processors.push_back(static_cast<int>(other->os_index));
  return processors;
}

/// @returns The class of workers of so many cores.
ClassId class_of(Machine& machine, unsigned cores) {
  for (std::uint32_t c = 0; c < machine.classes.size(); ++c)
    if (machine.classes[c].cores == cores) return ClassId(c);
  WorkerClass added{cores == 1 ? "cpu" : "cpu-x" + std::to_string(cores), WorkerKind::cpu, NodeId(0), {}};
  added.cores = cores;
  machine.classes.push_back(std::move(added));
  return ClassId(static_cast<std::uint32_t>(machine.classes.size() - 1));
}

}  // namespace

Machine discover_machine(unsigned workers, bool bind, std::string_view teams) {
  const TeamChoice choice = parse_teams(teams);
  const Topology topology = load_topology();
  // Of another machine (HWLOC_SYNTHETIC, HWLOC_XMLFILE), this one's threads cannot have the processors.
  const bool here = hwloc_topology_is_thissystem(topology.get()) != 0;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  const bool have_mask = here && sched_getaffinity(0, sizeof mask, &mask) == 0;

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
  const bool bound = bind && here && workers <= places.size();
  const auto place_of = [&](std::size_t core) { return places[core % places.size()]; };
  std::vector<CorePlace> used;
  for (unsigned i = 0; i < workers; ++i)
    used.push_back({domain_of(topology.get(), place_of(i), HWLOC_OBJ_L3CACHE), domain_of(topology.get(), place_of(i), HWLOC_OBJ_NUMANODE)});

  Machine machine;
  machine.name = "this machine";
  machine.processors = static_cast<int>(here ? units.size() : std::max(1U, std::thread::hardware_concurrency()));
  machine.memory_nodes.push_back({"host", Bytes(hwloc_get_root_obj(topology.get())->total_memory)});
  for (const std::vector<std::size_t>& members : deal_cores(choice, used)) {
    const CorePlace& where = used[members.front()];
    Worker worker;
    worker.id = WorkerId(static_cast<std::uint32_t>(machine.workers.size()));
    worker.cores = static_cast<unsigned>(members.size());
    worker.worker_class = class_of(machine, worker.cores);
    worker.l3_domain = where.l3_domain;
    worker.numa_domain = where.numa_domain;
    if (bound) worker.processor = static_cast<int>(place_of(members.front())->os_index);
    if (bound && members.size() > 1) {
      for (const std::size_t core : members) {
        const hwloc_obj_t place = place_of(core);
        const std::vector<int> mine = &places == &units ? std::vector{static_cast<int>(place->os_index)}
                                                        : processors_of(topology.get(), place, units);
        worker.bound_to.insert(worker.bound_to.end(), mine.begin(), mine.end());
      }
    }
    machine.classes[worker.worker_class.index()].workers.push_back(worker.id);
    machine.workers.push_back(std::move(worker));
  }
  // To the cache and not to the core: the application's own thread is a worker, too, and is not bound by us. Bound to
  // cores, a worker and that thread would share one while another is idle, until the system notices, milliseconds later.
  if (bound) {
    std::vector<Processor> processors;
    for (hwloc_obj_t unit : units)
      processors.push_back({static_cast<int>(unit->os_index), domain_of(topology.get(), unit, HWLOC_OBJ_L3CACHE)});
    bind_single_cores(machine, processors);
  }
  return machine;
}

}  // namespace mitra::model
