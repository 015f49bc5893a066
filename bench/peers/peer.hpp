// What the programs of this directory share: patterns, task bodies, the call, the clock and the output.
// Flow: [peer.cpp: main] -> pattern.cpp (accesses, edges) -> a sibling per runtime (make_peer) -> kernel.cpp (bodies).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace peer {

using Seconds = std::chrono::duration<double>;
using TaskId = std::uint32_t;   ///< Position in submission order, from 0.
using DatumId = std::uint32_t;  ///< What tasks depend on; only its identity matters.

enum class Mode : std::uint8_t { in, out, inout };

struct Access {
  DatumId datum;
  Mode mode;
};

enum class Kernel : std::uint8_t { empty, busy, compute };

/// The command line; README.md of this directory describes each entry.
struct Options {
  std::string pattern = "independent";
  bool replay = false;
  int workers = 2;
  std::uint64_t tasks = 100'000;
  std::uint64_t width = 64;
  std::uint64_t steps = 0;  ///< 0: as many whole steps as `tasks` fills.
  std::uint64_t tiles = 60;
  Kernel kernel = Kernel::empty;
  std::uint64_t iterations = 1;
  int repeat = 1;
  bool verify = false;
  bool rate = false;
  std::map<std::string, std::string, std::less<>> choices;  ///< A value for each key of Description::choices.
};

/// A call that cannot be served; `main` prints it and exits with 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A task graph as a sequential program states it: the accesses of each task, in submission order.
/// Invariant: a task reads at most three data, named first; it writes at most one, named last.
/// @thread immutable
class Pattern {
 public:
  /// @throws UsageError if the pattern is unknown (it names the known ones) or has 2^32 tasks or more.
  explicit Pattern(const Options& options);

  std::size_t tasks() const { return first_access_.size() - 1; }
  std::size_t data() const { return data_; }

  std::span<const Access> accesses(TaskId task) const {
    return std::span(accesses_).subspan(first_access_[task], first_access_[task + 1] - first_access_[task]);
  }
  /// The tasks which `task` must wait for: RAW, WAR and WAW, each once, without what a kept edge already implies.
  /// For runtimes that are given their edges; inferred before any clock starts.
  std::span<const TaskId> predecessors(TaskId task) const {
    return std::span(predecessors_)
        .subspan(first_predecessor_[task], first_predecessor_[task + 1] - first_predecessor_[task]);
  }

 private:
  void task(std::initializer_list<Access> accesses);
  void add_stencil_1d(std::uint64_t width, std::uint64_t steps);
  void add_cholesky(std::uint64_t tiles);
  void infer_predecessors();

  std::size_t data_ = 0;
  std::vector<Access> accesses_;
  std::vector<std::size_t> first_access_{0};
  std::vector<TaskId> predecessors_;
  std::vector<std::size_t> first_predecessor_{0};
};

/// Whether run_task() has anything to do. Written before the runtimes start, read by every task.
extern bool bodies_are_empty;
void run_body(TaskId task);

/// The body of every task in every runtime.
inline void run_task(TaskId task) {
  if (bodies_are_empty) return;
  run_body(task);
}

/// Chooses the body. @pre `pattern` outlives the runs.
void set_bodies(const Options& options, const Pattern& pattern);

/// For --verify, around each run: forgets the previous run; then throws std::runtime_error unless each task ran once,
/// after its predecessors, and the data hold what the sequential program leaves in them.
void begin_verification();
void end_verification();

double flops_per_task(const Options& options);
double measure_kernel_flops_per_second();  ///< Of the compute kernel on the calling core, during a few milliseconds.

/// Binds the calling thread to the core of that number among those the process started with, counted round.
void bind_to_core(std::size_t number);

class Stopwatch {
 public:
  Seconds elapsed() const { return std::chrono::steady_clock::now() - start_; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// A runtime, started: its threads exist, its data are registered, nothing has been submitted.
class Peer {
 public:
  virtual ~Peer() = default;
  /// The time from the first submission to the last completion, building the runtime's graph included.
  virtual Seconds submit() = 0;
  /// The time to run a graph that exists already; the first call builds it, outside of the time returned.
  virtual Seconds replay() { throw std::logic_error("this runtime does not re-run graphs"); }
};

/// `--option KEY=VALUE` of one runtime; the first value is the default.
struct Choice {
  std::string key;
  std::vector<std::string> values;
};

struct Description {
  std::string_view name;
  bool replays = false;
  std::vector<Choice> choices;
};

// Each sibling file defines these two, and nothing else that is public.
Description describe();
std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern);

}  // namespace peer
