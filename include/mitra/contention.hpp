// How much longer a transfer takes than over idle links, for policies that do not know which links are shared.
// Flow: machine -> [contention] -> schedulers. Thread-safety: immutable.
#pragma once

#include <algorithm>
#include <cstddef>

#include <mitra/machine.hpp>

namespace mitra {

/// @param asked  A factor; 0: as if each GPU of a compute node moved data both ways at the same time over shared links.
/// @source  StarPU's prediction of transfers has the factor 2 x GPUs (src/core/perfmodel/perfmodel_bus.c). It makes
///          policies move less: on sirocco, `dmda` reaches 8.4 TFLOP/s with it and 6.3 without.
inline double contention(const Machine& machine, double asked) {
  if (asked > 0.0) return asked;
  std::size_t gpus = 0;
  for (const Worker& worker : machine.workers)
    if (worker.compute_node == 0 && machine.classes[worker.worker_class.index()].kind != WorkerKind::cpu) ++gpus;
  return std::max(1.0, 2.0 * static_cast<double>(gpus));
}

}  // namespace mitra
