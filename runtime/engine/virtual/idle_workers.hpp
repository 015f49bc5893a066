// Virtual workers that could take a task, by kind, and those that hold nothing apart from those with room in their pipeline.
// Flow: worker has room -> [idle workers] -> whom to ask for a ready task. Thread-safety: serialised, the engine's lock.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <mitra/machine.hpp>
#include <mitra/task_queues.hpp>

namespace mitra::engine {

class IdleWorkers {
 public:
  explicit IdleWorkers(std::size_t workers) : nodes_(workers) {}

  /// @param holds_tasks  It runs one already, and has room in its pipeline.
  void put_last(WorkerId worker, WorkerKind kind, bool holds_tasks) {
    remove(worker);
    Node& node = nodes_[worker.index()];
    node.list = static_cast<std::uint8_t>(static_cast<std::size_t>(kind) + (holds_tasks ? kWorkerKinds : 0));
    List& list = lists_[node.list];
    node.previous = list.last;
    node.next = kNone;
    node.since = ++count_;
    (list.last == kNone ? list.first : nodes_[list.last].next) = worker.value;
    list.last = worker.value;
  }
  void remove(WorkerId worker) {
    Node& node = nodes_[worker.index()];
    if (node.list == kNoList) return;
    List& list = lists_[node.list];
    (node.previous == kNone ? list.first : nodes_[node.previous].next) = node.next;
    (node.next == kNone ? list.last : nodes_[node.next].previous) = node.previous;
    node.list = kNoList;
  }

  /// Calls ask(worker) for those that have been idle for longest, until one of them takes something.
  /// @param kinds     Whom to ask. @see kind_set
  /// @param attempts  In each list; whoever was asked stands last.
  /// @param silence   A list that gave nothing is not asked for so many calls, or until hear(); 0: it is.
  template <class Ask>
  bool ask(std::size_t kinds, int attempts, unsigned silence, Ask&& ask) {
    const std::uint64_t until = count_;
    for (const std::size_t l : kOrder) {
      List& list = lists_[l];
      if (!includes(kinds, static_cast<WorkerKind>(l % kWorkerKinds))) continue;
      if (list.silent > 0) {
        --list.silent;
        continue;
      }
      for (int attempt = 0; attempt < attempts; ++attempt) {
        if (list.first == kNone || nodes_[list.first].since > until) break;
        if (ask(WorkerId(list.first))) return true;
        list.silent = silence;
      }
    }
    return false;
  }
  /// Workers of this kind are worth asking again.
  void hear(WorkerKind kind) {
    lists_[static_cast<std::size_t>(kind)].silent = 0;
    lists_[static_cast<std::size_t>(kind) + kWorkerKinds].silent = 0;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::uint8_t kNoList = 0xff;
  struct Node {
    std::uint32_t previous = kNone, next = kNone;
    std::uint64_t since = 0;  // a count, not a time
    std::uint8_t list = kNoList;
  };
  struct List {
    std::uint32_t first = kNone, last = kNone;
    unsigned silent = 0;
  };
  /// Those that hold nothing first, and of these the few devices before the many cores. StarPU numbers its workers so, and
  /// wakes the first that can run a task.
  static constexpr std::size_t kOrder[] = {1, 0, 3, 2};
  static_assert(kWorkerKinds == 2 && static_cast<std::size_t>(WorkerKind::hip) == 1);

  std::vector<Node> nodes_;
  std::array<List, 2 * kWorkerKinds> lists_;  // by kind: who holds nothing; then who has room in its pipeline
  std::uint64_t count_ = 0;
};

}  // namespace mitra::engine
