// The patterns as OpenMP tasks with `depend` clauses; compiled twice: by g++ for libgomp, by clang++ for libomp.
// Flow: main -> [OpenMpPeer] -> libgomp or libomp.

#include <omp.h>

#include "peer.hpp"

namespace peer {
namespace {

// `depend` looks at the address only. A cache line each, as the data of real tasks do not share lines either.
struct alignas(64) Datum {
  unsigned char bytes[64];
};

class OpenMpPeer final : public Peer {
 public:
  OpenMpPeer(const Options& options, const Pattern& pattern)
      : pattern_(pattern), workers_(options.workers), data_(std::make_unique_for_overwrite<Datum[]>(pattern.data())) {
    omp_set_dynamic(0);  // exactly the workers asked for
  }

  Seconds submit() override {
    Seconds seconds{};
    // The threads exist before the clock starts; the submitting one works too, in the taskwait and when throttled.
#pragma omp parallel num_threads(workers_)
#pragma omp single
    {
      const Stopwatch stopwatch;
      const auto tasks = static_cast<TaskId>(pattern_.tasks());
      for (TaskId task = 0; task < tasks; ++task) submit_task(task);
#pragma omp taskwait
      seconds = stopwatch.elapsed();
    }
    return seconds;
  }

 private:
  // A clause has a fixed number of items, so each shape of access list has its own pragma.
  void submit_task(TaskId task) const {
    const std::span<const Access> accesses = pattern_.accesses(task);
    if (accesses.empty()) {
#pragma omp task firstprivate(task)
      run_task(task);
      return;
    }
    [[maybe_unused]] Datum* const d = data_.get();  // g++ does not count its use in a clause
    const Access* const a = accesses.data();
    const bool overwrites = accesses.back().mode == Mode::out;
    switch (accesses.size()) {
      case 1:
        if (overwrites) {
#pragma omp task firstprivate(task) depend(out : d[a[0].datum])
          run_task(task);
        } else {
#pragma omp task firstprivate(task) depend(inout : d[a[0].datum])
          run_task(task);
        }
        return;
      case 2:
        if (overwrites) {
#pragma omp task firstprivate(task) depend(in : d[a[0].datum]) depend(out : d[a[1].datum])
          run_task(task);
        } else {
#pragma omp task firstprivate(task) depend(in : d[a[0].datum]) depend(inout : d[a[1].datum])
          run_task(task);
        }
        return;
      case 3:
        if (overwrites) {
#pragma omp task firstprivate(task) depend(in : d[a[0].datum], d[a[1].datum]) depend(out : d[a[2].datum])
          run_task(task);
        } else {
#pragma omp task firstprivate(task) depend(in : d[a[0].datum], d[a[1].datum]) depend(inout : d[a[2].datum])
          run_task(task);
        }
        return;
      case 4:
        if (overwrites) {
#pragma omp task firstprivate(task) depend(in : d[a[0].datum], d[a[1].datum], d[a[2].datum]) depend(out : d[a[3].datum])
          run_task(task);
          return;
        }
        break;
    }
    throw std::logic_error("no depend clause is written for this shape of access list");
  }

  const Pattern& pattern_;
  int workers_;
  std::unique_ptr<Datum[]> data_;
};

}  // namespace

Description describe() {
#ifdef __clang__
  return {.name = "libomp", .replays = false, .choices = {}};
#else
  return {.name = "libgomp", .replays = false, .choices = {}};
#endif
}

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  return std::make_unique<OpenMpPeer>(options, pattern);
}

}  // namespace peer
