// The driver of emulated devices.
// Flow: engine -> [emu driver] -> emu devices.
#include <mitra/emu_driver.hpp>

#include <algorithm>
#include <cmath>
#include <deque>

#include <mitra/error.hpp>

#include "emu_device.hpp"

namespace mitra {

namespace {

void check(const EmuOptions& o) {
  const auto refuse = [](const auto&... what) { throw ConfigError(detail::message("emulated devices: ", what...)); };
  if (o.devices == 0 || o.devices > 64) refuse(o.devices, " devices; 1 to 64 are possible");
  if (!(o.bandwidth > 0.0 && std::isfinite(o.bandwidth))) refuse("bw=", o.bandwidth, " bytes/s; it must be above zero and finite");
  if (!(o.peer_bandwidth >= 0.0 && std::isfinite(o.peer_bandwidth))) refuse("peer=", o.peer_bandwidth, " bytes/s; zero (none) or more is expected");
  if (!(o.latency >= Seconds(0.0) && o.latency < Seconds(10.0))) refuse("latency=", o.latency.value, " s; 0 to 10 s are expected");
  if (!(o.speed >= 0.01 && o.speed <= 1000.0)) refuse("speed=", o.speed, "; 0.01 to 1000 times a core is expected");
  if (!(o.slow >= 1.0 && o.slow <= 1000.0)) refuse("slow=", o.slow, "; 1 to 1000 times what a body takes is expected");
  if (o.streams == 0 || o.streams > 64) refuse("streams=", o.streams, "; 1 to 64 are possible");
  if (o.pipeline == 0 || o.pipeline > 1024) refuse("pipeline=", o.pipeline, "; 1 to 1024 are possible");
}

class EmuDriver final : public DeviceDriver {
 public:
  explicit EmuDriver(const EmuOptions& options)
      : options_(options),
        stretch_(stretch(options)) {
    for (unsigned i = 0; i < options.devices; ++i) {
      DeviceDescription device;
      device.name = "emulated device " + std::to_string(i);
      device.worker_class = "emu";
      device.capacity = options.memory;
      device.streams = options.streams;
      device.pipeline = std::max(options.pipeline, options.streams);
      device.bandwidth = options.bandwidth;
      device.peer_bandwidth = options.peer_bandwidth;
      device.latency = options.latency;
      device.power_domain = device.name;
      descriptions_.push_back(device);
    }
    for (unsigned i = 0; i < options.devices; ++i)
      devices_.emplace_back(options, i, stretch_.on_device, [this](int other) -> emu::Device& { return devices_[static_cast<std::size_t>(other)]; });
  }

  std::string_view name() const override { return "emu"; }
  WorkerKind implementation() const override { return WorkerKind::cpu; }
  std::span<const DeviceDescription> devices() const override { return descriptions_; }
  double core_slowdown() const override { return stretch_.on_core; }
  bool joined(unsigned, unsigned) const override { return options_.peer_bandwidth > 0.0; }

  DeviceResult allocate(unsigned device, Bytes size, std::byte*& memory) noexcept override { return devices_[device].allocate(size, memory); }
  void release(unsigned device, std::byte* memory, Bytes size) noexcept override { devices_[device].release(memory, size); }

  DeviceResult attach(unsigned) noexcept override { return {}; }
  DeviceResult copy(unsigned device, const DeviceCopy& copy) noexcept override {
    // A lost device at the other end: what lies there is gone.
    for (const CopyEnd& end : {copy.from, copy.to})
      if (end.device != CopyEnd::kHost && end.device != static_cast<int>(device) && devices_[static_cast<std::size_t>(end.device)].lost())
        return {DeviceStatus::failed, "the other end of the copy, emulated device " + std::to_string(end.device) + ", is lost"};
    return devices_[device].copy(copy);
  }
  DeviceResult launch(unsigned device, unsigned stream, const DeviceLaunch& launch) noexcept override {
    return devices_[device].launch(stream, launch);
  }
  void leave_stream(unsigned device, unsigned stream) noexcept override { devices_[device].leave_stream(stream); }
  void poll(unsigned device, std::vector<DeviceCompletion>& completions) noexcept override { devices_[device].poll(completions); }
  void wait(unsigned device, Seconds limit) noexcept override { devices_[device].wait(limit); }
  void wake(unsigned device) noexcept override { devices_[device].wake(); }

 private:
  const EmuOptions options_;
  const EmuStretch stretch_;
  std::vector<DeviceDescription> descriptions_;
  std::deque<emu::Device> devices_;  // they have addresses
};

}  // namespace

EmuStretch stretch(const EmuOptions& options) {
  const double running = static_cast<double>(options.devices) * options.streams;
  const double on_device = std::max(options.slow, running / std::max(1U, options.processors));
  return {on_device, std::max(1.0, on_device * options.speed)};
}

std::unique_ptr<DeviceDriver> make_emu_driver(const EmuOptions& options) {
  check(options);
  return std::make_unique<EmuDriver>(options);
}

}  // namespace mitra
