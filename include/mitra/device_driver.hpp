// The contract of a driver for devices with memories of their own: GPUs, emulated GPUs, storage. What it is asked to do ends
// by itself and is polled for.
// Flow: memory manager, engine -> [device driver] -> hardware -> completions. Thread-safety: each call says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/machine.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// What a driver knows of one device before it is used.
struct DeviceDescription {
  std::string name;               ///< For people: "AMD Instinct MI250X (1/2)", "emulated device 0". Where nothing runs, the memory's: "spill".
  std::string worker_class;       ///< Devices that are equal to every model have the same: "hip-gfx90a", "emu". Empty where nothing runs.
  Bytes capacity;                 ///< Of its memory, what may be used. 0: no limit.
  unsigned streams = 1;           ///< Tasks that run on it at the same time; 0: nothing runs there, it is memory alone.
  unsigned pipeline = 1;          ///< Tasks that it holds: those that run, and those whose data are on their way.
  double bandwidth = 0.0;         ///< Bytes/s from and to the host; 0: unknown.
  double peer_bandwidth = 0.0;    ///< Bytes/s from and to the other devices of this driver; 0: unknown.
  Seconds latency;                ///< Of a copy.
  int numa_domain = 0;            ///< The part of the host that it is near to, as Worker::numa_domain counts.
  std::string power_domain;       ///< Equal for devices that share a power cap, compute partitions of one GPU: "pci 0000:c1:00".
  /// Its memory is a part of the host's: the cores of `numa_domain` work there, every other core, and every device that reaches
  /// the host's memory, can. Nothing else runs there (streams == 0), and it is never lost.
  bool host_memory = false;
};

enum class DeviceStatus : std::uint8_t {
  done,
  out_of_memory,  ///< Nothing was allocated; the device works on.
  failed,         ///< This call or launch failed; the device works on.
  lost,           ///< The device does not work any more: everything on it is gone, every further call says so.
};

struct DeviceResult {
  DeviceStatus status = DeviceStatus::done;
  std::string text;  ///< What the hardware's library says, with its name for the error; empty if done.
  bool ok() const { return status == DeviceStatus::done; }
};

/// One end of a copy: columns of bytes, `pitch` bytes from the beginning of one to that of the next.
struct CopyEnd {
  static constexpr int kHost = -1;
  int device = kHost;
  std::byte* address = nullptr;
  std::size_t pitch = 0;
};

struct DeviceCopy {
  CopyEnd from, to;          ///< At least one of them is a device of this driver.
  std::size_t width = 0;     ///< Bytes in a column.
  std::size_t columns = 0;
  bool urgent = false;       ///< Somebody waits for it: it goes before those that are not.
  std::uint64_t token = 0;
};

/// What is to be run. `run` enqueues work on the stream and returns, or does it all; it does not throw.
/// @param stream  The native stream, null where there is none.
struct DeviceLaunch {
  void (*run)(void* argument, void* stream) noexcept = nullptr;
  void* argument = nullptr;
  std::uint64_t token = 0;
};

struct DeviceCompletion {
  enum class Kind : std::uint8_t { launch, copy };
  Kind kind = Kind::launch;
  std::uint64_t token = 0;
  DeviceResult result;
  Seconds duration;  ///< That the device spent on it, as far as it can tell; 0: it cannot.
};

/// All devices of one kind. A device has a thread of its own, the engine's: calls that say so are made by that thread alone.
/// A driver does not print, exit, or read the environment. An absent library or device is no error: it has no devices then,
/// and remark() says why.
class DeviceDriver {
 public:
  virtual ~DeviceDriver() = default;
  virtual std::string_view name() const = 0;
  /// @returns Which of a codelet's implementations its devices run.
  virtual WorkerKind implementation() const = 0;
  /// @returns The devices, found when the driver was made. Their number never changes; a lost one stays, and fails.
  virtual std::span<const DeviceDescription> devices() const = 0;
  /// @returns One line for the user on what was looked for: what was not found or cannot be used, and why; what is used of what
  ///          need not be there. Empty if there is nothing to say.
  virtual std::string_view remark() const { return {}; }
  /// @returns How many times as long as they take bodies on cores are to last, so that emulated devices are faster than they.
  virtual double core_slowdown() const { return 1.0; }
  /// @returns Whether copies go from one device to the other without a stop in the host's memory.
  virtual bool joined(unsigned from, unsigned to) const = 0;

  // --- memory. @thread any ---

  /// @param memory  Set to memory of the device, aligned to 256 bytes, if the result is ok.
  virtual DeviceResult allocate(unsigned device, Bytes size, std::byte*& memory) noexcept = 0;
  virtual void release(unsigned device, std::byte* memory, Bytes size) noexcept = 0;
  /// @returns Host memory that this driver's copies reach without staging, aligned to 64 bytes; null if there is none left.
  /// That is any memory, unless a driver says otherwise.
  virtual std::byte* allocate_host(Bytes size) noexcept {
    return static_cast<std::byte*>(::operator new(size.value, std::align_val_t(kHostAlignment), std::nothrow));
  }
  virtual void release_host(std::byte* memory, Bytes size) noexcept {
    static_cast<void>(size);
    ::operator delete(memory, std::align_val_t(kHostAlignment));
  }

  // --- work. @thread the device's own ---

  /// Makes the calling thread the device's own. Once, before every other call of this group.
  virtual DeviceResult attach(unsigned device) noexcept = 0;
  /// Starts a copy; a completion tells of its end, unless the result is not ok. Copies of one direction may end in any order.
  /// @param device  Whose engines do it: the device of one end, and of the target if both ends are devices.
  virtual DeviceResult copy(unsigned device, const DeviceCopy& copy) noexcept = 0;
  /// Starts a launch, which runs after the earlier ones on this stream. @param stream  Below DeviceDescription::streams.
  virtual DeviceResult launch(unsigned device, unsigned stream, const DeviceLaunch& launch) noexcept = 0;
  /// The launch that runs on the calling thread, in its `run`, waits for other tasks: its stream goes on without it.
  /// Only where launches run on threads of their own. @thread the launch's
  virtual void leave_stream(unsigned device, unsigned stream) noexcept { static_cast<void>(device), static_cast<void>(stream); }
  /// Appends what has ended since the last call. A lost device ends everything that was under way, with that status.
  virtual void poll(unsigned device, std::vector<DeviceCompletion>& completions) noexcept = 0;
  /// Sleeps until poll() may have something, wake() was called since the last wait(), or `limit` is over. Burns no core.
  virtual void wait(unsigned device, Seconds limit) noexcept = 0;
  /// Ends a wait(), or the next one. @thread any
  virtual void wake(unsigned device) noexcept = 0;

 private:
  static constexpr std::size_t kHostAlignment = 64;
};

}  // namespace mitra
