// What a policy that plans knows of the tasks which it has seen and not planned yet: edges, times by class, data.
// Flow: submitted -> [plan graph] -> list plan. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include <mitra/machine.hpp>
#include <mitra/scheduling_policy.hpp>

namespace mitra {

/// Tasks by number, in the order of their submission: a predecessor has the smaller number.
class PlanGraph {
 public:
  static constexpr double kNever = std::numeric_limits<double>::infinity();
  /// A task's access to a datum.
  struct Use {
    std::uint32_t datum = 0;
    bool reads = false, writes = false;
  };
  struct Datum {
    double bytes = 0.0;
    std::uint32_t source = 0;  ///< The node that first had it, or that wrote it last.
  };

  void start(const Machine& machine) {
    classes_ = machine.classes.size();
    nodes_ = machine.memory_nodes.size();
    seconds_per_byte_.assign(nodes_, kNever);
  }

  std::size_t size() const { return ids_.size(); }
  std::size_t classes() const { return classes_; }
  std::size_t nodes() const { return nodes_; }
  TaskId id(std::size_t task) const { return ids_[task]; }
  /// Seconds on a worker of the class; kNever where it cannot run, or where nobody knows.
  double seconds(std::size_t task, ClassId c) const { return seconds_[task * classes_ + c.index()]; }
  double shortest(std::size_t task) const {
    const auto row = seconds_.begin() + static_cast<std::ptrdiff_t>(task * classes_);
    return *std::min_element(row, row + static_cast<std::ptrdiff_t>(classes_));
  }
  /// When what it follows of earlier plans is expected to have ended.
  double released(std::size_t task) const { return released_[task]; }
  std::span<const std::uint32_t> predecessors(std::size_t task) const { return part(predecessors_, first_predecessor_, task); }
  std::span<const std::uint32_t> successors(std::size_t task) const { return part(successors_, first_successor_, task); }
  std::span<const Use> uses(std::size_t task) const { return part(uses_, first_use_, task); }
  std::size_t data() const { return data_.size(); }
  std::vector<Datum>& datum() { return data_; }
  const std::vector<Datum>& datum() const { return data_; }
  /// When each datum is on each node: [datum * nodes + node]; kNever if it is not.
  std::vector<double>& available() { return available_; }
  const std::vector<double>& available() const { return available_; }

  /// @returns Whether data have to be moved, and it is known how long that takes.
  bool moves_data() const { return moves_; }
  double seconds_per_byte(std::size_t node) const { return seconds_per_byte_[node]; }
  double mean_seconds_per_byte() const { return mean_; }
  /// Seconds to move what the task writes, over a link like the others.
  double mean_transfer(std::size_t task) const {
    double bytes = 0.0;
    if (moves_)
      for (const Use& use : uses(task))
        if (use.writes) bytes += data_[use.datum].bytes;
    return bytes * mean_;
  }

  /// Adds a task. @param number  Finds the number of a predecessor in this graph, kOld if it is not in it.
  /// @param ended  Finds when a predecessor of an earlier plan ends.
  /// @returns False if no model knows it on any class: it is not added.
  template <class Number, class Ended>
  bool add(TaskRef task, std::span<const TaskId> predecessors, SchedulerView& view, Number&& number, Ended&& ended) {
    const Machine& machine = view.machine();
    const std::size_t row = seconds_.size();
    bool known = false;
    for (std::uint32_t c = 0; c < classes_; ++c) {
      seconds_.push_back(kNever);
      if (!task.runs_on(machine.classes[c].kind)) continue;
      const auto estimate = view.estimate(task, ClassId(c));
      if (!estimate) continue;
      seconds_.back() = estimate->seconds.value;
      known = true;
    }
    if (!known) {
      seconds_.resize(row);
      return false;
    }
    ids_.push_back(task.id());
    first_predecessor_.push_back(predecessors_.size());
    double released = 0.0;
    for (const TaskId id : predecessors) {
      if (const std::uint32_t p = number(id); p != kOld)
        predecessors_.push_back(p);
      else
        released = std::max(released, ended(id));
    }
    released_.push_back(released);
    add_data(task, view);
    return true;
  }

