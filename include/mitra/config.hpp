// Every option of a Runtime, in one struct. The environment is read in one place, Config::from_environment.
// Flow: application -> [config] -> Runtime. Thread-safety: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/types.hpp>

namespace mitra {

class DeviceDriver;
class SchedulingPolicy;
/// Makes a policy, a new one at each call.
using PolicyMaker = std::function<std::unique_ptr<SchedulingPolicy>()>;

struct Config {
  std::string backend = "native";         ///< What executes the tasks: `native`, `sim`. Env: MITRA_BACKEND.
  /// NAME[:key=value,...] of `mitra schedulers`, or FILE.so:NAME; `auto`: what default_scheduler() says of the machine, and
  /// Runtime::config() then has. Env: MITRA_SCHEDULER.
  std::string scheduler = "auto";
  /// Makes the policy, in place of `scheduler`: a class of the program itself, which needs no name.
  PolicyMaker policy;
  unsigned workers = 0;       ///< Threads in all, the submitting one and those of teams among them; 0: one a core. Env: MITRA_WORKERS.
  /// Workers of several cores, for moldable codelets: `l3`: each last-level cache is a team; `N`: as many teams of N cores as
  /// there is room for; `KxN`: K of them; empty or `0`: none. The other cores are workers of one core. Env: MITRA_TEAMS.
  std::string teams;
  std::size_t window = 0;     ///< Tasks in flight before submission helps to execute; 0: chosen by workers (`sim`: no limit). Env: MITRA_WINDOW.
  std::uint64_t seed = 1;     ///< Source of every random choice. Env: MITRA_SEED.
  bool bind = true;           ///< Bind workers to their last-level cache, unless they outnumber the processors. Env: MITRA_BIND=0|1.
  /// Where the memory lies that Mitra allocates: `first_touch`: near the worker that first writes to it; `interleave`: spread
  /// over all NUMA domains, page by page, for data that all workers share; `nodes`: each domain's memory is a memory node, and
  /// codelets on its cores get replicas there. @see docs/devices.md. Env: MITRA_NUMA.
  std::string numa = "first_touch";
  Seconds watchdog{0.0};      ///< Report a run in which no task finished for so long; 0: never. Env: MITRA_WATCHDOG (s).
  /// Receives the watchdog's reports; by default they go to standard error. @thread called from the watchdog's thread.
  std::function<void(std::string_view)> report;
  /// A file that receives the graph of the run when the Runtime ends: tasks, data, edges, measured times. @see
  /// docs/graph-files.md. Empty: none. Env: MITRA_RECORD_GRAPH.
  std::string record_graph;

  /// The file of measured times; empty: none. Env: MITRA_MODELS; from_environment() without it: models-HOST.toml in
  /// $XDG_CACHE_HOME/mitra or ~/.cache/mitra.
  std::string models;

  /// GPUs through HIP: `auto` (those that are found), `on` (it is an error if there are none), `off`; `auto:blas=off`: by Mitra's
  /// own kernels alone. Emulated devices and GPUs do not go together: time passes at another speed. Env: MITRA_HIP.
  std::string hip = "auto";
  /// Emulated devices: COUNT[:mem=256MB,bw=8GB/s,speed=20,...]; empty: none. @see docs/devices.md. Env: MITRA_EMU.
  std::string emu;
  /// Tasks that devices have run are kept until a copy of what they wrote has arrived in the host's memory, at the next wait()
  /// at the latest: so that they can be run again when a device is lost. Env: MITRA_RECOVERY=0|1.
  bool recovery = true;
  /// Limits of memories: NAME=BYTES,... with the names of `mitra machine`, or worker classes: "emu=64MB". Env: MITRA_MEMORY.
  std::string memory;
  /// A directory for data for which neither the devices nor the host have room; empty: none. Mitra's own data alone: what the
  /// application has lent stays where it is. @see docs/devices.md. Env: MITRA_SPILL.
  std::string spill;
  /// Makers of further drivers of devices: your own, or a test's.
  std::vector<std::function<std::unique_ptr<DeviceDriver>()>> devices;

  // `sim`: virtual time over a machine file.
  std::string machine;        ///< A name of `mitra machine --list`, or a file. Env: MITRA_MACHINE.
  bool execute = false;       ///< Bodies run for their values; time stays virtual. Env: MITRA_EXECUTE=0|1.
  double noise = 0.0;         ///< Durations vary by a log-normal factor of mean 1 and this sigma. Env: MITRA_NOISE.
  /// What policies are told of durations: `exact` (those that will be), `noisy[:SIGMA]` (with an error of their own, 0.3
  /// if not said), `mean` (what the models say, without the noise), `blind` (nothing). Env: MITRA_INFORMATION.
  std::string information = "exact";
  Seconds unknown{0.0};       ///< Duration of tasks that no model knows; 0: they are an error. Env: MITRA_UNKNOWN (s).

  /// The defaults, changed by the MITRA_* variables that are set.
  /// @throws ConfigError on an unknown MITRA_* variable or a value that cannot be; it lists the known ones.
  static Config from_environment();
};

}  // namespace mitra
