// The contract of a scheduling policy: events in, placements out. All that a policy's author includes.
// Flow: engine -> [policy] -> worker. Thread-safety: serialised, unless the policy says concurrent().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/error.hpp>
#include <mitra/machine.hpp>
#include <mitra/task_ref.hpp>
#include <mitra/types.hpp>

namespace mitra {

/// What a model says of one task on one class of workers. Unknown is not zero: it is std::nullopt.
struct Estimate {
  Seconds seconds;
  Joules joules;
  double uncertainty = 0.0;  ///< Relative standard deviation.
};

/// What was measured of a finished task.
struct Measured {
  WorkerId worker;
  Seconds start;     ///< On the clock of SchedulerView::now().
  Seconds duration;
};

/// What a policy may ask and do. There is no other way to the machine, the clock or randomness.
/// @thread  The view that a call received belongs to that call.
class SchedulerView {
 public:
  virtual ~SchedulerView() = default;
  virtual const Machine& machine() const = 0;
  /// The worker on whose behalf the engine calls; not valid() for a thread that is no worker.
  virtual WorkerId self() const = 0;
  /// Seconds since the run began: of this machine's clock, or virtual.
  virtual Seconds now() const = 0;
  /// A random number of the run's seed; each worker has its own sequence.
  virtual std::uint64_t random() = 0;
  /// @returns What the models know of `task` on workers of `worker_class`; nothing if they know nothing.
  virtual std::optional<Estimate> estimate(TaskRef task, ClassId worker_class) = 0;
  /// @returns Bytes of the task's input that `node` does not hold, and that are not on their way to it.
  virtual Bytes bytes_missing(TaskRef task, NodeId node) = 0;
  /// @returns How long it takes to bring the missing bytes to `node` over idle links; nothing if no model knows.
  virtual std::optional<Seconds> transfer_time(TaskRef task, NodeId node) = 0;
  /// @returns How long the links into `node` are busy with copies that were asked for before: the wait of a further one.
  virtual Seconds links_busy(NodeId node) {
    static_cast<void>(node);
    return Seconds(0.0);
  }
  /// @returns Whether `node` holds the datum's current content, or is about to.
  virtual bool holds(const AccessRef& access, NodeId node) {
    static_cast<void>(access), static_cast<void>(node);
    return true;
  }
  /// @returns Bytes that tasks may still bring to `node` without pushing out what others hold there; nothing: no limit.
  virtual std::optional<Bytes> room(NodeId node) {
    static_cast<void>(node);
    return std::nullopt;
  }
  /// Starts to bring the task's input to `node`, if there is room: for a task that is ready, and placed there.
  virtual void prefetch(TaskRef task, NodeId node) { static_cast<void>(task), static_cast<void>(node); }
  /// Starts to bring a copy of what lies on devices alone to the host's memory, if there is room: a later eviction, wait() or task
  /// on a core finds it there. Devices keep theirs. Nothing happens while a task has the datum in its hands: ask in finished(),
  /// of what the task has written. Who writes it next waits for the copy.
  virtual void write_back(const AccessRef& access) { static_cast<void>(access); }
  /// @returns When `worker` is expected to have finished what it holds; now() if it holds nothing, or if nobody knows.
  virtual Seconds busy_until(WorkerId worker) {
    static_cast<void>(worker);
    return now();
  }
  /// Takes back the task that `worker` runs, undone: it is the policy's again, as after ready().
  /// @returns Empty if the worker runs nothing, or its class cannot (WorkerClass::can_abort).
  virtual TaskRef take_back(WorkerId worker) {
    static_cast<void>(worker);
    return {};
  }
  /// Runs all that was submitted and has not begun under other policies, each in a virtual time of its own: tasks as long as
  /// estimate() says, data where they are, links shared. For policies with rehearses() that know the whole graph.
  /// @returns Their makespans; infinite for one that is longer than another one, and was given up. Empty if they cannot be
  ///          known: in a live run, when a task has begun or has a parent, for replays, or when no model knows a task.
  /// @throws Whatever one of the policies throws. @thread The policies run on threads of their own, one each.
  /// @cost   Real time: 1 to 4 us a task and 1 us a worker for each policy, on as many cores as there are.
  virtual std::vector<Seconds> rehearse(std::span<const PolicyMaker> policies) {
    static_cast<void>(policies);
    return {};
  }
  /// @returns Inside submitted() alone: the tasks that the submitted one follows and that have not finished, by id.
  virtual std::span<const TaskId> predecessors() const { return {}; }
  /// Wakes this worker, if it sleeps: for a policy that keeps tasks which only `worker` may take.
  /// Without it, the engine wakes any one sleeping worker for a ready task. In virtual time nobody but the woken is asked.
  virtual void wake(WorkerId worker) = 0;
};

/// Owns its queues and nothing else. Implementations are deterministic functions of the calls and of view.random().
class SchedulingPolicy {
 public:
  virtual ~SchedulingPolicy() = default;

