// The patterns as a oneTBB flow graph of continue_nodes: the edges are given, nothing is inferred.
// Flow: main -> [OneTbbPeer] -> oneTBB.

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <deque>
#include <optional>

#include "peer.hpp"

namespace peer {
namespace {

namespace flow = oneapi::tbb::flow;

// Policy: flow::queueing spawns a task for each body (the default of continue_node);
// flow::lightweight runs the body at once, in the thread that completed the last predecessor.
template <class Policy>
class Graph {
 public:
  explicit Graph(const Pattern& pattern) {
    const auto tasks = static_cast<TaskId>(pattern.tasks());
    for (TaskId task = 0; task < tasks; ++task) {
      Node& node = nodes_.emplace_back(graph_, [task](const flow::continue_msg&) {
        run_task(task);
        return flow::continue_msg{};
      });
      const std::span<const TaskId> predecessors = pattern.predecessors(task);
      if (predecessors.empty()) roots_.push_back(&node);
      for (TaskId predecessor : predecessors) flow::make_edge(nodes_[predecessor], node);
    }
  }

  void run() {
    for (Node* root : roots_) root->try_put(flow::continue_msg{});
    graph_.wait_for_all();
  }

 private:
  using Node = flow::continue_node<flow::continue_msg, Policy>;
  flow::graph graph_;
  std::deque<Node> nodes_;  // a node cannot move once it has edges
  std::vector<Node*> roots_;
};

template <class Policy>
class OneTbbPeer final : public Peer {
 public:
  OneTbbPeer(const Options& options, const Pattern& pattern)
      : pattern_(pattern),
        limit_(oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(options.workers)),
        arena_(options.workers) {}

  ~OneTbbPeer() override {
    arena_.execute([this] { graph_.reset(); });
  }

  Seconds submit() override {
    return arena_.execute([this] {
      const Stopwatch stopwatch;
      Graph<Policy> graph(pattern_);
      graph.run();
      return stopwatch.elapsed();
    });
  }

  Seconds replay() override {
    return arena_.execute([this] {
      if (!graph_) graph_.emplace(pattern_);
      const Stopwatch stopwatch;
      graph_->run();
      return stopwatch.elapsed();
    });
  }

 private:
  const Pattern& pattern_;
  oneapi::tbb::global_control limit_;
  oneapi::tbb::task_arena arena_;  // the calling thread takes one of its slots
  std::optional<Graph<Policy>> graph_;
};

}  // namespace

Description describe() { return {.name = "onetbb", .replays = true, .choices = {{"lightweight", {"no", "yes"}}}}; }

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  if (options.choices.at("lightweight") == "yes")
    return std::make_unique<OneTbbPeer<flow::lightweight>>(options, pattern);
  return std::make_unique<OneTbbPeer<flow::queueing>>(options, pattern);
}

}  // namespace peer
