// Flow: lower_bounds -> [work program] -> linear program.
#include "work_program.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mitra::bounds {

WorkProgram::WorkProgram(const CheckedProblem& problem, double scale) : problem_(problem), scale_(scale), makespan_(program_.add_column(1.0)) {
  const std::size_t groups = problem_->groups.size(), resources = problem_->resources.size();
  first_column_.assign(groups, 0);
  for (std::size_t g = 0; g < groups; ++g) {
    if (!has_choice(g)) continue;
    std::vector<Term> whole;
    for (std::size_t i = 0; i < problem_.places(g).size(); ++i) whole.push_back({program_.add_column(0.0), 1.0});
    first_column_[g] = whole.front().column;
    program_.add_equal(whole, 1.0);
  }
  std::vector<std::vector<Term>> rows(resources);
  std::vector<double> constants(resources, 0.0);
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t i = 0; i < problem_.places(g).size(); ++i) {
      const std::size_t r = problem_.places(g)[i];
      put(g, i, tasks(g) * problem_->groups[g].seconds[r] / problem_->resources[r].workers / scale_, rows[r], constants[r]);
    }
  area_row_.assign(resources, 0);
  for (std::size_t r = 0; r < resources; ++r) {
    if (problem_->resources[r].workers == 0.0) continue;
    rows[r].push_back({makespan_, -1.0});
    area_row_[r] = program_.add_at_most(rows[r], -constants[r]);
  }
}

void WorkProgram::put(std::size_t group, std::size_t place, double coefficient, std::vector<Term>& terms, double& constant) const {
  if (has_choice(group))
    terms.push_back({column(group, place), coefficient});
  else
    constant += coefficient;
}

void WorkProgram::add_mixed_path(const BoundPath& path) {
  std::vector<Term> row{{makespan_, -1.0}};
  double constant = 0.0;
  for (std::size_t g = 0; g < path.tasks_by_group.size(); ++g) {
    const std::uint64_t count = path.tasks_by_group[g];
    if (count == 0) continue;
    if (count != problem_->groups[g].tasks) {
      constant += static_cast<double>(count) * problem_.shortest()[g] / scale_;
      continue;
    }
    for (std::size_t i = 0; i < problem_.places(g).size(); ++i)
      put(g, i, tasks(g) * problem_->groups[g].seconds[problem_.places(g)[i]] / scale_, row, constant);
  }
  program_.add_at_most(row, -constant);
}

void WorkProgram::add_path(const BoundPath& path) {
  std::vector<Term> row{{makespan_, -1.0}};
  double constant = 0.0;
  for (std::size_t g = 0; g < path.tasks_by_group.size(); ++g) {
    const auto count = static_cast<double>(path.tasks_by_group[g]);
    if (count == 0.0) continue;
    const std::vector<std::size_t>& places = problem_.places(g);
    const auto coefficient = [&](std::size_t i) { return count * problem_->groups[g].seconds[places[i]] / scale_; };
    if (!has_choice(g) || count == tasks(g)) {  // all of the group: n(r,g) itself
      for (std::size_t i = 0; i < places.size(); ++i) put(g, i, coefficient(i), row, constant);
      continue;
    }
    std::vector<Term> whole;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const int on_path = program_.add_column(0.0);  // of the path's tasks of this group, the part that runs here
      whole.push_back({on_path, 1.0});
      row.push_back({on_path, coefficient(i)});
      program_.add_at_most(std::vector<Term>{{on_path, count / tasks(g)}, {column(g, i), -1.0}}, 0.0);
    }
    program_.add_equal(whole, 1.0);
  }
  program_.add_at_most(row, -constant);
}

