// Random programs: data, tasks with accesses of every mode, priorities, edges, children, failures. Plain data, made from
// a seed; the oracle says what they must do, the execution does it with a Runtime.
// Flow: seed -> [program] -> oracle, execution. Thread-safety: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mitra/access.hpp>
#include <mitra/error.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

namespace mitra::property {

enum class Operation { sum, exclusive_or };

struct AccessSpec {
  std::size_t datum;
  AccessMode mode;
  Operation operation;  ///< For reduce.
};

enum class Failure {
  none,
  at_start,  ///< Throws before it does anything.
  at_end,    ///< Throws after it has done everything, its children submitted.
};

struct TaskSpec {
  std::string name;
  int priority = 0;
  std::vector<AccessSpec> accesses;   ///< Each datum once.
  bool scratch = false;               ///< Also uses a private buffer.
  std::vector<std::size_t> after;     ///< Earlier siblings, by number.
  std::vector<std::size_t> children;  ///< By number, in order of submission.
  bool waits = false;                 ///< Waits for its children in its body, and then uses its data once more.
  bool catches = false;               ///< And catches what the wait throws.
  Failure failure = Failure::none;
  bool cancelled = false;             ///< Task::cancel() is called before it can start.
};

struct Program {
  std::size_t data = 0;
  std::vector<TaskSpec> tasks;
  std::vector<std::size_t> roots;  ///< Not submitted by a task; in order of submission.

  std::string text() const;
};

/// Are two tasks with these accesses to one datum ordered as they were submitted? The table of access.hpp.
inline bool ordered(const AccessSpec& first, const AccessSpec& second) {
  if (first.datum != second.datum) return false;
  if (first.mode != second.mode) return true;
  if (first.mode == AccessMode::read || first.mode == AccessMode::commute) return false;
  return first.mode != AccessMode::reduce || first.operation != second.operation;
}
inline bool ordered(const TaskSpec& first, const TaskSpec& second) {
  for (const AccessSpec& a : first.accesses)
    for (const AccessSpec& b : second.accesses)
      if (ordered(a, b)) return true;
  return false;
}

struct ProgramOptions {
  std::size_t tasks = 100;  ///< Without children, at most.
  bool nested = true;
  double failing = 0.0;    ///< Of the tasks.
  double cancelled = 0.0;  ///< Of the tasks without a parent.
};

class ProgramMaker {
 public:
  ProgramMaker(test::Random& random, const ProgramOptions& options) : random_(random), options_(options) {}

  Program make() {
    program_.data = 1 + random_.below(12);
    for (std::size_t& weight : weights_) weight = random_.below(4) * random_.below(4);
    weights_[random_.below(kModes)] += 1;  // at least one mode occurs
    most_accesses_ = random_.chance(0.1) ? 12 : 1 + random_.below(5);
    children_ = options_.nested && random_.chance(0.7) ? 0.15 : 0.0;
    std::vector<AccessSpec> everything;
    for (std::size_t d = 0; d < program_.data; ++d) everything.push_back({d, AccessMode::readwrite, Operation::sum});
    const std::size_t count = 1 + random_.below(options_.tasks);
    program_.roots = make_siblings(everything, count, 0);
    for (const std::size_t root : program_.roots) program_.tasks[root].cancelled = random_.chance(options_.cancelled);
    return std::move(program_);
  }

 private:
  static constexpr std::size_t kModes = 5;
  static constexpr AccessMode kAll[kModes] = {AccessMode::read, AccessMode::write, AccessMode::readwrite, AccessMode::commute,
                                              AccessMode::reduce};

  /// @param allowed  What these tasks may access: the accesses of their parent, or all data.
  std::vector<std::size_t> make_siblings(const std::vector<AccessSpec>& allowed, std::size_t count, int depth) {
    std::vector<std::size_t> siblings;
    for (std::size_t i = 0; i < count; ++i) {
      TaskSpec task;
      task.name = detail::message("task ", program_.tasks.size());
      if (random_.chance(0.5)) task.priority = random_.between(-3, 3);
      task.accesses = make_accesses(allowed);
      task.scratch = random_.chance(0.1);
      while (!siblings.empty() && random_.chance(0.1)) task.after.push_back(random_.pick(siblings));
      if (random_.chance(options_.failing)) task.failure = random_.chance(0.5) ? Failure::at_start : Failure::at_end;
      const bool parent = depth < 3 && random_.chance(children_);
      task.waits = parent ? random_.chance(0.5) : random_.chance(0.02);
      task.catches = random_.chance(0.5);
      const std::size_t number = program_.tasks.size();
      siblings.push_back(number);
      program_.tasks.push_back(task);
      if (parent) {
        std::vector<std::size_t> children = make_siblings(task.accesses, 1 + random_.below(6), depth + 1);
        program_.tasks[number].children = std::move(children);
      }
    }
    return siblings;
  }

  std::vector<AccessSpec> make_accesses(const std::vector<AccessSpec>& allowed) {
    std::vector<AccessSpec> pool = allowed, chosen;
    random_.shuffle(pool);
    const std::size_t wanted = random_.below(most_accesses_ + 1);
    std::size_t reductions = 0;
    for (const AccessSpec& given : pool) {
      if (chosen.size() == wanted) break;
      if (given.mode == AccessMode::reduce) continue;  // a private copy: children have no part in it
      AccessSpec access = given;
      // Children of a reader read. Children of a commuting task commute, so that the sum does not depend on their order.
      if (given.mode != AccessMode::read && given.mode != AccessMode::commute) access.mode = pick_mode();
      if (access.mode == AccessMode::reduce && ++reductions > 2) access.mode = AccessMode::read;
      access.operation = random_.chance(0.7) ? Operation::sum : Operation::exclusive_or;
      chosen.push_back(access);
    }
    return chosen;
  }

  AccessMode pick_mode() {
    std::size_t total = 0;
    for (const std::size_t weight : weights_) total += weight;
    std::size_t point = random_.below(total);
    for (std::size_t i = 0; i < kModes; ++i) {
      if (point < weights_[i]) return kAll[i];
      point -= weights_[i];
    }
    return AccessMode::read;
  }

  test::Random& random_;
  const ProgramOptions options_;
  Program program_;
  std::size_t weights_[kModes] = {};
  std::size_t most_accesses_ = 1;
  double children_ = 0.0;
};

inline Program random_program(std::uint64_t seed, const ProgramOptions& options) {
  test::Random random(seed);
  return ProgramMaker(random, options).make();
}

inline std::string Program::text() const {
  std::string out = detail::message(data, " data, ", tasks.size(), " tasks\n");
  const auto write = [&](const auto& self, std::size_t number, const std::string& indent) -> void {
    const TaskSpec& task = tasks[number];
    out += detail::message(indent, task.name, " priority ", task.priority, ':');
    for (const AccessSpec& a : task.accesses) {
      out += detail::message(' ', to_string(a.mode), "(d", a.datum, ')');
      if (a.mode == AccessMode::reduce) out += a.operation == Operation::sum ? "+" : "^";
    }
    if (task.scratch) out += " scratch";
    for (const std::size_t before : task.after) out += detail::message(" after ", before);
    if (task.failure != Failure::none) out += task.failure == Failure::at_start ? " fails at its start" : " fails at its end";
    if (task.cancelled) out += " is cancelled";
    if (task.waits) out += task.catches ? " waits and catches" : " waits";
    out += '\n';
    for (const std::size_t child : task.children) self(self, child, indent + "  ");
  };
  for (const std::size_t root : roots) write(write, root, "  ");
  return out;
}

}  // namespace mitra::property
