// A linear program: minimise a cost over columns within bounds, subject to rows. Solved by the simplex method of GLPK.
// Flow: lower bounds -> [linear program] -> GLPK. Thread-safety: one thread an object, since GLPK's memory belongs to a
// thread; any number of threads with objects of their own.
#pragma once

#include <cstddef>
#include <span>

struct glp_prob;

namespace mitra::bounds {

/// One entry of a row.
struct Term {
  int column;
  double factor;
};

/// What GLPK keeps for a thread: there while this object lives, and as it was before afterwards; silent meanwhile.
class SolverEnvironment {
 public:
  SolverEnvironment();
  SolverEnvironment(const SolverEnvironment&) = delete;
  SolverEnvironment& operator=(const SolverEnvironment&) = delete;
  ~SolverEnvironment();

 private:
  bool own_ = false;       // this object made it: nobody else of this thread uses GLPK
  int talked_before_ = 0;  // whether GLPK wrote to the terminal
};

/// Rows and columns can be added between two solutions: the second starts from the first.
/// All numbers have to be finite, and of a size around 1: the tolerances of the solver are absolute there.
class LinearProgram {
 public:
  LinearProgram();
  LinearProgram(const LinearProgram&) = delete;
  LinearProgram& operator=(const LinearProgram&) = delete;
  ~LinearProgram();

  /// A column that is not negative. @returns Its number.
  int add_column(double cost);
  void set_cost(int column, double cost);
  /// Sum of the terms <= limit. @pre No column comes twice. @returns The row's number.
  int add_at_most(std::span<const Term> terms, double limit);
  /// Sum of the terms = value. @pre No column comes twice.
  int add_equal(std::span<const Term> terms, double value);

  /// @returns The smallest cost. @throws Error if there is no solution, or the solver fails.
  double minimise();
  /// Of the last solution.
  double value(int column) const;
  /// What the cost gains where a row's right side grows by 1; not positive for add_at_most.
  double dual(int row) const;

 private:
  int add_row(std::span<const Term> terms, int kind, double bound);

  SolverEnvironment environment_;
  glp_prob* program_;
};

}  // namespace mitra::bounds
