// Random programs on data in parts: trees of partitions, tasks with accesses at all levels, and what they must compute.
// Flow: seed -> [tree program] -> oracle, tree execution. Thread-safety: immutable once made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mitra/access.hpp>
#include <mitra/detail/partition.hpp>
#include <mitra/error.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

namespace mitra::property {

/// A root, or a part: `which` of the partition of `whole` with `spec`.
struct TreeDatum {
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t whole = kNone;
  std::size_t partition = kNone;  ///< A number of its own for each partition.
  detail::PartitionSpec spec;
  std::size_t grid_row = 0, grid_col = 0;
  bool vector = false, lent = false;
  std::size_t root = 0, rows = 0, cols = 0, row = 0, col = 0;  ///< Its extent in the root.
  std::size_t depth = 0;
  bool window = false;            ///< It, or what it lies in, is one.
};

struct TreeAccess {
  std::size_t datum;
  AccessMode mode;
};

struct TreeTask {
  std::vector<TreeAccess> accesses;  ///< Each datum once.
  std::vector<TreeTask> children;
  bool waits = false;                ///< For its children, to work once more.
  bool splittable = false;           ///< Its children, or a body that does all that they would do.
  int priority = 0;
  std::size_t number = 0;
};

struct TreeStep {
  enum class Kind { task, acquire, wait, wait_for, replay } kind = Kind::task;
  std::vector<TreeTask> tasks;  ///< One; or those of a recorded graph.
  TreeAccess access{0, AccessMode::read};
  std::size_t times = 1;        ///< Of a replay.
};

struct TreeProgram {
  std::vector<TreeDatum> data;
  std::vector<TreeStep> steps;
  std::size_t tasks = 0;

  bool lies_in(std::size_t datum, std::size_t whole) const {
    while (datum != whole && datum != TreeDatum::kNone) datum = data[datum].whole;
    return datum == whole;
  }
  /// The rule of the library: a datum and what lies in it, or parts of two partitions of one datum.
  bool exclude_each_other(std::size_t a, std::size_t b) const {
    if (a == b || data[a].root != data[b].root) return false;
    std::size_t from_a = TreeDatum::kNone, from_b = TreeDatum::kNone;
    while (a != b) {
      const bool a_goes = data[a].depth >= data[b].depth, b_goes = data[b].depth >= data[a].depth;
      if (a_goes) from_a = std::exchange(a, data[a].whole);
      if (b_goes) from_b = std::exchange(b, data[b].whole);
    }
    return from_a == TreeDatum::kNone || from_b == TreeDatum::kNone || data[from_a].partition != data[from_b].partition ||
           data[from_a].spec.windows;
  }
  std::string text() const;
};

class TreeProgramMaker {
 public:
  /// @param splittable  Share of the tasks that can be split.
  explicit TreeProgramMaker(std::uint64_t seed, double splittable = 0.0) : random_(seed), splittable_(splittable) {}

  TreeProgram make() {
    const std::size_t roots = 1 + random_.below(3);
    for (std::size_t r = 0; r < roots; ++r) {
      TreeDatum root;
      root.vector = random_.chance(0.5);
      root.lent = random_.chance(0.6);
      root.root = r;
      root.rows = 1 + random_.below(root.vector ? 24 : 7);
      root.cols = root.vector ? 1 : 1 + random_.below(6);
      program_.data.push_back(root);
    }
    for (std::size_t p = random_.below(9); p > 0; --p) cut(random_.below(program_.data.size()));
    std::vector<TreeAccess> everything;
    for (std::size_t d = 0; d < program_.data.size(); ++d) everything.push_back({d, AccessMode::readwrite});
    reads_ = random_.chance(0.3) ? 0.7 : 0.35;
    for (std::size_t s = 1 + random_.below(40); s > 0; --s) program_.steps.push_back(make_step(everything));
    return std::move(program_);
  }

