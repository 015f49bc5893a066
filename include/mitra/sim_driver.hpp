// A machine in virtual time: launches last as long as they are said to, and copies share links and copy engines.
// Flow: memory manager, engine -> [sim driver] -> the next completion. Thread-safety: serialised.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <mitra/driver.hpp>
#include <mitra/machine_description.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// What has been completed in virtual time.
struct SimCompletion {
  enum class Kind : std::uint8_t { launch, timer, copy };
  Kind kind = Kind::launch;
  std::uint64_t token = 0;  ///< The caller's.
  Seconds time;
};

/// Names a launch or a timer; not used again.
struct SimEventId {
  std::uint64_t value = 0;  ///< 0: none.
};

/// What has been copied, by where it came from and went to. Devices are memories that only GPUs compute in.
struct SimTraffic {
  Bytes host_to_device, device_to_host, device_to_device, host_to_host;  ///< Inside of one compute node.
  Bytes network;  ///< From one compute node to another.
};

/// The clock stands still but for next() and advance_to(). The same calls give the same completions, to the last bit.
///
/// A copy waits for a copy engine: one into the target's memory if that has engines, else one out of the source's. A
/// memory has as many in each direction as its GPUs have together; memories of CPUs alone need none. Among those that
/// wait for one engine, urgent copies go first, then the order of the calls decides. Then the copy takes the route's
/// latency, then its bytes flow, and every link is shared fairly among the copies that cross it (max-min).
class SimDriver final : public Driver {
 public:
  /// @param machine  Is kept, not copied: it must live as long.
  /// @throws ConfigError if memories are not joined by routes, or a route names a link that there is not, or a link has
  ///         no bandwidth; it names the machine and the link.
  explicit SimDriver(const MachineDescription& machine);
  ~SimDriver() override;

  std::string_view name() const override { return "sim"; }
  /// Nothing is to be placed. @returns True.
  bool attach(const Worker&) noexcept override { return true; }
  /// @returns Memory of this process for node 0, where bodies run if they are to; null for other nodes.
  void* allocate(NodeId node, Bytes size) noexcept override;
  void release(NodeId node, void* memory, Bytes size) noexcept override;
  /// The virtual clock; 0 at the start.
  Seconds now() const noexcept override { return now_; }

  /// Completes after `duration`. @throws MisuseError if that is negative or not finite.
  SimEventId launch(Seconds duration, std::uint64_t token);
  /// Completes at `at`. @throws MisuseError if that has passed, or is not finite.
  SimEventId timer(Seconds at, std::uint64_t token);
  /// Takes a launch or a timer back: it does not complete. @returns False if it has completed or was taken back.
  bool take_back(SimEventId id) noexcept;
  /// Moves bytes from one memory to another. @throws MisuseError if they are the same, or one does not exist.
  void copy(NodeId from, NodeId to, Bytes size, bool urgent, std::uint64_t token);

  /// Moves the clock to the next completion. At the same time, copies come before launches and timers, and each of
  /// these in the order of the calls that started them.
  /// @returns False if nothing is under way.
  bool next(SimCompletion& completion);
  /// @returns A time before which nothing completes, and at which something happens; infinity: nothing is under way.
  Seconds next_time() const;
  /// Moves the clock to `at`, or to the first completion on the way, which next() then returns.
  /// @returns The clock's new time. @throws MisuseError if `at` has passed or is not finite.
  Seconds advance_to(Seconds at);

  /// @returns The time of a copy that has its engine and all of its links for itself; 0 from a memory to itself.
  Seconds transfer_time(NodeId from, NodeId to, Bytes size) const;
  /// @returns For how long the busiest link of this way works for copies that wait or are under way; their whole size
  ///          counts until they arrive.
  Seconds backlog(NodeId from, NodeId to) const;
  /// @returns Copies that wait for a copy engine.
  std::size_t waiting_copies() const;

  /// Completed copies.
  const SimTraffic& traffic() const;
  /// @returns The bytes that have crossed each link of the machine; copies under way count with what has flowed.
  std::vector<double> link_bytes() const;
  /// @returns The energy of all links: link_bytes() times MachineDescription's joules a byte.
  Joules link_energy() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
  Seconds now_;
};

}  // namespace mitra