  /// The machine is known and nothing has run. Called once, before everything else.
  virtual void start(SchedulerView&) {}
  /// Look-ahead: `task` is submitted and perhaps not ready. Called only if watches_submissions().
  virtual void submitted(TaskRef /*task*/, SchedulerView&) {}
  /// `task` may run from now on; the policy holds it until next() returns it. Each task comes once.
  virtual void ready(TaskRef task, SchedulerView&) = 0;
  /// `task` may run from now on, and can_split(): shall it become finer tasks? Then it is none of the policy's from now on, and
  /// they are. Otherwise, ready() follows. Called only if may_split().
  virtual bool splits(TaskRef /*task*/, SchedulerView&) { return false; }
  /// `worker` asks for work. @returns A task that was made ready and that it can run; empty: the worker may sleep.
  /// @note A policy that still holds tasks which `worker` could run, and returns none forever, stalls the run.
  virtual TaskRef next(WorkerId worker, SchedulerView&) = 0;
  /// Room is needed on `node`: which of these data is to leave it? They are unused at the moment, the longest unused first.
  /// @returns Its place in the list; candidates.size(): the engine chooses what is used last, as far as it knows. Called only if
  /// chooses_victims().
  virtual std::size_t victim(NodeId /*node*/, std::span<const AccessRef> candidates, SchedulerView&) { return candidates.size(); }
  /// `task` has run. Called only if watches_completions(); the task is still valid.
  virtual void finished(TaskRef /*task*/, const Measured&, SchedulerView&) {}
  /// `task` was submitted, and will not run: it was cancelled, or a task that it follows failed. Perhaps it has never been
  /// ready. Called only if watches_submissions(); the task is still valid.
  virtual void cancelled(TaskRef /*task*/, SchedulerView&) {}

  /// May the engine run `successor`, which `worker` has just made ready, next on this worker, without ready() and next()?
  /// The short way for policies that would do just that.
  virtual bool runs_next(TaskRef /*successor*/, WorkerId /*worker*/) { return false; }

  /// True: the policy is thread-safe, and workers call it at the same time. False: the engine serialises the calls.
  virtual bool concurrent() const { return false; }
  virtual bool watches_submissions() const { return false; }
  virtual bool watches_completions() const { return false; }
  virtual bool chooses_victims() const { return false; }
  virtual bool may_split() const { return false; }
  /// True: the engine keeps what SchedulerView::rehearse() needs.
  virtual bool rehearses() const { return false; }
};

/// One parameter of a policy, as `mitra schedulers` lists it.
struct PolicyParameter {
  const char* name;
  const char* value;  ///< The default.
  const char* summary;
};

/// The parameters given for one run: every name is known, every value a string.
class PolicyArguments {
 public:
  explicit PolicyArguments(std::map<std::string, std::string, std::less<>> values) : values_(std::move(values)) {}
  /// @throws ConfigError if the value is not a whole number of `least` to `most`.
  long integer(std::string_view name, long least = 0, long most = 1L << 24) const {
    const std::string& text = values_.find(name)->second;
    std::size_t used = 0;
    long value = 0;
    try {
      value = std::stol(text, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != text.size() || value < least || value > most)
      throw ConfigError(detail::message("scheduler parameter ", name, "=", text, ": a whole number of ", least, " to ", most,
                                        " is expected"));
    return value;
  }
  /// @throws ConfigError if the value is not a number of `least` to `most`.
  double number(std::string_view name, double least = 0.0, double most = 1e300) const {
    const std::string& text = values_.find(name)->second;
    std::size_t used = 0;
    double value = 0.0;
    try {
      value = std::stod(text, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != text.size() || !(value >= least && value <= most))
      throw ConfigError(detail::message("scheduler parameter ", name, "=", text, ": a number of ", least, " to ", most,
                                        " is expected"));
    return value;
  }
  const std::string& text(std::string_view name) const { return values_.find(name)->second; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// Changes when the layout of what policies see changes: a shared object built against another one is refused.
inline constexpr std::uint32_t kPolicyAbi =
    5 * 1'000'000 + static_cast<std::uint32_t>(sizeof(detail::TaskHeader) + 3 * sizeof(Machine) + 5 * sizeof(Worker) +
                                               7 * sizeof(WorkerClass) + 11 * sizeof(PolicyParameter));

/// What a registry knows of a policy.
struct PolicyInfo {
  std::uint32_t abi;
  const char* name;
  const char* summary;  ///< One line.
  std::vector<PolicyParameter> parameters;
  std::unique_ptr<SchedulingPolicy> (*make)(const PolicyArguments&);
};
using PolicyInfoFunction = const PolicyInfo* (*)();

}  // namespace mitra

/// Registers a policy, in the tree (schedulers/NAME.cpp) and in a shared object (FILE.so:NAME) alike.
/// MITRA_SCHEDULER(name, Type, "one line", {"parameter", "default", "meaning"}, ...); Type is made from PolicyArguments.
#define MITRA_SCHEDULER(policy_name, Type, one_line, ...)                                                            \
  extern "C" const ::mitra::PolicyInfo* mitra_scheduler_##policy_name();                                             \
  extern "C" const ::mitra::PolicyInfo* mitra_scheduler_##policy_name() {                                            \
    static const ::mitra::PolicyInfo info{                                                                           \
        ::mitra::kPolicyAbi, #policy_name, one_line, {__VA_ARGS__},                                                  \
        [](const ::mitra::PolicyArguments& arguments) -> std::unique_ptr<::mitra::SchedulingPolicy> {                \
          return std::make_unique<Type>(arguments);                                                                  \
        }};                                                                                                          \
    return &info;                                                                                                    \
  }                                                                                                                  \
  static_assert(true, "a semicolon follows")
