// A double of HIP inside of the process: devices with memories that the host cannot touch, streams that run by themselves in an
// order of a seed, faults at any call; and of rocBLAS on its streams. Its table of functions takes the place of the library's.
// Flow: test -> [hip double] -> HipOptions::functions. Thread-safety: thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/hip/blas.hpp"
#include "backends/hip/functions.hpp"

namespace mitra::test {

/// "The n-th call of this function on this device fails with this error."
struct HipFault {
  std::string function;  ///< "hipMalloc", "rocblas_dgemm"; or what streams do by themselves: "kernel", "copy".
  std::uint64_t call = 1;
  hipError_t error = hipErrorUnknown;
  int device = -1;  ///< -1: calls on any device are counted.
  bool for_ever =
      false;  ///< Each later call too. Errors that HIP repeats, such as hipErrorIllegalAddress, lose the device anyway.
};

struct HipDoubleOptions {
  int devices = 2;
  std::size_t memory = std::size_t{256} << 20;  ///< Of each device.
  std::uint64_t seed = 1;                       ///< Of the order among streams.
  double bandwidth = 0.0;                       ///< Bytes/s of each copy; 0: no limit.
  std::chrono::microseconds latency{0};         ///< Of each copy and kernel.
  std::chrono::microseconds jitter{0};          ///< Up to so much is added to each.
  std::function<bool(int, int)> peers;          ///< Who reaches whose memory; empty: everybody.
  std::function<std::string(int)> bus_id;       ///< Empty: "0000:c1:00.0", "0000:c2:00.0", ...
  std::string architecture = "gfx90a:sramecc+:xnack-";
  bool blas = false;                            ///< There is a double of rocBLAS, too. A fault of its functions is what HIP told them.
  bool blas_degraded = false;                   ///< It does everything by a slower way, since an allocation has failed.
  std::string blas_code;                        ///< hip::Blas::code
  std::vector<HipFault> faults;
};

class HipDouble {
 public:
  explicit HipDouble(HipDoubleOptions options = {});
  /// @pre Whoever uses its functions has gone.
  ~HipDouble();
  HipDouble(const HipDouble&) = delete;
  HipDouble& operator=(const HipDouble&) = delete;

  std::shared_ptr<const hip::Functions> functions() const;

  /// Enqueues a function on a stream, as if it were a kernel. The memory of devices that it touches it finds by touch().
  void enqueue(void* stream, std::function<void()> work);
  /// Where the function of an enqueue() finds what lies at a device's address; null: nothing lies there.
  void* touch(const void* address) const;

  /// Waits for what runs at this moment. On a device that is lost, nothing begins afterwards.
  void settle() const;

  void pause();  ///< Streams stand still, and take work.
  void resume();
  void hang(int device);                    ///< What its streams have never ends.
  void lose(int device, hipError_t error);  ///< As if the hardware had failed.
  void add_fault(HipFault fault);           ///< Calls are counted from now on.

  struct Executed {
    enum class Kind : std::uint8_t { kernel, copy };
    Kind kind = Kind::kernel;
    int device = 0;
    const void* stream = nullptr;
    std::size_t bytes = 0;  ///< Of a copy.
    const void* target = nullptr;
    std::string kernel;
  };
  std::vector<Executed> executed() const;  ///< In the order in which it ended.
  std::uint64_t calls(const std::string& function) const;
  std::size_t pageable_copies() const;  ///< Asynchronous copies from or to memory that is not pinned.
  std::size_t memory_in_use(int device) const;
  std::size_t left_over() const;  ///< Streams, events, modules, allocations, handles of rocBLAS that nobody has released.
  std::vector<std::string> complaints()
      const;  ///< Calls that a real HIP would not survive, or would answer with anything.
  /// What lies at a device's address. @pre Nothing writes there.
  const void* peek(const void* address) const;

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mitra::test