 private:
  void cut(std::size_t whole) {
    const TreeDatum parent = program_.data[whole];
    if (parent.depth == 3 || program_.data.size() > 60) return;
    detail::PartitionSpec spec;
    spec.rows = 1 + random_.below(parent.rows + 1);
    spec.cols = parent.vector ? 1 : 1 + random_.below(parent.cols + 1);
    spec.windows = parent.window || random_.chance(0.25);
    if (spec.windows) {
      spec.halo_rows = random_.below(3);
      spec.halo_cols = parent.vector ? 0 : spec.halo_rows;
    }
    for (const TreeDatum& d : program_.data)
      if (d.whole == whole && d.spec == spec) return;
    const std::size_t partition = partitions_++;
    for (std::size_t j = 0; j < parent.cols; j += spec.cols)
      for (std::size_t i = 0; i < parent.rows; i += spec.rows) {
        TreeDatum part = parent;
        part.whole = whole;
        part.partition = partition;
        part.spec = spec;
        part.grid_row = i / spec.rows;
        part.grid_col = j / spec.cols;
        const std::size_t row = i - std::min(i, spec.halo_rows), col = j - std::min(j, spec.halo_cols);
        part.rows = std::min(parent.rows, i + spec.rows + spec.halo_rows) - row;
        part.cols = std::min(parent.cols, j + spec.cols + spec.halo_cols) - col;
        part.row += row;
        part.col += col;
        part.depth += 1;
        part.window = spec.windows;
        program_.data.push_back(part);
      }
  }

  TreeStep make_step(const std::vector<TreeAccess>& allowed) {
    TreeStep step;
    const std::size_t kind = random_.below(20);
    if (kind == 0) {
      step.kind = TreeStep::Kind::wait;
    } else if (kind < 3) {
      step.kind = kind == 1 ? TreeStep::Kind::acquire : TreeStep::Kind::wait_for;
      step.access = {random_.below(program_.data.size()), random_.chance(0.5) ? AccessMode::read : AccessMode::readwrite};
      if (program_.data[step.access.datum].window) step.access.mode = AccessMode::read;
      if (step.kind == TreeStep::Kind::wait_for && program_.data[step.access.datum].window) step.kind = TreeStep::Kind::wait;
    } else if (kind == 3) {
      step.kind = TreeStep::Kind::replay;
      step.times = 1 + random_.below(3);
      for (std::size_t t = 1 + random_.below(8); t > 0; --t) step.tasks.push_back(make_task(allowed, 1));
    } else {
      step.tasks.push_back(make_task(allowed, 0));
    }
    return step;
  }

  TreeTask make_task(const std::vector<TreeAccess>& allowed, int depth) {
    TreeTask task;
    task.number = program_.tasks++;
    task.priority = random_.between(-1, 1);
    std::size_t reductions = 0;
    for (std::size_t a = random_.below(4) + (depth == 0 ? 1 : 0); a > 0; --a) {
      const TreeAccess given = random_.pick(allowed);
      if (given.mode == AccessMode::reduce) continue;
      TreeAccess access = given;
      std::vector<std::size_t> inside;
      for (std::size_t d = 0; d < program_.data.size(); ++d)
        if (program_.lies_in(d, given.datum)) inside.push_back(d);
      access.datum = random_.pick(inside);
      if (given.mode != AccessMode::read && given.mode != AccessMode::commute) access.mode = pick_mode();
      if (program_.data[access.datum].window) access.mode = AccessMode::read;
      if (given.mode == AccessMode::commute && access.mode == AccessMode::read) continue;  // a sum in the making
      if (access.mode == AccessMode::reduce && (depth > 0 || ++reductions > 1)) access.mode = AccessMode::commute;
      const bool fits = std::ranges::all_of(task.accesses, [&](const TreeAccess& other) {
        if (other.datum == access.datum) return false;
        return (reads_only(other.mode) && reads_only(access.mode)) || !program_.exclude_each_other(other.datum, access.datum);
      });
      if (fits) task.accesses.push_back(access);
    }
    if (depth == 0 && random_.chance(splittable_)) {
      task.splittable = true;
      for (TreeAccess& access : task.accesses)
        if (access.mode != AccessMode::read) access.mode = AccessMode::readwrite;
      for (std::size_t c = 1 + random_.below(6); c > 0 && !task.accesses.empty(); --c) task.children.push_back(make_task(task.accesses, 2));
    } else if (depth < 2 && random_.chance(0.2)) {
      for (std::size_t c = 1 + random_.below(5); c > 0 && !task.accesses.empty(); --c) {
        TreeTask child = make_task(task.accesses, depth + 1);
        task.children.push_back(std::move(child));
      }
      task.waits = random_.chance(0.4);
    }
    return task;
  }

  AccessMode pick_mode() {
    if (random_.chance(reads_)) return AccessMode::read;
    static constexpr AccessMode kOthers[] = {AccessMode::write, AccessMode::readwrite, AccessMode::readwrite, AccessMode::commute,
                                             AccessMode::reduce};
    return kOthers[random_.below(5)];
  }

