// What it costs a task that its data are managed, where they already lie where it runs: tasks on data beside tasks on tokens,
// which have the same dependencies and lie nowhere; on the host alone, on the host beside a device, and on that device.
//
// The device runs bodies at once, in the thread that drives it: no time but the engine's is measured. All tasks are submitted
// before the first begins, and what is timed is the rest: nanoseconds a task from the first body to the end of the last.
//
// micro_coherence --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/mitra.hpp>

namespace {

using namespace mitra;

constexpr std::size_t kTasks = 20'000;

class InlineDriver final : public DeviceDriver {
 public:
  InlineDriver() {
    description_.name = "device that runs bodies at once";
    description_.worker_class = "inline";
    description_.pipeline = 4;
  }
  std::string_view name() const override { return "inline"; }
  WorkerKind implementation() const override { return WorkerKind::hip; }
  std::span<const DeviceDescription> devices() const override { return {&description_, 1}; }
  bool joined(unsigned, unsigned) const override { return true; }

  DeviceResult allocate(unsigned, Bytes size, std::byte*& memory) noexcept override {
    memory = static_cast<std::byte*>(::operator new(size.value, std::align_val_t(256), std::nothrow));
    return memory != nullptr ? DeviceResult{} : DeviceResult{DeviceStatus::out_of_memory, "no memory"};
  }
  void release(unsigned, std::byte* memory, Bytes) noexcept override { ::operator delete(memory, std::align_val_t(256)); }

  DeviceResult attach(unsigned) noexcept override { return {}; }
  DeviceResult copy(unsigned, const DeviceCopy& copy) noexcept override {
    for (std::size_t c = 0; c < copy.columns; ++c)
      std::memcpy(copy.to.address + c * copy.to.pitch, copy.from.address + c * copy.from.pitch, copy.width);
    done_.push_back({DeviceCompletion::Kind::copy, copy.token, {}, {}});
    return {};
  }
  DeviceResult launch(unsigned, unsigned, const DeviceLaunch& launch) noexcept override {
    launch.run(launch.argument, nullptr);
    done_.push_back({DeviceCompletion::Kind::launch, launch.token, {}, {}});
    return {};
  }
  void poll(unsigned, std::vector<DeviceCompletion>& completions) noexcept override { completions.swap(done_), done_.clear(); }
  void wait(unsigned, Seconds limit) noexcept override {
    if (!done_.empty()) return;
    std::unique_lock lock(mutex_);
    woken_or_late_.wait_for(lock, std::chrono::duration<double>(limit.value), [&] { return woken_; });
    woken_ = false;
  }
  void wake(unsigned) noexcept override {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
    woken_or_late_.notify_one();
  }

 private:
  DeviceDescription description_;
  std::vector<DeviceCompletion> done_;  // of the device's thread
  std::mutex mutex_;
  std::condition_variable woken_or_late_;
  bool woken_ = false;
};

struct Empty {
  template <class... Arguments>
  void operator()(Arguments&&...) const {}
};

enum class Place { host, host_beside_device, device };
enum class Accesses { tokens, data };

/// Tasks with `count` accesses each: reads, and one datum that is changed.
void run(benchmark::State& state, Place place, Accesses accesses, std::size_t count, const char* scheduler) {
  Config config;
  config.workers = 1;
  config.scheduler = scheduler;
  config.window = 2 * kTasks;
  config.recovery = false;  // wait() is to leave the data where they are
  config.hip = "off";
  if (place != Place::host) config.devices.emplace_back([] { return std::make_unique<InlineDriver>(); });
  Runtime rt(config);

  const auto on_host = codelet("on_host").cpu(Empty{});
  const auto on_device = codelet("on_device").hip(Empty{});
  const auto submit_all = [&](auto&& submit) {
    std::atomic<bool> open{false};
    // Whoever is to run them waits here until all are submitted.
    const auto hold = codelet("hold").hip([&](HipStream) {
      while (!open.load(std::memory_order_acquire)) std::this_thread::yield();
    });
    if (place == Place::device) rt.submit(hold);
    for (std::size_t i = 0; i < kTasks; ++i) submit(i);
    const auto began = std::chrono::steady_clock::now();
    open.store(true, std::memory_order_release);
    rt.wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  const auto measure = [&](const auto& handles) {
    const auto handle = [&](std::size_t i) -> const auto& { return handles[i % handles.size()]; };
    const auto submit = [&](std::size_t i) {
      const auto with = [&](const auto& codelet) {
        if (count == 1)
          rt.submit(codelet, handle(i).readwrite());
        else
          rt.submit(codelet, handle(i).read(), handle(i + 1).read(), handle(i + 2).readwrite());
      };
      place == Place::device ? with(on_device) : with(on_host);
    };
    submit_all(submit);  // brings the data there
    for (auto _ : state) state.SetIterationTime(submit_all(submit) / kTasks);
  };

  constexpr std::size_t kHandles = 256;
  if (accesses == Accesses::tokens) {
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < kHandles; ++i) tokens.push_back(rt.token());
    measure(tokens);
  } else {
    std::vector<Vector<double>> data;
    for (std::size_t i = 0; i < kHandles; ++i) data.push_back(rt.vector<double>(8));
    measure(data);
  }
}

const int registered = [] {
  for (const char* scheduler : {"eager", "locality_ws"})
    for (const auto& [place, place_name] : {std::pair{Place::host, "host"}, {Place::host_beside_device, "host_beside_device"}, {Place::device, "device"}})
      for (const std::size_t count : {1UL, 3UL})
        for (const auto& [accesses, name] : {std::pair{Accesses::tokens, "tokens"}, {Accesses::data, "data"}})
          benchmark::RegisterBenchmark((std::string(scheduler) + '/' + place_name + '/' + std::to_string(count) + '_' + name).c_str(),
                                       run, place, accesses, count, scheduler)
              ->UseManualTime()
              ->Unit(benchmark::kNanosecond)
              ->Iterations(10);
  return 0;
}();

}  // namespace
