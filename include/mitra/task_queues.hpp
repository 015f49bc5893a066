// Building blocks of policies: a locked first-in first-out list, and a locked heap by priority. No allocation per task in
// the list; equal priorities come out in the order of submission.
// Flow: schedulers. Thread-safety: TaskFifo, TaskHeap serialised; the Shared ones thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <mutex>
#include <vector>

#include <mitra/detail/spin_lock.hpp>
#include <mitra/machine.hpp>
#include <mitra/task_ref.hpp>

namespace mitra {

/// First in, first out, linked through TaskRef::link.
class TaskFifo {
 public:
  bool empty() const { return first_ == TaskRef(); }
  TaskRef front() const { return first_; }
  void push(TaskRef task) {
    task.set_link(nullptr);
    if (empty())
      first_ = task;
    else
      last_.set_link(task.header());
    last_ = task;
  }
  /// @returns The oldest task; empty if there is none.
  TaskRef pop() {
    const TaskRef task = first_;
    if (task) first_ = TaskRef(static_cast<detail::TaskHeader*>(task.link()));
    return task;
  }

 private:
  TaskRef first_, last_;
};

/// Larger priorities first, then smaller ids.
struct ByPriority {
  bool operator()(TaskRef a, TaskRef b) const {  // std heaps keep the largest on top: is a after b?
    return a.priority() != b.priority() ? a.priority() < b.priority() : a.id() > b.id();
  }
};

class TaskHeap {
 public:
  bool empty() const { return tasks_.empty(); }
  TaskRef top() const { return tasks_.empty() ? TaskRef() : tasks_.front(); }
  void push(TaskRef task) {
    tasks_.push_back(task);
    std::push_heap(tasks_.begin(), tasks_.end(), ByPriority{});
  }
  TaskRef pop() {
    if (tasks_.empty()) return {};
    std::pop_heap(tasks_.begin(), tasks_.end(), ByPriority{});
    const TaskRef task = tasks_.back();
    tasks_.pop_back();
    return task;
  }

 private:
  std::vector<TaskRef> tasks_;
};

/// The kinds of workers that can run a task, as a set: tasks of equal sets share a queue, so that a worker never has to
/// look past tasks which it cannot run.
inline constexpr std::size_t kKindSets = std::size_t{1} << kWorkerKinds;
inline std::size_t kind_set(TaskRef task) { return task.header()->kinds; }
inline bool includes(std::size_t set, WorkerKind kind) { return (set >> static_cast<unsigned>(kind) & 1U) != 0; }

/// Tasks for whichever worker can run them, the most urgent first: what a policy does with tasks that no model knows.
class TasksByKinds {
 public:
  void push(TaskRef task) { heaps_[kind_set(task)].push(task); }
  /// @returns The most urgent that `kind` can run; empty if there is none.
  TaskRef pop(WorkerKind kind) {
    TaskHeap* best = nullptr;
    for (std::size_t set = 1; set < kKindSets; ++set)
      if (includes(set, kind) && !heaps_[set].empty() && (best == nullptr || ByPriority{}(best->top(), heaps_[set].top())))
        best = &heaps_[set];
    return best == nullptr ? TaskRef() : best->pop();
  }

 private:
  std::array<TaskHeap, kKindSets> heaps_;
};

/// A TaskFifo for tasks that come from threads without a queue of their own. An empty one costs one load.
class SharedFifo {
 public:
  void push(TaskRef task) {
    detail::SpinGuard guard(lock_);
    tasks_[kind_set(task)].push(task);
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  /// @returns The oldest task of one set that `kind` can run.
  TaskRef pop(WorkerKind kind) {
    if (count_.load(std::memory_order_relaxed) == 0) return {};
    detail::SpinGuard guard(lock_);
    for (std::size_t set = 1; set < kKindSets; ++set) {
      if (!includes(set, kind) || tasks_[set].empty()) continue;
      count_.fetch_sub(1, std::memory_order_relaxed);
      return tasks_[set].pop();
    }
    return {};
  }

 private:
  std::atomic<std::size_t> count_{0};
  detail::SpinLock lock_;
  std::array<TaskFifo, kKindSets> tasks_ MITRA_GUARDED_BY(lock_);
};

/// A TaskHeap that several workers use; the priority on top is seen without the lock.
class SharedHeap {
 public:
  static constexpr int kEmpty = std::numeric_limits<int>::min();
  /// kEmpty if there is no task. A moment's look.
  int top_priority() const { return top_.load(std::memory_order_relaxed); }
  void push(TaskRef task) {
    detail::SpinGuard guard(lock_);
    tasks_.push(task);
    publish_top();
  }
  /// @returns The task on top, if its priority is at least `least`.
  TaskRef pop(int least) {
    if (top_priority() == kEmpty || top_priority() < least) return {};
    detail::SpinGuard guard(lock_);
    if (tasks_.empty() || tasks_.top().priority() < least) return {};
    const TaskRef task = tasks_.pop();
    publish_top();
    return task;
  }

 private:
  void publish_top() MITRA_REQUIRES(lock_) {
    // A task of the smallest priority of all counts as one of the next: it must not look like an empty heap.
    top_.store(tasks_.empty() ? kEmpty : std::max(tasks_.top().priority(), kEmpty + 1), std::memory_order_relaxed);
  }
  std::atomic<int> top_{kEmpty};
  detail::SpinLock lock_;
  TaskHeap tasks_ MITRA_GUARDED_BY(lock_);
};

}  // namespace mitra