  test::Random random_;
  TreeProgram program_;
  std::size_t partitions_ = 0;
  double reads_ = 0.35;
  const double splittable_;
};

/// What a task does with its data: `at(access, element)` is a reference, elements are numbered by column.
/// @returns A digest of what it has read.
template <class At>
std::uint64_t work(const TreeProgram& program, const TreeTask& task, int phase, At&& at) {
  std::uint64_t digest = test::mixed(task.number, static_cast<std::uint64_t>(phase));
  const auto elements = [&](std::size_t a) {
    const TreeDatum& d = program.data[task.accesses[a].datum];
    return d.rows * d.cols;
  };
  for (std::size_t a = 0; a < task.accesses.size(); ++a)
    if (task.accesses[a].mode == AccessMode::read || task.accesses[a].mode == AccessMode::readwrite ||
        (task.accesses[a].mode == AccessMode::write && phase > 0))
      for (std::size_t e = 0; e < elements(a); ++e) digest = test::mixed(digest, at(a, e));
  for (std::size_t a = 0; a < task.accesses.size(); ++a)
    for (std::size_t e = 0; e < elements(a); ++e) switch (task.accesses[a].mode) {
        case AccessMode::write: at(a, e) = test::mixed(digest, a + 100 * e); break;
        case AccessMode::readwrite: at(a, e) = test::mixed(digest, at(a, e)); break;
        case AccessMode::commute:
        case AccessMode::reduce: at(a, e) += test::mixed(task.number, a + 100 * e); break;
        default: break;
      }
  return digest;
}

/// The program in sequence.
class TreeOracle {
 public:
  explicit TreeOracle(const TreeProgram& program) : program_(program), seen(program.tasks) {
    for (const TreeDatum& d : program.data)
      if (d.whole == TreeDatum::kNone) values.emplace_back(d.rows * d.cols, 0);
    for (const TreeStep& step : program.steps) {
      if (step.kind == TreeStep::Kind::acquire && step.access.mode != AccessMode::read) {
        TreeTask guard;
        guard.accesses.push_back(step.access);
        run(guard, 0);
      }
      for (std::size_t n = 0; n < step.times; ++n)
        for (const TreeTask& task : step.tasks) run_all(task);
    }
  }

 private:
  const TreeProgram& program_;

 public:
  std::vector<std::vector<std::uint64_t>> values;  ///< Of the roots.
  std::vector<std::uint64_t> seen;                 ///< By task: sums of the digests of its runs.

 private:
  void run_all(const TreeTask& task) {
    if (!task.splittable) seen[task.number] += run(task, 0);
    for (const TreeTask& child : task.children) run_all(child);
    if (task.waits) seen[task.number] += run(task, 1);
  }
  std::uint64_t run(const TreeTask& task, int phase) {
    return work(program_, task, phase, [&](std::size_t access, std::size_t element) -> std::uint64_t& {
      const TreeDatum& d = program_.data[task.accesses[access].datum];
      return values[d.root][(d.row + element % d.rows) + (d.col + element / d.rows) * program_.data[d.root].rows];
    });
  }
};

inline std::string TreeProgram::text() const {
  std::string out;
  for (std::size_t d = 0; d < data.size(); ++d) {
    out += detail::message("d", d, ": ", data[d].rows, " x ", data[d].cols);
    if (data[d].whole != TreeDatum::kNone)
      out += detail::message(data[d].window ? ", window of d" : ", part of d", data[d].whole, " in partition ", data[d].partition);
    else
      out += data[d].lent ? ", lent" : ", Mitra's";
    out += '\n';
  }
  const auto write = [&](const auto& self, const TreeTask& task, const std::string& indent) -> void {
    out += detail::message(indent, "task ", task.number, ':');
    for (const TreeAccess& a : task.accesses) out += detail::message(' ', to_string(a.mode), "(d", a.datum, ')');
    out += task.splittable ? " can be split\n" : task.waits ? " waits\n" : "\n";
    for (const TreeTask& child : task.children) self(self, child, indent + "  ");
  };
  for (const TreeStep& step : steps) {
    switch (step.kind) {
      case TreeStep::Kind::wait: out += "wait\n"; break;
      case TreeStep::Kind::wait_for: out += detail::message("wait for d", step.access.datum, '\n'); break;
      case TreeStep::Kind::acquire: out += detail::message("acquire ", to_string(step.access.mode), "(d", step.access.datum, ")\n"); break;
      case TreeStep::Kind::replay: out += detail::message("replay ", step.times, " times\n"); break;
      default: break;
    }
    for (const TreeTask& task : step.tasks) write(write, task, "  ");
  }
  return out;
}

}  // namespace mitra::property
