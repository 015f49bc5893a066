// The graph of a run in virtual time, as it was submitted: for bounds that need more than a longest path.
// Flow: submission -> [kept graph] -> bound problem. Thread-safety: serialised, the engine's lock.
#pragma once

#include <cstdint>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/lower_bounds.hpp>

namespace mitra::engine {

struct KeptGraph {
  std::vector<std::uint32_t> row;                ///< By task, in the order of submission.
  std::vector<std::uint32_t> first_predecessor{0};
  std::vector<std::uint32_t> predecessors;
  std::vector<std::uint32_t> pending;            ///< Of the task whose predecessors are being found.

  /// Of each datum: how many tasks use it, and whether the first of them wants its content.
  struct Use {
    std::uint64_t size = 0;
    std::uint32_t tasks = 0;
    bool read_first = false;
  };
  std::vector<Use> uses;                         ///< By the memory manager's number.
  std::vector<std::uint32_t> first_datum{0};
  std::vector<std::uint32_t> data;               ///< Of each task, by first_datum.

  void add(const detail::TaskHeader& task, std::uint32_t costs_row) {
    row.push_back(costs_row);
    predecessors.insert(predecessors.end(), pending.begin(), pending.end());
    pending.clear();
    first_predecessor.push_back(static_cast<std::uint32_t>(predecessors.size()));
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const detail::AccessWord word = task.access_words()[i];
      const std::uint32_t number = word.data()->replicas;
      if (number == 0 || word.mode() == AccessMode::scratch || word.mode() == AccessMode::reduce) continue;
      if (uses.size() <= number) uses.resize(number + 1);
      Use& use = uses[number];
      if (use.tasks++ == 0) use = {word.data()->shape.bytes().value, 1, word.mode() != AccessMode::write};
      data.push_back(number);
    }
    first_datum.push_back(static_cast<std::uint32_t>(data.size()));
  }
  std::size_t size() const { return row.size(); }

  /// What must enter the memories of a class at least for task `t`, if it runs there: of each datum that lay in the host's
  /// memory, the share of one of its users. Whoever is the first user there brings all of it.
  double bytes_in(std::size_t t) const {
    double bytes = 0.0;
    for (std::uint32_t i = first_datum[t]; i < first_datum[t + 1]; ++i)
      if (const Use& use = uses[data[i]]; use.read_first) bytes += static_cast<double>(use.size) / use.tasks;
    return bytes;
  }
};

}  // namespace mitra::engine
