// Flow: lower bounds -> [linear program] -> GLPK.
#include "linear_program.hpp"

#include <glpk.h>

#include <vector>

#include <mitra/error.hpp>

namespace mitra::bounds {

namespace {

/// Of values around 1. GLPK's own 1e-7 would let a bound exceed the truth by as much.
constexpr double kTolerance = 1e-9;

}  // namespace

SolverEnvironment::SolverEnvironment() {
  const int state = glp_init_env();
  if (state > 1) throw Error("lower bounds: GLPK cannot start: there is not enough memory, or no memory model that it knows");
  own_ = state == 0;
  talked_before_ = glp_term_out(GLP_OFF);
}

SolverEnvironment::~SolverEnvironment() {
  if (own_)
    glp_free_env();
  else
    glp_term_out(talked_before_);
}

LinearProgram::LinearProgram() : program_(glp_create_prob()) { glp_set_obj_dir(program_, GLP_MIN); }
LinearProgram::~LinearProgram() { glp_delete_prob(program_); }

int LinearProgram::add_column(double cost) {
  const int column = glp_add_cols(program_, 1);
  glp_set_col_bnds(program_, column, GLP_LO, 0.0, 0.0);
  glp_set_obj_coef(program_, column, cost);
  return column;
}

void LinearProgram::set_cost(int column, double cost) { glp_set_obj_coef(program_, column, cost); }

int LinearProgram::add_row(std::span<const Term> terms, int kind, double bound) {
  std::vector<int> columns(1);  // GLPK counts from 1
  std::vector<double> factors(1);
  for (const Term& term : terms) {
    columns.push_back(term.column);
    factors.push_back(term.factor);
  }
  const int row = glp_add_rows(program_, 1);
  glp_set_row_bnds(program_, row, kind, bound, bound);
  glp_set_mat_row(program_, row, static_cast<int>(terms.size()), columns.data(), factors.data());
  return row;
}

int LinearProgram::add_at_most(std::span<const Term> terms, double limit) { return add_row(terms, GLP_UP, limit); }
int LinearProgram::add_equal(std::span<const Term> terms, double value) { return add_row(terms, GLP_FX, value); }

double LinearProgram::minimise() {
  glp_scale_prob(program_, GLP_SF_GM | GLP_SF_EQ | GLP_SF_2N);  // by powers of two: exact
  glp_smcp options;
  glp_init_smcp(&options);
  options.msg_lev = GLP_MSG_OFF;
  // Costs are not negative at first, so the empty solution is dual feasible; so is an old one after new rows.
  options.meth = GLP_DUALP;
  options.tol_bnd = kTolerance;
  options.tol_dj = kTolerance;
  int failure = glp_simplex(program_, &options);
  if (failure != 0 || glp_get_status(program_) != GLP_OPT) {  // once more, from the start and by the other method
    glp_std_basis(program_);
    options.meth = GLP_PRIMAL;
    failure = glp_simplex(program_, &options);
  }
  if (failure != 0)
    throw Error(detail::message("lower bounds: GLPK's simplex method failed with code ", failure, " on ",
                                glp_get_num_rows(program_), " rows and ", glp_get_num_cols(program_), " columns"));
  if (const int status = glp_get_status(program_); status != GLP_OPT)
    throw Error(detail::message("lower bounds: the linear program of ", glp_get_num_rows(program_), " rows and ",
                                glp_get_num_cols(program_), " columns has no optimum (GLPK's status ", status,
                                "); the durations may lie too far apart"));
  return glp_get_obj_val(program_);
}

double LinearProgram::value(int column) const { return glp_get_col_prim(program_, column); }
double LinearProgram::dual(int row) const { return glp_get_row_dual(program_, row); }

}  // namespace mitra::bounds
