// What a program must do, found by running it in order in one thread: values, predecessors, endings.
// Flow: program -> [oracle] -> execution, tests. Thread-safety: immutable once made.
#pragma once

#include <cstdint>
#include <vector>

#include "program.hpp"

namespace mitra::property {

enum class Ending { done, failed, cancelled };

/// A task's work on its data, the same for the oracle and for real. `phase` is 0, and 1 after it waited for its children.
/// What tasks write depends on their number and on all that they read; what commutes is a sum, in any order.
struct Work {
  static std::uint64_t digest_of(const TaskSpec& task, std::uint64_t* const* data, std::size_t number, int phase) {
    std::uint64_t digest = test::mixed(number + 1, static_cast<std::uint64_t>(phase));
    for (std::size_t i = 0; i < task.accesses.size(); ++i)
      if (task.accesses[i].mode == AccessMode::read || task.accesses[i].mode == AccessMode::readwrite)
        digest = test::mixed(digest, *data[i]);
    return digest;
  }
  /// @param data  The memory of each access: the datum, or the private copy of a reduction.
  static void write(const TaskSpec& task, std::uint64_t* const* data, std::uint64_t digest) {
    for (std::size_t i = 0; i < task.accesses.size(); ++i) {
      const std::uint64_t value = test::mixed(digest, i + 1);
      switch (task.accesses[i].mode) {
        case AccessMode::read: break;
        case AccessMode::write: *data[i] = value; break;
        case AccessMode::readwrite: *data[i] = test::mixed(*data[i], value); break;
        case AccessMode::commute: *data[i] += value; break;
        case AccessMode::reduce:
          *data[i] = task.accesses[i].operation == Operation::sum ? *data[i] + value : *data[i] ^ value;
          break;
        case AccessMode::scratch: break;
      }
    }
  }
};

class Oracle {
 public:
  explicit Oracle(const Program& program)
      : program_(program), predecessors(program.tasks.size()), conflicts(program.tasks.size()),
        endings(program.tasks.size(), Ending::cancelled), data(program.data, 0), seen(program.tasks.size(), {0, 0}) {
    find_predecessors(program.roots, false);
    for (const TaskSpec& task : program.tasks) find_predecessors(task.children, true);
    decide(program.roots);
    run_once();
  }
  /// Runs the program on the data as they are; it may be repeated, as replays are.
  void run_once() {
    for (const std::size_t root : program_.roots) run(root);
  }
  /// Does the task's body run? Children of a parent that does not submit them do not.
  bool runs(std::size_t task) const { return endings[task] != Ending::cancelled; }

 private:
  const Program& program_;

 public:
  std::vector<std::vector<std::size_t>> predecessors;  ///< Earlier siblings that each task must follow.
  std::vector<std::vector<std::size_t>> conflicts;     ///< Siblings, earlier or later, whose data order it.
  std::vector<Ending> endings;
  std::vector<std::uint64_t> data;                     ///< At the end; meaningless if something fails or is cancelled.
  struct Seen {
    std::uint64_t phase[2];
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen;                              ///< A digest of what each task reads.

 private:
  /// @param children  Of one task: among them, commuting tasks too run in the order of submission (docs/decisions/0002).
  void find_predecessors(const std::vector<std::size_t>& siblings, bool children) {
    for (std::size_t j = 0; j < siblings.size(); ++j) {
      predecessors[siblings[j]] = program_.tasks[siblings[j]].after;
      for (std::size_t i = 0; i < j; ++i)
        if (ordered(program_.tasks[siblings[i]], program_.tasks[siblings[j]]) ||
            (children && both_commute(program_.tasks[siblings[i]], program_.tasks[siblings[j]]))) {
          predecessors[siblings[j]].push_back(siblings[i]);
          conflicts[siblings[j]].push_back(siblings[i]);
          conflicts[siblings[i]].push_back(siblings[j]);
        }
    }
  }

  static bool both_commute(const TaskSpec& first, const TaskSpec& second) {
    for (const AccessSpec& a : first.accesses)
      for (const AccessSpec& b : second.accesses)
        if (a.datum == b.datum && a.mode == AccessMode::commute && b.mode == AccessMode::commute) return true;
    return false;
  }

  /// @returns Did one of them fail?
  bool decide(const std::vector<std::size_t>& siblings) {
    bool failed = false;
    for (const std::size_t number : siblings) {
      bool held_back = program_.tasks[number].cancelled;
      for (const std::size_t before : predecessors[number]) held_back |= endings[before] != Ending::done;
      endings[number] = held_back ? Ending::cancelled : ending_of_run(program_.tasks[number]);
      failed |= endings[number] == Ending::failed;
    }
    return failed;
  }
  Ending ending_of_run(const TaskSpec& task) {
    if (task.failure == Failure::at_start) return Ending::failed;
    const bool child_failed = decide(task.children);
    const bool handled = task.waits && task.catches;
    return (child_failed && !handled) || task.failure == Failure::at_end ? Ending::failed : Ending::done;
  }

  void run(std::size_t number) {
    const TaskSpec& task = program_.tasks[number];
    std::vector<std::uint64_t*> memory;
    for (const AccessSpec& a : task.accesses) memory.push_back(&data[a.datum]);
    const auto work = [&](int phase) {
      const std::uint64_t digest = Work::digest_of(task, memory.data(), number, phase);
      seen[number].phase[phase] = digest;
      Work::write(task, memory.data(), digest);
    };
    work(0);
    for (const std::size_t child : task.children) run(child);
    if (task.waits) work(1);
  }
};

}  // namespace mitra::property
