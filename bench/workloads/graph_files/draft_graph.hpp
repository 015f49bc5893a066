// A graph while it is read: tasks in any order, edges by name. Finished, it is sorted so that predecessors come first.
// Flow: file formats -> [draft graph] -> task graph. Thread-safety: one thread an object.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include <mitra/task_graph.hpp>

namespace mitra::workloads {

class DraftGraph {
 public:
  /// A number that the format chooses: a line, or an element of a document.
  using Place = std::size_t;
  /// @param describe  Turns a place into the beginning of a message: "file:12: ".
  explicit DraftGraph(std::function<std::string(Place)> describe) : describe_(std::move(describe)) {}

  std::uint32_t add_datum(GraphDatum datum);
  /// @param order  Of two tasks without a path between them, the one with the smaller number comes first.
  /// @returns Its number here. @throws Error if the name is known.
  std::uint32_t add_task(std::string id, GraphTask task, std::uint64_t order, Place place);
  GraphTask& task(std::uint32_t number) { return tasks_[number].task; }
  /// A name that may be waited for, and never has to be. @throws Error if the name is known.
  void add_nothing(std::string id, Place place);
  /// Both may be defined later.
  void add_edge(std::string before, std::string after, Place place);

  bool knows(const std::string& id) const { return numbers_.contains(id); }
  std::size_t tasks() const { return tasks_.size(); }

  /// @throws Error for an edge of an unknown task, or a cycle; it names the tasks.
  TaskGraph finish();

 private:
  static constexpr std::uint32_t kNothing = ~std::uint32_t{0};
  struct DraftTask {
    std::string id;
    GraphTask task;
    std::uint64_t order;
    Place place;
  };
  struct Edge {
    std::string before, after;
    Place place;
  };
  void define(const std::string& id, std::uint32_t number, Place place);
  std::uint32_t find(const std::string& id, const char* what, const std::string& other, Place place) const;
  [[noreturn]] void fail_of_cycle(const std::vector<std::vector<std::uint32_t>>& predecessors,
                                  const std::vector<std::uint32_t>& position) const;

  std::function<std::string(Place)> describe_;
  std::vector<GraphDatum> data_;
  std::vector<DraftTask> tasks_;
  std::vector<Edge> edges_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace mitra::workloads
