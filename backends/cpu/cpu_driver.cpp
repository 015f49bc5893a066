// CPU workers: threads bound to cores, the host's memory, the monotonic clock.
// Flow: engine -> [cpu driver] -> operating system. Thread-safety: thread-safe.
#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <new>
#include <string>

#include <mitra/driver.hpp>

namespace mitra {

namespace {

class CpuDriver final : public Driver {
 public:
  std::string_view name() const override { return "cpu"; }

  bool attach(const Worker& worker) noexcept override {
    // What `top -H` and debuggers show.
    pthread_setname_np(pthread_self(), ("mitra-" + std::to_string(worker.id.value)).c_str());
    if (worker.bound_to.empty()) return true;
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (int processor : worker.bound_to) CPU_SET(static_cast<std::size_t>(processor), &mask);
    return sched_setaffinity(0, sizeof mask, &mask) == 0;
  }

  int processor() const noexcept override { return sched_getcpu(); }

  void move_to(int processor) noexcept override {
    cpu_set_t before, there;
    CPU_ZERO(&there);
    CPU_SET(static_cast<std::size_t>(processor), &there);
    if (sched_getaffinity(0, sizeof before, &before) != 0 || !CPU_ISSET(static_cast<std::size_t>(processor), &before)) return;
    if (sched_setaffinity(0, sizeof there, &there) == 0) sched_setaffinity(0, sizeof before, &before);
  }

  void* allocate(NodeId, Bytes size) noexcept override {
    return ::operator new(size.value, std::align_val_t(kAlignment), std::nothrow);
  }
  void release(NodeId, void* memory, Bytes) noexcept override { ::operator delete(memory, std::align_val_t(kAlignment)); }

  Seconds now() const noexcept override {
    return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  }

 private:
  static constexpr std::size_t kAlignment = 64;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

std::unique_ptr<Driver> make_cpu_driver() { return std::make_unique<CpuDriver>(); }

}  // namespace mitra
