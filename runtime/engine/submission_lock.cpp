#include "engine/submission_lock.hpp"

#include <thread>

namespace mitra::engine {

void SubmissionLock::revoke() noexcept {
  // Several threads may come here at once: each makes sure for itself, and only then takes the spin lock.
  revoked_.store(true, std::memory_order_seq_cst);
  syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  // From here on the owner sees `revoked_`, or is inside already and seen. Acquire: what it wrote there.
  for (unsigned spins = 0; inside_.load(std::memory_order_acquire); ++spins)
    if (spins < 64)
      detail::cpu_relax();
    else
      std::this_thread::yield();
  shared_.store(true, std::memory_order_release);
}

}  // namespace mitra::engine
