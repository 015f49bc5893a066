// Random task graphs, and tasks of them as policies see tasks: records without an engine behind.
// Flow: seed -> [fake graph] -> harness -> policy. Thread-safety: a graph is immutable; a task belongs to its harness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mitra/detail/data_header.hpp>
#include <mitra/detail/task_header.hpp>
#include <mitra/task_ref.hpp>
#include <new>
#include <string>
#include <deque>
#include <vector>

#include "support/random.hpp"

namespace mitra::conformance {

inline constexpr std::uint8_t kOnCpu = 1U << static_cast<unsigned>(WorkerKind::cpu);
inline constexpr std::uint8_t kOnHip = 1U << static_cast<unsigned>(WorkerKind::hip);

struct FakeNode {
  int priority = 0;
  std::uint8_t kinds = kOnCpu;
  std::vector<std::pair<std::size_t, AccessMode>> accesses;  ///< Datum and mode.
  std::vector<std::size_t> successors;
  std::size_t predecessors = 0;
};

struct FakeGraph {
  std::vector<FakeNode> nodes;
  std::deque<detail::DataHeader> data;

  void edge(std::size_t from, std::size_t to) {
    nodes[from].successors.push_back(to);
    ++nodes[to].predecessors;
  }
};

/// A graph of `tasks` nodes whose edges lead from smaller to larger numbers. With `kinds`, some tasks run on cores only,
/// some on GPUs only, some on both.
inline FakeGraph random_graph(test::Random& random, std::size_t tasks, bool kinds) {
  FakeGraph graph;
  graph.data.resize(8);
  for (auto& datum : graph.data) {
    datum.shape.rows = 1 + random.below(1000);
    datum.shape.cols = 1;
    datum.shape.element_size = 8;
  }
  graph.nodes.resize(tasks);
  const std::size_t reach = 1 + random.below(tasks);  // short: long chains; long: wide graphs
  for (std::size_t i = 0; i < tasks; ++i) {
    FakeNode& node = graph.nodes[i];
    node.priority = random.chance(0.5) ? 0 : random.between(-3, 3);
    if (kinds) node.kinds = static_cast<std::uint8_t>(random.between(1, 3));
    for (std::size_t a = random.below(6); a > 0; --a)
      node.accesses.emplace_back(random.below(graph.data.size()), random.chance(0.5) ? AccessMode::read : AccessMode::readwrite);
    for (std::size_t p = i == 0 ? 0 : random.below(4); p > 0; --p) {
      const std::size_t distance = 1 + random.below(std::min(reach, i));
      graph.edge(i - distance, i);
    }
  }
  return graph;
}

/// One task of a graph, made of what policies may look at.
class FakeTask {
 public:
  FakeTask(const FakeGraph& graph, std::size_t number) : name_("task " + std::to_string(number)) {
    static const detail::TaskType type{};
    const FakeNode& node = graph.nodes[number];
    block_ = std::make_unique<std::uint64_t[]>(detail::block_prefix(node.accesses.size()) / 8);
    header_ = std::make_unique<detail::TaskHeader>();
    header_->id.store(1000 + number);
    header_->type = &type;
    header_->priority = node.priority;
    header_->kinds = node.kinds;
    header_->parent = nullptr;
    header_->link = nullptr;
    header_->accesses = static_cast<std::uint16_t>(node.accesses.size());
    header_->block = reinterpret_cast<std::byte*>(block_.get());
    for (std::size_t a = 0; a < node.accesses.size(); ++a) {
      auto* datum = const_cast<detail::DataHeader*>(&graph.data[node.accesses[a].first]);  // an access word points to it
      ::new (&header_->access_words()[a]) detail::AccessWord(datum, node.accesses[a].second);
    }
    ::new (&header_->where()) detail::PackedLocation(SourceLocation{"fake_graph.cpp", 1});
    ::new (&header_->name()) const char*(name_.c_str());
  }

  TaskRef ref() const { return TaskRef(header_.get()); }
  /// The number in its graph of a task that a policy gave.
  static std::size_t number_of(TaskRef task) { return static_cast<std::size_t>(task.id().value - 1000); }

 private:
  std::string name_;
  std::unique_ptr<std::uint64_t[]> block_;
  std::unique_ptr<detail::TaskHeader> header_;  // alone on the heap: a look at it after its end is seen by AddressSanitizer
};

}  // namespace mitra::conformance
