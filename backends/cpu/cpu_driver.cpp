// CPU workers: threads bound to cores, the host's memory, the monotonic clock.
// Flow: engine -> [cpu driver] -> operating system. Thread-safety: thread-safe.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <mitra/driver.hpp>

#include "host_memory.hpp"
#include "team_executor.hpp"
#include "thread_limits.hpp"

namespace mitra {

namespace {

/// The driver whose worker the calling thread is for good.
thread_local constinit const void* attached_to = nullptr;

class CpuDriver final : public Driver {
 public:
  explicit CpuDriver(std::string_view numa) : memory_(numa) {}
  std::string_view name() const override { return "cpu"; }

  void start_teams(const Machine& machine) override {
    libraries_ = cpu::ThreadLibraries::find();
    workers_ = machine.workers;
    // Where other domains have memories of their own, the host's is that of the application's thread.
    const auto is_apart = [&](const Worker& w) {
      return machine.classes[w.worker_class.index()].kind == WorkerKind::cpu && w.node != workers_[0].node;
    };
    if (std::ranges::any_of(workers_, is_apart)) memory_.stay_in(workers_[0].numa_domain);
    executors_.resize(workers_.size());
    for (const Worker& worker : workers_)
      teams_.push_back({worker.cores, worker.l3_domain, worker.numa_domain, worker.bound_to});
    for (const Worker& worker : workers_)
      if (worker.cores > 1) executors_[worker.id.index()] = make_executor(teams_[worker.id.index()], libraries_);
  }

  void run_on_team(const Worker& worker, void (*body)(void*), void* argument) override {
    const Team& team = teams_[worker.id.index()];
    cpu::TeamExecutor* const executor = executors_[worker.id.index()].get();
    /// Also when the body throws.
    struct Scope {
      explicit Scope(const cpu::CurrentTeam& now) { cpu::current_team() = now; }
      ~Scope() { cpu::current_team() = before; }
      Scope(const Scope&) = delete;
      Scope& operator=(const Scope&) = delete;
      const cpu::CurrentTeam before = cpu::current_team();
    };
    const Scope scope({&team, executor, &libraries_});
    const cpu::ThreadLimit limit(&libraries_, team.size);
    if (executor == nullptr) return body(argument);
    // The application's thread is not bound, but for the time of such a body.
    const cpu::Binding binding(attached_to == this ? std::span<const int>() : team.processors);
    executor->enter(body, argument);
  }

  bool attach(const Worker& worker) noexcept override {
    attached_to = this;
    // What `top -H` and debuggers show.
    pthread_setname_np(pthread_self(), ("mitra-" + std::to_string(worker.id.value)).c_str());
    if (worker.bound_to.empty()) return true;
    return cpu::bind_to(worker.bound_to);
  }

  int processor() const noexcept override { return sched_getcpu(); }

  void move_to(int processor) noexcept override {
    cpu_set_t before, there;
    CPU_ZERO(&there);
    CPU_SET(static_cast<std::size_t>(processor), &there);
    if (sched_getaffinity(0, sizeof before, &before) != 0 || !CPU_ISSET(static_cast<std::size_t>(processor), &before)) return;
    if (sched_setaffinity(0, sizeof there, &there) == 0) sched_setaffinity(0, sizeof before, &before);
  }

  void* allocate(NodeId, Bytes size) noexcept override { return memory_.allocate(size); }
  void release(NodeId, void* memory, Bytes size) noexcept override { memory_.release(memory, size); }

  Seconds now() const noexcept override {
    return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  }

 private:
  static std::unique_ptr<cpu::TeamExecutor> make_executor(const Team& team, const cpu::ThreadLibraries& libraries) {
#ifdef MITRA_WITH_TBB
    return cpu::make_tbb_executor(team, libraries);
#else
    return cpu::make_thread_executor(team, libraries);
#endif
  }

  cpu::HostMemory memory_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  cpu::ThreadLibraries libraries_;
  std::vector<Worker> workers_;
  std::vector<Team> teams_;                                    // of each worker
  std::vector<std::unique_ptr<cpu::TeamExecutor>> executors_;  // of each worker; null for single cores
};

}  // namespace

std::unique_ptr<Driver> make_cpu_driver(std::string_view numa) { return std::make_unique<CpuDriver>(numa); }

}  // namespace mitra
