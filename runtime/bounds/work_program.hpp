// The linear program that all bounds grow from: the work of every group spread over the resources within the makespan l.
// Flow: lower_bounds -> [work program] -> linear program. Thread-safety: one thread an object.
//
//   minimise l   sum_r n(r,g) = tasks(g)                 each group g
//                sum_g n(r,g) seconds(r,g) <= l workers(r)  each resource r
// and, as they are asked for:
//                sum_g n(r,g) bytes_in(r,g) <= l bandwidth_in(r)
//                sum over a path p of what its tasks take, at least, where they run <= l
//
// Columns are n(r,g) / tasks(g), times are parts of a scale near the result, so that all numbers lie around 1.
// Groups that can run in one place only are no columns: they are in the right sides.
#pragma once

#include <span>
#include <vector>

#include "checked_problem.hpp"
#include "linear_program.hpp"

namespace mitra::bounds {

class WorkProgram {
 public:
  /// @param scale  Above 0 and not far below the result: the longest path and the average work are good.
  WorkProgram(const CheckedProblem& problem, double scale);

  /// One row: groups that lie wholly on the path pay for where they run, the others their shortest.
  void add_mixed_path(const BoundPath& path);
  /// The tasks of the path take what the cheapest assignment takes that uses no more of n(r,g) than there is.
  void add_path(const BoundPath& path);
  void add_transfers();

  /// @returns The smallest l. @throws Error if the solver fails.
  Seconds minimise_time();
  /// @returns The smallest energy in any time that the rows allow.
  Joules minimise_energy();

  // --- after minimise_time() ---

  /// What the area rows alone prove, by plain arithmetic from their dual values (weak duality): right however wrong the
  /// solver may be. @pre No other rows were added.
  Seconds proven_area() const;
  /// By group: what a task takes on average.
  std::vector<double> average_seconds() const;
  /// By group, for a path: what one of its tasks takes on average in the cheapest assignment of the path.
  /// @returns Their sum over the path in `length`.
  std::vector<double> cheapest_on_path(const BoundPath& path, double& length) const;

 private:
  bool has_choice(std::size_t group) const { return problem_.places(group).size() > 1 && problem_->groups[group].tasks != 0; }
  double tasks(std::size_t group) const { return static_cast<double>(problem_->groups[group].tasks); }
  double part(std::size_t group, std::size_t place) const;  // of the group's tasks, in the last solution
  int column(std::size_t group, std::size_t place) const { return first_column_[group] + static_cast<int>(place); }
  /// Puts coefficient * n(r,g) / tasks(g) into a row: a term, or a constant.
  void put(std::size_t group, std::size_t place, double coefficient, std::vector<Term>& terms, double& constant) const;

  const CheckedProblem& problem_;
  const double scale_;
  LinearProgram program_;
  int makespan_;
  std::vector<int> first_column_;  // by group; of its first place
  std::vector<int> area_row_;      // by resource; 0: it has no workers
};

}  // namespace mitra::bounds