  /// All tasks are there: looks at the edges from the other side, and at the links.
  void close() {
    std::vector<std::size_t> count(size(), 0);
    for (const std::uint32_t p : predecessors_) ++count[p];
    first_successor_.assign(size(), 0);
    for (std::size_t t = 1; t < size(); ++t) first_successor_[t] = first_successor_[t - 1] + count[t - 1];
    successors_.resize(predecessors_.size());
    std::vector<std::size_t> next = first_successor_;
    for (std::uint32_t t = 0; t < size(); ++t)
      for (const std::uint32_t p : this->predecessors(t)) successors_[next[p]++] = t;

    double sum = 0.0;
    std::size_t known = 0;
    for (const double s : seconds_per_byte_)
      if (s != kNever) sum += s, ++known;
    moves_ = nodes_ > 1 && known != 0 && sum > 0.0;
    mean_ = moves_ ? sum / static_cast<double>(known) : 0.0;
    for (double& s : seconds_per_byte_)
      if (s == kNever) s = mean_;  // nothing has been missing there yet: like the others
  }

  /// The tasks are planned. @param data  They are done, too: where their data lie is asked anew.
  void clear(bool data) {
    ids_.clear(), seconds_.clear(), released_.clear(), uses_.clear(), first_use_.clear();
    predecessors_.clear(), first_predecessor_.clear(), successors_.clear(), first_successor_.clear();
    probed_ = 0;
    if (!data) return;
    numbers_.clear(), data_.clear(), available_.clear();
  }

  static constexpr std::uint32_t kOld = ~std::uint32_t{0};

 private:
  static constexpr std::size_t kProbes = 64;

  template <class T>
  std::span<const T> part(const std::vector<T>& all, const std::vector<std::size_t>& first, std::size_t task) const {
    const std::size_t end = task + 1 < first.size() ? first[task + 1] : all.size();
    return {all.data() + first[task], end - first[task]};
  }

  void add_data(TaskRef task, SchedulerView& view) {
    first_use_.push_back(uses_.size());
    if (nodes_ <= 1) return;
    for (std::size_t i = 0; i < task.access_count(); ++i) {
      const AccessRef access = task.access(i);
      const AccessMode mode = access.mode();
      if (access.bytes() == Bytes(0) || mode == AccessMode::scratch) continue;
      const auto [found, is_new] = numbers_.try_emplace(access.datum(), static_cast<std::uint32_t>(data_.size()));
      if (is_new) add_datum(access, view);
      uses_.push_back({found->second, mode != AccessMode::write && mode != AccessMode::reduce, !reads_only(mode)});
    }
    probe_links(task, view);
  }

  void add_datum(const AccessRef& access, SchedulerView& view) {
    Datum datum{static_cast<double>(access.bytes().value), 0};
    bool anywhere = false;
    for (std::uint32_t n = 0; n < nodes_; ++n) {
      const bool there = view.holds(access, NodeId(n));
      available_.push_back(there ? 0.0 : kNever);
      if (there && !anywhere) datum.source = n;
      anywhere |= there;
    }
    if (!anywhere) available_[data_.size() * nodes_] = 0.0;  // not written yet: it comes to be in the host's memory
    data_.push_back(datum);
  }

  /// Learns from the first tasks how long a byte takes to each node.
  void probe_links(TaskRef task, SchedulerView& view) {
    if (++probed_ > kProbes) return;
    for (std::uint32_t n = 0; n < nodes_; ++n) {
      if (seconds_per_byte_[n] != kNever) continue;
      const auto bytes = static_cast<double>(view.bytes_missing(task, NodeId(n)).value);
      if (bytes == 0.0) continue;
      if (const auto time = view.transfer_time(task, NodeId(n))) seconds_per_byte_[n] = time->value / bytes;
    }
  }

  std::size_t classes_ = 0, nodes_ = 0, probed_ = 0;
  std::vector<TaskId> ids_;
  std::vector<double> seconds_, released_;
  std::vector<std::uint32_t> predecessors_, successors_;
  std::vector<std::size_t> first_predecessor_, first_successor_, first_use_;
  std::vector<Use> uses_;
  std::unordered_map<const void*, std::uint32_t> numbers_;  // of data; never walked through
  std::vector<Datum> data_;
  std::vector<double> available_;
  std::vector<double> seconds_per_byte_;
  double mean_ = 0.0;
  bool moves_ = false;
};

}  // namespace mitra
