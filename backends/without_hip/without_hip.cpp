// In place of backends/hip where Mitra is built without the headers of HIP: there are no devices, and the remark says why.
// Flow: engine -> [without hip]. Thread-safety: as DeviceDriver says.
#include <mitra/hip_driver.hpp>

namespace mitra {

namespace {

class NoDriver final : public DeviceDriver {
 public:
  std::string_view name() const override { return "hip"; }
  WorkerKind implementation() const override { return WorkerKind::hip; }
  std::span<const DeviceDescription> devices() const override { return {}; }
  std::string_view remark() const override {
    return "HIP: no GPU is used, Mitra was built without the headers of HIP; install them (libamdhip64-dev, hip-dev) "
           "and build again";
  }
  bool joined(unsigned, unsigned) const override { return false; }
  DeviceResult allocate(unsigned, Bytes, std::byte*&) noexcept override { return none(); }
  void release(unsigned, std::byte*, Bytes) noexcept override {}
  std::byte* allocate_host(Bytes) noexcept override { return nullptr; }
  void release_host(std::byte*, Bytes) noexcept override {}
  DeviceResult attach(unsigned) noexcept override { return none(); }
  DeviceResult copy(unsigned, const DeviceCopy&) noexcept override { return none(); }
  DeviceResult launch(unsigned, unsigned, const DeviceLaunch&) noexcept override { return none(); }
  void poll(unsigned, std::vector<DeviceCompletion>&) noexcept override {}
  void wait(unsigned, Seconds) noexcept override {}
  void wake(unsigned) noexcept override {}

 private:
  static DeviceResult none() { return {DeviceStatus::lost, "HIP: there is no device"}; }
};

}  // namespace

std::unique_ptr<DeviceDriver> make_hip_driver(const HipOptions&) { return std::make_unique<NoDriver>(); }

}  // namespace mitra
