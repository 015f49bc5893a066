// Policies among real threads: concurrent() ones are called from all at once, the others one call at a time, as an
// engine would. Nothing is lost and nothing comes twice.
#include <atomic>
#include <mutex>
#include <thread>

#include "harness.hpp"
#include "support/catch.hpp"
#include "support/scale.hpp"

using namespace mitra;
using namespace mitra::conformance;

namespace {

/// Runs a graph with one thread a worker, and perhaps one more that is none and makes the first tasks ready.
class ThreadedRun {
 public:
  ThreadedRun(const std::string& name, const Machine& machine, const FakeGraph& graph, std::uint64_t seed)
      : policy_(make_scheduler(name)), machine_(machine), graph_(graph), seed_(seed), missing_(graph.nodes.size()),
        given_(graph.nodes.size()) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      tasks_.push_back(std::make_unique<FakeTask>(graph, i));
      missing_[i] = static_cast<int>(graph.nodes[i].predecessors);
    }
  }

  void run() {
    FakeView outsider(machine_, seed_);
    policy_->start(outsider);
    std::vector<std::thread> threads;
    for (const Worker& w : machine_.workers) threads.emplace_back([this, id = w.id] { work(id); });
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].predecessors == 0) serialised([&] { policy_->ready(tasks_[i]->ref(), outsider); });
    for (std::thread& t : threads) t.join();
  }
  std::size_t finished() const { return finished_; }
  std::string problem() const {
    if (wrong_kind_ > 0) return "a task was given to a worker of another kind";
    for (std::size_t i = 0; i < given_.size(); ++i)
      if (given_[i] != 1) return "task " + std::to_string(i) + " was given " + std::to_string(given_[i]) + " times";
    return "";
  }

 private:
  template <class Call>
  void serialised(Call call) {
    if (policy_->concurrent()) {
      call();
    } else {
      const std::lock_guard lock(mutex_);
      call();
    }
  }

  void work(WorkerId self) {
    FakeView view(machine_, seed_);
    view.act_as(self);
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (finished_ < graph_.nodes.size()) {
      TaskRef task;
      serialised([&] { task = policy_->next(self, view); });
      if (!task) {
        if (std::chrono::steady_clock::now() > patience) return;  // lost: problem() tells which
        std::this_thread::yield();
      }
      while (task) task = execute(task, self, view);
    }
  }

  /// @returns A successor that stays here.
  TaskRef execute(TaskRef task, WorkerId self, FakeView& view) {
    const std::size_t number = FakeTask::number_of(task);
    given_[number].fetch_add(1);
    if (!task.runs_on(kind_of(machine_, self))) wrong_kind_.fetch_add(1);
    if (policy_->watches_completions())
      serialised([&] { policy_->finished(task, Measured{self, Seconds(0.0), Seconds(1.0)}, view); });
    TaskRef kept;
    for (const std::size_t successor : graph_.nodes[number].successors) {
      if (missing_[successor].fetch_sub(1) != 1) continue;
      const TaskRef ref = tasks_[successor]->ref();
      bool keep = false;
      serialised([&] { keep = !kept && ref.runs_on(kind_of(machine_, self)) && policy_->runs_next(ref, self); });
      if (keep)
        kept = ref;
      else
        serialised([&] { policy_->ready(ref, view); });
    }
    finished_.fetch_add(1);
    return kept;
  }

  const std::unique_ptr<SchedulingPolicy> policy_;
  const Machine& machine_;
  const FakeGraph& graph_;
  const std::uint64_t seed_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<FakeTask>> tasks_;
  std::vector<std::atomic<int>> missing_, given_;
  std::atomic<std::size_t> finished_{0};
  std::atomic<int> wrong_kind_{0};
};

void expect_all_once(const std::string& name, const Machine& machine, const FakeGraph& graph, std::uint64_t seed) {
  INFO(name << " on " << machine.name);
  ThreadedRun run(name, machine, graph, seed);
  run.run();
  CHECK(run.finished() == graph.nodes.size());
  CHECK(run.problem() == "");
}

}  // namespace

TEST_CASE("among threads every task of a random graph is given once") {
  for (const std::string& name : policies_under_test())
    for (const std::uint64_t seed : test::seeds(test::kSanitized ? 5 : 20)) {
      MITRA_INFO_SEED(seed);
      test::Random random(seed);
      const std::size_t gpus = random.chance(0.5) ? 2 : 0;
      expect_all_once(name, fake_machine(2 + random.below(6), gpus), random_graph(random, 1000, gpus > 0), seed);
    }
}

TEST_CASE("among threads a wide graph is given once, more tasks than any queue holds") {
  FakeGraph graph;
  graph.nodes.resize(test::scaled(60'000));
  for (const std::string& name : policies_under_test()) expect_all_once(name, fake_machine(4), graph, 1);
}

TEST_CASE("among threads a graph that fans out and in again is given once") {
  FakeGraph graph;
  const std::size_t width = 200, stages = test::scaled(100) + 1;
  graph.nodes.resize(stages * (width + 1));
  for (std::size_t s = 0; s < stages; ++s) {
    const std::size_t first = s * (width + 1);
    for (std::size_t i = 1; i <= width; ++i) {
      graph.nodes[first + i].priority = static_cast<int>(i % 3) - 1;
      graph.edge(first, first + i);
      if (s + 1 < stages) graph.edge(first + i, first + width + 1);
    }
  }
  for (const std::string& name : policies_under_test()) expect_all_once(name, fake_machine(4), graph, 1);
}
