// The patterns as StarPU tasks on data handles: dependencies are inferred, as in any sequential task flow.
// Flow: main -> [StarpuPeer] -> StarPU.

#include <starpu.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "peer.hpp"

namespace peer {
namespace {

// StarPU hands the codelet's argument over as a pointer; the id travels in its bits, which saves an allocation.
void run_cpu(void** /*buffers*/, void* argument) {
  run_task(static_cast<TaskId>(reinterpret_cast<std::uintptr_t>(argument)));
}

constexpr starpu_data_access_mode to_starpu(Mode mode) {
  switch (mode) {
    case Mode::in:
      return STARPU_R;
    case Mode::out:
      return STARPU_W;
    case Mode::inout:
      break;
  }
  return STARPU_RW;
}

class StarpuPeer final : public Peer {
 public:
  StarpuPeer(const Options& options, const Pattern& pattern)
      : pattern_(pattern), policy_(options.choices.at("policy")) {
    // Without a home of its own StarPU writes its calibration below $HOME.
    const auto home = std::filesystem::temp_directory_path() / ("mitra-peers-starpu-" + std::to_string(getuid()));
    setenv("STARPU_HOME", home.c_str(), 0);
    setenv("STARPU_SILENT", "1", 0);
    // The environment beats starpu_conf, and the command line must win over both.
    setenv("STARPU_NCPU", std::to_string(options.workers).c_str(), 1);
    setenv("STARPU_SCHED", policy_.c_str(), 1);

    starpu_conf conf;
    starpu_conf_init(&conf);
    conf.ncpus = options.workers;  // beside the submitting thread: StarPU's workers are all threads of its own
    conf.nopencl = 0;
    if (starpu_init(&conf) != 0) throw std::runtime_error("starpu_init failed");
    if (starpu_cpu_worker_get_count() != static_cast<unsigned>(options.workers)) {
      const std::string got = std::to_string(starpu_cpu_worker_get_count());
      starpu_shutdown();
      throw std::runtime_error("StarPU gives " + got + " CPU workers, not " + std::to_string(options.workers) +
                               " (the cores of this machine and the limit of its build, STARPU_MAXCPUS, bound them)");
    }
    starpu_codelet_init(&codelet_);
    codelet_.cpu_funcs[0] = run_cpu;
    codelet_.nbuffers = STARPU_VARIABLE_NBUFFERS;
    handles_.resize(pattern.data());
    // Void data: dependencies without bytes, the least that a StarPU program can pay.
    for (starpu_data_handle_t& handle : handles_) starpu_void_data_register(&handle);
  }

  ~StarpuPeer() override {
    for (starpu_data_handle_t handle : handles_) starpu_data_unregister(handle);
    starpu_shutdown();
  }

  Seconds submit() override {
    const Stopwatch stopwatch;
    const auto tasks = static_cast<TaskId>(pattern_.tasks());
    for (TaskId id = 0; id < tasks; ++id) {
      starpu_task* const task = starpu_task_create();
      task->cl = &codelet_;
      task->cl_arg = reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));
      int buffer = 0;
      for (const Access& access : pattern_.accesses(id)) {
        task->handles[buffer] = handles_[access.datum];
        task->modes[buffer++] = to_starpu(access.mode);
      }
      task->nbuffers = buffer;
      if (starpu_task_submit(task) != 0) throw std::runtime_error("starpu_task_submit failed");
    }
    starpu_task_wait_for_all();
    return stopwatch.elapsed();
  }

 private:
  const Pattern& pattern_;
  std::string policy_;
  starpu_codelet codelet_{};
  std::vector<starpu_data_handle_t> handles_;
};

}  // namespace

Description describe() { return {.name = "starpu", .replays = false, .choices = {{"policy", {"lws", "eager"}}}}; }

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  return std::make_unique<StarpuPeer>(options, pattern);
}

}  // namespace peer
