// The memories of NUMA domains: each has a thread, the engine's, that makes its copies where they are polled for.
// Flow: live memory -> [NUMA driver] -> memory of a domain -> completions.
#include <mitra/numa_driver.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>

#include <mitra/error.hpp>

#include "numa_binding.hpp"

namespace mitra {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAlignment = 256;
/// Of a copy, at a time: then an urgent one goes first.
constexpr std::size_t kPiece = std::size_t{1} << 20;  // bytes
constexpr std::uint64_t kTenths = 9;                  // of a domain's memory that data may take

/// A copy that is under way, column after column.
struct Copy {
  DeviceCopy order;
  std::size_t column = 0, offset = 0;  // what is next
  Seconds took;
  bool over() const { return column == order.columns || order.width == 0; }
};

/// Some of it. @pre !copy.over()
void copy_piece(Copy& copy) {
  const DeviceCopy& order = copy.order;
  for (std::size_t left = kPiece; left != 0 && !copy.over();) {
    const std::size_t bytes = std::min(left, order.width - copy.offset);
    std::memcpy(order.to.address + copy.column * order.to.pitch + copy.offset,
                order.from.address + copy.column * order.from.pitch + copy.offset, bytes);
    left -= bytes;
    copy.offset += bytes;
    if (copy.offset != order.width) continue;
    copy.offset = 0;
    ++copy.column;
  }
}

class NumaDriver final : public DeviceDriver {
 public:
  explicit NumaDriver(const NumaOptions& options) : options_(options), binding_("numa=nodes"), desks_(options.domains.size()) {
    for (const int domain : options.domains) {
      const Bytes memory = binding_.memory_of(domain);
      if (domain < 0 || domain >= binding_.domains())
        throw ConfigError(detail::message("numa=nodes: there is no NUMA domain ", domain, "; this machine has ", binding_.domains(),
                                          ", counted from 0"));
      DeviceDescription description;
      description.name = detail::message("numa", domain);
      description.capacity = Bytes(memory.value / 10 * kTenths);
      description.streams = 0;
      description.bandwidth = description.peer_bandwidth = options.bandwidth;
      description.latency = options.latency;
      description.numa_domain = domain;
      description.host_memory = true;
      descriptions_.push_back(std::move(description));
    }
  }

  std::string_view name() const override { return "numa"; }
  WorkerKind implementation() const override { return WorkerKind::cpu; }
  std::span<const DeviceDescription> devices() const override { return descriptions_; }
  bool joined(unsigned, unsigned) const override { return true; }

  DeviceResult allocate(unsigned device, Bytes size, std::byte*& memory) noexcept override {
    Desk& desk = desks_[device];
    const std::uint64_t capacity = descriptions_[device].capacity.value;
    if (capacity != 0) {
      const std::uint64_t before = desk.taken.fetch_add(size.value, std::memory_order_relaxed);
      if (size.value > capacity || before > capacity - size.value) {
        desk.taken.fetch_sub(size.value, std::memory_order_relaxed);
        return none_left(device, size);
      }
    }
    void* const place = size < cpu::kSmallestPlaced ? ::operator new(size.value, std::align_val_t(kAlignment), std::nothrow)
                                                    : binding_.map(size, descriptions_[device].numa_domain);
    if (place == nullptr) {
      if (capacity != 0) desk.taken.fetch_sub(size.value, std::memory_order_relaxed);
      return none_left(device, size);
    }
    memory = static_cast<std::byte*>(place);
    return {};
  }
  void release(unsigned device, std::byte* memory, Bytes size) noexcept override {
    if (descriptions_[device].capacity.value != 0) desks_[device].taken.fetch_sub(size.value, std::memory_order_relaxed);
    if (size < cpu::kSmallestPlaced)
      ::operator delete(memory, std::align_val_t(kAlignment));
    else
      cpu::NumaBinding::unmap(memory, size);
  }

  DeviceResult attach(unsigned device) noexcept override {
    if (options_.bind) binding_.bind_thread(descriptions_[device].numa_domain);
    return {};
  }
  DeviceResult copy(unsigned device, const DeviceCopy& copy) noexcept override {
    (copy.urgent ? desks_[device].urgent : desks_[device].others).push_back({copy, 0, 0, {}});
    return {};
  }
  DeviceResult launch(unsigned, unsigned, const DeviceLaunch&) noexcept override {
    return {DeviceStatus::failed, "nothing runs in the memory of a NUMA domain"};
  }
  void poll(unsigned device, std::vector<DeviceCompletion>& completions) noexcept override {
    Desk& desk = desks_[device];
    auto& copies = desk.urgent.empty() ? desk.others : desk.urgent;
    if (copies.empty()) return;
    Copy& copy = copies.front();
    const Clock::time_point start = Clock::now();
    if (!copy.over()) copy_piece(copy);
    copy.took += Seconds(std::chrono::duration<double>(Clock::now() - start).count());
    if (!copy.over()) return;
    completions.push_back({DeviceCompletion::Kind::copy, copy.order.token, {}, copy.took});
    copies.pop_front();
  }
  void wait(unsigned device, Seconds limit) noexcept override {
    Desk& desk = desks_[device];
    std::unique_lock lock(desk.mutex);
    if (desk.urgent.empty() && desk.others.empty())
      desk.wake.wait_for(lock, std::chrono::duration<double>(limit.value), [&] { return desk.woken; });
    desk.woken = false;
  }
  void wake(unsigned device) noexcept override {
    Desk& desk = desks_[device];
    {
      const std::scoped_lock lock(desk.mutex);
      desk.woken = true;
    }
    desk.wake.notify_one();
  }

 private:
  struct Desk {
    std::atomic<std::uint64_t> taken{0};  // bytes
    std::deque<Copy> urgent, others;      // its own thread's
    std::mutex mutex;
    std::condition_variable wake;
    bool woken = false;                   // under mutex
  };

  DeviceResult none_left(unsigned device, Bytes size) const {
    const int domain = descriptions_[device].numa_domain;
    return {DeviceStatus::out_of_memory, detail::message("NUMA domain ", domain, " has no room for ", size.value, " bytes")};
  }

  const NumaOptions options_;
  const cpu::NumaBinding binding_;
  std::vector<DeviceDescription> descriptions_;
  std::deque<Desk> desks_;  // never moved
};

}  // namespace

std::unique_ptr<DeviceDriver> make_numa_driver(const NumaOptions& options) { return std::make_unique<NumaDriver>(options); }

}  // namespace mitra
