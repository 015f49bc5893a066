// The driver of AMD GPUs: finds them, describes them, and hands each call to its device.
// Flow: engine -> [hip driver] -> hip devices. Thread-safety: as DeviceDriver says.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <mitra/error.hpp>
#include <mitra/hip_driver.hpp>

#include "hip_device.hpp"

namespace mitra {

namespace {

using namespace hip;

void check(const HipOptions& o) {
  const auto refuse = [](const auto&... what) { throw ConfigError(detail::message("HIP devices: ", what...)); };
  if (o.streams == 0 || o.streams > 64) refuse("streams=", o.streams, "; 1 to 64 are possible");
  if (o.pipeline == 0 || o.pipeline > 1024) refuse("pipeline=", o.pipeline, "; 1 to 1024 are possible");
  if (o.staging < Bytes(64)) refuse("staging=", o.staging.value, " bytes; 64 or more are expected");
  if (o.piece < Bytes(64)) refuse("piece=", o.piece.value, " bytes; 64 or more are expected");
  if (o.blas.empty()) refuse("blas is empty; auto, off or a file is expected");
  if (!(o.patience >= Seconds(0.0) && std::isfinite(o.patience.value)))
    refuse("patience=", o.patience.value, " s; zero or more is expected");
}

/// "gfx90a:sramecc+:xnack-" is a gfx90a: the rest says how it is set up.
std::string architecture(const hipDeviceProp_t& properties) {
  const std::string name(properties.gcnArchName);
  return name.substr(0, name.find(':'));
}

/// The NUMA domain of "0000:c1:00.0"; 0 where it is not known.
int numa_domain(const std::string& sysfs, std::string bus_id) {
  std::ranges::transform(bus_id, bus_id.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::ifstream file(sysfs + "/bus/pci/devices/" + bus_id + "/numa_node");
  int domain = 0;
  return file >> domain && domain > 0 ? domain : 0;
}

class HipDriver final : public DeviceDriver {
 public:
  explicit HipDriver(const HipOptions& options) : options_(options), functions_(options.functions) {
    if (functions_ == nullptr) {
      std::error_code error;
      if (!options.gate.empty() && !std::filesystem::exists(options.gate, error)) {
        remark_ = "HIP: no GPU is used, there is no " + options.gate;
        return;
      }
      functions_ = load_functions(options.library, remark_);
    }
    if (functions_ == nullptr) return;
    // The one call that answers without a device; hipInit and all others fail in ways of their own.
    int count = 0;
    const hipError_t error = functions_->hipGetDeviceCount(&count);
    if (error != hipSuccess || count <= 0) {
      const char* name = error == hipSuccess ? nullptr : functions_->hipGetErrorName(error);
      remark_ = std::string("HIP: no GPU is used, hipGetDeviceCount finds none") +
                (name != nullptr ? std::string(" (") + name + ")" : "");
      return;
    }
    for (int d = 0; d < count; ++d) describe(d);
    join();
    find_blas();
    for (std::size_t d = 0; d < descriptions_.size(); ++d)
      devices_.push_back(std::make_unique<hip::Device>(*functions_, with_blas_[d] ? blas_.get() : nullptr, numbers_[d],
                                                       descriptions_[d].capacity, options_, pinned_));
  }

  ~HipDriver() override {
    devices_.clear();
    if (functions_ != nullptr)
      pinned_.clear([&](std::byte* memory) { static_cast<void>(functions_->hipHostFree(memory)); });
  }

  std::string_view name() const override { return "hip"; }
  WorkerKind implementation() const override { return WorkerKind::hip; }
  std::span<const DeviceDescription> devices() const override { return descriptions_; }
  std::string_view remark() const override { return remark_; }
  bool joined(unsigned from, unsigned to) const override { return from == to || joined_[from * numbers_.size() + to]; }

  DeviceResult allocate(unsigned device, Bytes size, std::byte*& memory) noexcept override {
    return devices_[device]->allocate(size, memory);
  }
  void release(unsigned device, std::byte* memory, Bytes size) noexcept override {
    devices_[device]->release(memory, size);
  }

  std::byte* allocate_host(Bytes size) noexcept override {
    void* memory = nullptr;
    const std::size_t bytes = std::max<std::uint64_t>(1, size.value);
    if (devices_.empty() || functions_->hipHostMalloc(&memory, bytes, hipHostMallocPortable) != hipSuccess)
      return nullptr;
    try {
      pinned_.add(static_cast<std::byte*>(memory), bytes);
    } catch (const std::bad_alloc&) {
      static_cast<void>(functions_->hipHostFree(memory));
      return nullptr;
    }
    return static_cast<std::byte*>(memory);
  }
  void release_host(std::byte* memory, Bytes) noexcept override {
    if (memory != nullptr && pinned_.remove(memory)) static_cast<void>(functions_->hipHostFree(memory));
  }

  DeviceResult attach(unsigned device) noexcept override { return devices_[device]->attach(); }
  DeviceResult copy(unsigned device, const DeviceCopy& copy) noexcept override {
    // The engine's numbers are ours; HIP's differ where a device could not be used.
    DeviceCopy native = copy;
    if (copy.from.device != CopyEnd::kHost && copy.to.device != CopyEnd::kHost &&
        !joined(static_cast<unsigned>(copy.from.device), static_cast<unsigned>(copy.to.device)))
      return {DeviceStatus::failed, "HIP: devices " + std::to_string(copy.from.device) + " and " +
                                        std::to_string(copy.to.device) +
                                        " cannot reach each other's memory; copy through the host's"};
    for (CopyEnd* end : {&native.from, &native.to})
      if (end->device != CopyEnd::kHost) end->device = numbers_[static_cast<std::size_t>(end->device)];
    return devices_[device]->copy(native);
  }
  DeviceResult launch(unsigned device, unsigned stream, const DeviceLaunch& launch) noexcept override {
    return devices_[device]->launch(stream, launch);
  }
  void poll(unsigned device, std::vector<DeviceCompletion>& completions) noexcept override {
    devices_[device]->poll(completions);
  }
  void wait(unsigned device, Seconds limit) noexcept override { devices_[device]->wait(limit); }
  void wake(unsigned device) noexcept override { devices_[device]->wake(); }

 private:
  void say(const std::string& what) { remark_ += (remark_.empty() ? "HIP: " : "; ") + what; }
  void leave_out(int number, const DeviceResult& why) {
    say("device " + std::to_string(number) + " is not used: " + why.text);
  }

  void describe(int number) {
    const CurrentDevice current(*functions_, number);
    if (current.error() != hipSuccess)
      return leave_out(number, result_of(*functions_, current.error(), "hipSetDevice", number));
    hipDeviceProp_t properties{};
    if (const hipError_t error = functions_->hipGetDeviceProperties(&properties, number); error != hipSuccess)
      return leave_out(number, result_of(*functions_, error, "hipGetDeviceProperties", number));
    std::size_t free = 0, total = 0;
    if (const hipError_t error = functions_->hipMemGetInfo(&free, &total); error != hipSuccess)
      return leave_out(number, result_of(*functions_, error, "hipMemGetInfo", number));
    char bus_id[64] = "";
    if (functions_->hipDeviceGetPCIBusId(bus_id, sizeof(bus_id), number) != hipSuccess) bus_id[0] = '\0';

    DeviceDescription d;
    const std::string arch = architecture(properties);
    d.name = std::string(properties.name).empty() ? arch : properties.name;
    d.worker_class = "hip-" + arch;
    const std::uint64_t usual = free / 10 * 9;  // room for what HIP and libraries allocate by themselves
    d.capacity = options_.memory > Bytes(0) ? std::min(options_.memory, Bytes(free)) : Bytes(usual);
    d.streams = options_.streams;
    d.pipeline = std::max(options_.pipeline, options_.streams);
    d.numa_domain = numa_domain(options_.sysfs, bus_id);
    // Compute partitions of one GPU are functions of one PCI device, or have the same id: what is in front of the dot.
    const std::string bus(bus_id);
    d.power_domain = bus.empty() ? "hip " + std::to_string(number) : "pci " + bus.substr(0, bus.find('.'));
    descriptions_.push_back(std::move(d));
    numbers_.push_back(number);
  }

  /// Enables access between all devices that can reach each other.
  void join() {
    const std::size_t n = numbers_.size();
    joined_.assign(n * n, false);
    std::vector<bool> reaches(n * n, false);
    for (std::size_t i = 0; i < n; ++i) {
      const CurrentDevice current(*functions_, numbers_[i]);
      for (std::size_t j = 0; j < n; ++j) {
        int can = 0;
        if (i == j || functions_->hipDeviceCanAccessPeer(&can, numbers_[i], numbers_[j]) != hipSuccess || can == 0)
          continue;
        const hipError_t error = functions_->hipDeviceEnablePeerAccess(numbers_[j], 0);
        reaches[i * n + j] = error == hipSuccess || error == hipErrorPeerAccessAlreadyEnabled;
      }
    }
    // The target's engines do it, or the source's: HIP decides. So both have to see both memories.
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) joined_[i * n + j] = reaches[i * n + j] && reaches[j * n + i];
    static_cast<void>(functions_->hipGetLastError());  // that access was enabled already is no error for anybody
  }

  void find_blas() {
    with_blas_.assign(descriptions_.size(), false);
    if (options_.blas == "off" || descriptions_.empty()) return;
    const bool any = options_.blas == "auto";
    std::string why;
    blas_ = options_.functions != nullptr ? options_.functions->blas : load_blas(*functions_, any ? "" : options_.blas, why);
    if (blas_ == nullptr) {
      if (!why.empty()) say("all kernels are Mitra's own, " + why);
      return;
    }
    for (std::size_t d = 0; d < descriptions_.size(); ++d) {
      const std::string arch = descriptions_[d].worker_class.substr(std::string_view("hip-").size());
      with_blas_[d] = !any || has_code_for(*blas_, arch);
      if (!with_blas_[d])
        say("device " + std::to_string(numbers_[d]) + " does without rocBLAS, " + blas_->code + " has nothing for " + arch);
    }
    if (std::ranges::find(with_blas_, true) != with_blas_.end()) say("large gemm, syrk and trsm go to rocBLAS (" + blas_->file + ")");
  }

  const HipOptions options_;
  std::string remark_;
  std::shared_ptr<const Functions> functions_;
  std::shared_ptr<const Blas> blas_;
  std::vector<bool> with_blas_;  // by device
  std::vector<DeviceDescription> descriptions_;
  std::vector<int> numbers_;  // of HIP, by ours
  std::vector<bool> joined_;
  PinnedRanges pinned_;
  std::vector<std::unique_ptr<hip::Device>> devices_;
};

}  // namespace

std::unique_ptr<DeviceDriver> make_hip_driver(const HipOptions& options) {
  check(options);
  return std::make_unique<HipDriver>(options);
}

}  // namespace mitra
