// A bound problem that has been checked, with what every bound needs of it.
// Flow: lower_bounds -> [checked problem] -> work program. Thread-safety: immutable.
#pragma once

#include <vector>

#include <mitra/lower_bounds.hpp>

namespace mitra::bounds {

class CheckedProblem {
 public:
  /// @throws Error if the problem contradicts itself, or a group can run nowhere; it names the group.
  explicit CheckedProblem(const BoundProblem& problem);

  const BoundProblem& operator*() const { return problem_; }
  const BoundProblem* operator->() const { return &problem_; }

  /// Where tasks of the group can run, by number. More than one: the group has a choice.
  const std::vector<std::size_t>& places(std::size_t group) const { return places_[group]; }
  /// By group, s: a task at its shortest. 0 for a group without tasks.
  const std::vector<double>& shortest() const { return shortest_; }
  bool knows_transfers() const { return knows_transfers_; }
  bool knows_power() const { return knows_power_; }

 private:
  void check_resources();
  void check_group(const BoundGroup& group) const;
  void check_graph() const;

  const BoundProblem& problem_;
  std::vector<std::vector<std::size_t>> places_;
  std::vector<double> shortest_;
  bool knows_transfers_ = false, knows_power_ = false;
};

}  // namespace mitra::bounds