void WorkProgram::add_transfers() {
  for (std::size_t r = 0; r < problem_->bandwidth_in.size(); ++r) {
    if (problem_->bandwidth_in[r] == 0.0) continue;
    std::vector<Term> row{{makespan_, -1.0}};
    double constant = 0.0;
    for (std::size_t g = 0; g < problem_->groups.size(); ++g) {
      const BoundGroup& group = problem_->groups[g];
      if (group.bytes_in.empty()) continue;
      const std::vector<std::size_t>& places = problem_.places(g);
      for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i] == r) put(g, i, tasks(g) * group.bytes_in[r] / problem_->bandwidth_in[r] / scale_, row, constant);
    }
    program_.add_at_most(row, -constant);
  }
}

Seconds WorkProgram::minimise_time() { return Seconds(program_.minimise() * scale_); }

Joules WorkProgram::minimise_energy() {
  // Idle power flows all the time, and a task draws what it takes beyond that.
  double idle = problem_->constant.value;
  for (const BoundResource& resource : problem_->resources) idle += resource.workers * resource.idle.value;
  std::vector<Term> costs{{makespan_, idle * scale_}};
  double constant = 0.0;
  for (std::size_t g = 0; g < problem_->groups.size(); ++g) {
    const BoundGroup& group = problem_->groups[g];
    if (group.watts.empty()) continue;
    for (std::size_t i = 0; i < problem_.places(g).size(); ++i) {
      const std::size_t r = problem_.places(g)[i];
      put(g, i, tasks(g) * group.seconds[r] * (group.watts[r] - problem_->resources[r].idle.value), costs, constant);
    }
  }
  double largest = 0.0;
  for (const Term& cost : costs) largest = std::max(largest, std::abs(cost.factor));
  if (largest == 0.0) return Joules(constant);
  for (const Term& cost : costs) program_.set_cost(cost.column, cost.factor / largest);
  return Joules(program_.minimise() * largest + constant);
}

Seconds WorkProgram::proven_area() const {
  // For any weights w(r) >= 0 of sum 1: l >= sum_g tasks(g) min_r w(r) seconds(r,g) / workers(r). The duals are the best.
  std::vector<double> weights(problem_->resources.size(), 0.0);
  for (std::size_t r = 0; r < weights.size(); ++r)
    if (area_row_[r] != 0) weights[r] = std::max(0.0, -program_.dual(area_row_[r]));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (sum == 0.0) return Seconds(0.0);
  double area = 0.0;
  for (std::size_t g = 0; g < problem_->groups.size(); ++g) {
    if (problem_->groups[g].tasks == 0) continue;
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t r : problem_.places(g))
      least = std::min(least, weights[r] * problem_->groups[g].seconds[r] / problem_->resources[r].workers);
    area += tasks(g) * least;
  }
  return Seconds(area / sum);
}

double WorkProgram::part(std::size_t group, std::size_t place) const {
  return has_choice(group) ? std::clamp(program_.value(column(group, place)), 0.0, 1.0) : 1.0;
}

std::vector<double> WorkProgram::average_seconds() const {
  std::vector<double> result(problem_->groups.size(), 0.0);
  for (std::size_t g = 0; g < result.size(); ++g)
    for (std::size_t i = 0; i < problem_.places(g).size(); ++i)
      result[g] += part(g, i) * problem_->groups[g].seconds[problem_.places(g)[i]];
  return result;
}

std::vector<double> WorkProgram::cheapest_on_path(const BoundPath& path, double& length) const {
  std::vector<double> result = problem_.shortest();
  length = 0.0;
  for (std::size_t g = 0; g < result.size(); ++g) {
    if (path.tasks_by_group[g] == 0) continue;
    std::vector<std::size_t> order(problem_.places(g).size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto seconds = [&](std::size_t i) { return problem_->groups[g].seconds[problem_.places(g)[i]]; };
    std::ranges::stable_sort(order, {}, seconds);
    const auto count = static_cast<double>(path.tasks_by_group[g]);
    double left = count, sum = 0.0;
    for (const std::size_t i : order) {
      const double here = i == order.back() ? left : std::min(left, tasks(g) * part(g, i));
      sum += here * seconds(i);
      left -= here;
    }
    result[g] = sum / count;
    length += sum;
  }
  return result;
}

}  // namespace mitra::bounds
