// The patterns as one would write them by hand, without a runtime: a graph in compressed rows, an atomic counter of
// missing predecessors per task, a thread per worker with a deque of its own. About the limit for replaying a graph.
// Flow: main -> [HandwrittenPeer] -> threads.

#include <atomic>
#include <bit>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "peer.hpp"

namespace peer {
namespace {

constexpr TaskId kNone = std::numeric_limits<TaskId>::max();

// Chase and Lev's deque with the memory orders of Lê, Pop, Cohen, Zappa Nardelli (PPoPP 2013). It never grows: it has
// room for every task of the graph.
class Deque {
 public:
  explicit Deque(std::size_t tasks) : mask_(std::bit_ceil(tasks) - 1), slots_(mask_ + 1) {}

  void push(TaskId task) {  // owner
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    slot(bottom).store(task, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  TaskId pop() {  // owner
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    TaskId task = kNone;
    if (top <= bottom) {
      task = slot(bottom).load(std::memory_order_relaxed);
      if (top < bottom) return task;
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst)) task = kNone;
    }
    bottom_.store(bottom + 1, std::memory_order_relaxed);
    return task;
  }

  TaskId steal() {  // anyone
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    if (top >= bottom_.load(std::memory_order_seq_cst)) return kNone;
    const TaskId task = slot(top).load(std::memory_order_relaxed);
    return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst) ? task : kNone;
  }

 private:
  std::atomic<TaskId>& slot(std::int64_t i) { return slots_[static_cast<std::size_t>(i) & mask_]; }

  std::size_t mask_;
  std::vector<std::atomic<TaskId>> slots_;
  alignas(64) std::atomic<std::int64_t> bottom_{0};
  alignas(64) std::atomic<std::int64_t> top_{0};
};

struct Graph {
  explicit Graph(const Pattern& pattern)
      : predecessors(pattern.tasks()), waiting(pattern.tasks()), first_successor(pattern.tasks() + 1) {
    const auto tasks = static_cast<TaskId>(pattern.tasks());
    for (TaskId task = 0; task < tasks; ++task) {
      const std::span<const TaskId> before = pattern.predecessors(task);
      predecessors[task] = static_cast<std::uint32_t>(before.size());
      waiting[task].store(predecessors[task], std::memory_order_relaxed);
      if (before.empty()) roots.push_back(task);
      for (TaskId predecessor : before) ++first_successor[predecessor + 1];
    }
    for (TaskId task = 0; task < tasks; ++task) first_successor[task + 1] += first_successor[task];
    successors.resize(first_successor[tasks]);
    std::vector<std::uint32_t> next(first_successor.begin(), first_successor.end() - 1);
    for (TaskId task = 0; task < tasks; ++task)
      for (TaskId predecessor : pattern.predecessors(task)) successors[next[predecessor]++] = task;
  }

  std::vector<std::uint32_t> predecessors;          // how many each task has
  std::vector<std::atomic<std::uint32_t>> waiting;  // for how many it still waits; full again when the task has run
  std::vector<std::uint32_t> first_successor;
  std::vector<TaskId> successors;
  std::vector<TaskId> roots;
};

// A moment of waiting. Cores are given up now and then, so that more workers than cores still make progress.
void pause(std::size_t turn) {
  if (turn % 256 == 0) std::this_thread::yield();
#if defined(__x86_64__)
  else
    __builtin_ia32_pause();
#endif
}

class HandwrittenPeer final : public Peer {
 public:
  HandwrittenPeer(const Options& options, const Pattern& pattern) : pattern_(pattern) {
    for (int worker = 0; worker < options.workers; ++worker)
      deques_.push_back(std::make_unique<Deque>(pattern.tasks()));
    for (std::size_t worker = 1; worker < deques_.size(); ++worker)
      threads_.emplace_back([this, worker] { serve(worker); });
    bind_to_core(0);
  }

