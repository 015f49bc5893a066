// The contract of a driver: how workers of one kind are placed, and how memory of their nodes is had and moved.
// Flow: memory manager -> [driver] -> hardware. Thread-safety: thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include <mitra/machine.hpp>
#include <mitra/types.hpp>

namespace mitra {

class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  /// Prepares the calling thread to be `worker`: binds it to its cores, selects its device.
  /// @returns False if the placement could not be had; the worker runs all the same.
  virtual bool attach(const Worker& worker) noexcept = 0;
  /// @returns The processor that the calling thread is on, by the operating system's index; -1 if there is none.
  virtual int processor() const noexcept { return -1; }
  /// Moves the calling thread to `processor`, of the same index, if it may run there; where else it may run stays as it is.
  /// @thread  any, for itself. @cost  Three system calls: some microseconds.
  virtual void move_to(int processor) noexcept { static_cast<void>(processor); }
  /// Makes ready those of the machine's workers that are teams. Called once, before every thread; @throws whatever stands in
  /// the way of it.
  virtual void start_teams(const Machine& machine) { static_cast<void>(machine); }
  /// Calls body(argument) on the calling thread, with all cores of `worker` at hand, and lets its exceptions through.
  /// @thread  The worker's own.
  virtual void run_on_team(const Worker& worker, void (*body)(void*), void* argument) {
    static_cast<void>(worker);
    body(argument);
  }
  /// @returns Memory of `node`, aligned to 64 bytes, or null when there is none left.
  virtual void* allocate(NodeId node, Bytes size) noexcept = 0;
  virtual void release(NodeId node, void* memory, Bytes size) noexcept = 0;
  /// Seconds since the driver began: a monotonic clock, or a virtual one.
  virtual Seconds now() const noexcept = 0;
};

/// Cores of this machine. Defined in backends/cpu. @param numa  Config::numa. @throws ConfigError if it is unknown.
std::unique_ptr<Driver> make_cpu_driver(std::string_view numa = "first_touch");

}  // namespace mitra