  ~HandwrittenPeer() override {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  Seconds submit() override {
    std::optional<Graph> graph;  // destroyed after the clock has stopped
    const Stopwatch stopwatch;
    graph.emplace(pattern_);
    const Seconds running = run(*graph, stopwatch);
    return running;
  }

  Seconds replay() override {
    if (!graph_) graph_.emplace(pattern_);
    return run(*graph_, Stopwatch());
  }

 private:
  Seconds run(Graph& graph, const Stopwatch& stopwatch) {
    running_ = &graph;
    finished_.store(0, std::memory_order_relaxed);
    away_.store(threads_.size(), std::memory_order_relaxed);
    run_number_.fetch_add(1, std::memory_order_release);
    work(0, graph);
    const Seconds elapsed = stopwatch.elapsed();
    while (away_.load(std::memory_order_acquire) != 0) std::this_thread::yield();  // none may still look at this run
    return elapsed;
  }

  // Between runs the workers keep their cores: waking them would be part of the time, and this is a limit.
  void serve(std::size_t worker) {
    bind_to_core(worker);
    std::size_t idle = 0;
    for (std::uint64_t seen = 0; !stop_;) {
      if (run_number_.load(std::memory_order_acquire) == seen) {
        pause(++idle);
        continue;
      }
      ++seen;
      work(worker, *running_);
      away_.fetch_sub(1, std::memory_order_release);
    }
  }

  void work(std::size_t worker, Graph& graph) {
    Deque& own = *deques_[worker];
    // A slice of the roots each, pushed backwards: the owner starts at its first root, thieves at its last.
    const std::size_t roots = graph.roots.size(), workers = deques_.size();
    for (std::size_t i = roots * (worker + 1) / workers; i > roots * worker / workers; --i)
      own.push(graph.roots[i - 1]);

    std::size_t ran = 0;  // and not yet told to the others: a shared counter for each task would be the bottleneck
    for (std::size_t idle = 0;;) {
      TaskId task = own.pop();
      for (std::size_t other = 1; task == kNone && other < workers; ++other)
        task = deques_[(worker + other) % workers]->steal();
      if (task == kNone) {
        if (ran) finished_.fetch_add(std::exchange(ran, 0), std::memory_order_acq_rel);
        if (finished_.load(std::memory_order_acquire) == graph.predecessors.size()) return;
        pause(++idle);
        continue;
      }
      for (; task != kNone; ++ran) task = run_and_release(task, graph, own);
    }
  }

  // Returns the successor to run next: the first one that became ready, the others go to the deque.
  static TaskId run_and_release(TaskId task, Graph& graph, Deque& own) {
    graph.waiting[task].store(graph.predecessors[task], std::memory_order_relaxed);
    run_task(task);
    TaskId next = kNone;
    for (std::uint32_t i = graph.first_successor[task]; i < graph.first_successor[task + 1]; ++i) {
      const TaskId successor = graph.successors[i];
      std::atomic<std::uint32_t>& waiting = graph.waiting[successor];
      // Whoever sees a one is the last: nobody else will touch the counter, and the atomic subtraction is saved.
      if (waiting.load(std::memory_order_acquire) != 1 && waiting.fetch_sub(1, std::memory_order_acq_rel) != 1)
        continue;
      if (next == kNone)
        next = successor;
      else
        own.push(successor);
    }
    return next;
  }

  const Pattern& pattern_;
  std::optional<Graph> graph_;
  std::vector<std::unique_ptr<Deque>> deques_;
  std::vector<std::thread> threads_;
  Graph* running_ = nullptr;
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::uint64_t> run_number_{0};
  alignas(64) std::atomic<std::size_t> finished_{0};  // tasks, of the current run
  std::atomic<std::size_t> away_{0};                  // threads that still work on it
};

}  // namespace

Description describe() { return {.name = "handwritten", .replays = true, .choices = {}}; }

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  return std::make_unique<HandwrittenPeer>(options, pattern);
}

}  // namespace peer
