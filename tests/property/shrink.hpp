// Makes a failing program small: removes tasks, children, accesses and edges as long as it still fails.
// Flow: failing program -> [shrink] -> the message of the test. Thread-safety: one thread.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "program.hpp"

namespace mitra::property {

/// The program without the tasks from `first` to before `last`, and without their children.
inline Program without_tasks(const Program& program, std::size_t first, std::size_t last) {
  std::vector<bool> kept(program.tasks.size(), true);
  for (std::size_t i = 0; i < program.tasks.size(); ++i) {  // children have larger numbers than their parents
    if (i >= first && i < last) kept[i] = false;
    for (const std::size_t child : program.tasks[i].children) kept[child] = kept[child] && kept[i];
  }
  std::vector<std::size_t> number(program.tasks.size());
  Program result;
  result.data = program.data;
  for (std::size_t i = 0; i < program.tasks.size(); ++i)
    if (kept[i]) {
      number[i] = result.tasks.size();
      result.tasks.push_back(program.tasks[i]);
    }
  const auto renumber = [&](std::vector<std::size_t>& list) {
    std::erase_if(list, [&](std::size_t task) { return !kept[task]; });
    for (std::size_t& task : list) task = number[task];
  };
  result.roots = program.roots;
  renumber(result.roots);
  for (TaskSpec& task : result.tasks) {
    renumber(task.after);
    renumber(task.children);
  }
  return result;
}

/// May each child access what it accesses? Its parent must have declared it.
inline bool is_allowed(const Program& program) {
  for (const TaskSpec& parent : program.tasks)
    for (const std::size_t child : parent.children)
      for (const AccessSpec& access : program.tasks[child].accesses)
        if (std::none_of(parent.accesses.begin(), parent.accesses.end(),
                         [&](const AccessSpec& given) { return given.datum == access.datum; }))
          return false;
  return true;
}

/// @param fails  Runs a program, and tells whether it goes wrong.
template <class Fails>
Program shrunk(Program program, Fails fails) {
  const auto accept = [&](Program smaller) {
    if (is_allowed(smaller) && fails(smaller)) program = std::move(smaller);
  };
  for (std::size_t chunk = std::max<std::size_t>(program.tasks.size() / 2, 1); chunk > 0; chunk /= 2)
    for (std::size_t i = program.tasks.size(); i > 0;) {
      i = i > chunk ? i - chunk : 0;
      accept(without_tasks(program, i, std::min(i + chunk, program.tasks.size())));
      i = std::min(i, program.tasks.size());
    }
  const auto simplify = [&](auto change) {
    for (std::size_t i = 0; i < program.tasks.size(); ++i) {
      Program simpler = program;
      if (change(simpler.tasks[i])) accept(std::move(simpler));
    }
  };
  for (int round = 0; round < 12; ++round) {
    simplify([](TaskSpec& t) { return !t.accesses.empty() && (t.accesses.pop_back(), true); });
    simplify([](TaskSpec& t) { return !t.accesses.empty() && (t.accesses.erase(t.accesses.begin()), true); });
    simplify([](TaskSpec& t) { return !t.after.empty() && (t.after.pop_back(), true); });
  }
  simplify([](TaskSpec& t) { return std::exchange(t.scratch, false); });
  simplify([](TaskSpec& t) { return std::exchange(t.priority, 0) != 0; });
  simplify([](TaskSpec& t) { return t.failure != Failure::none && (t.failure = Failure::none, true); });
  simplify([](TaskSpec& t) { return std::exchange(t.cancelled, false); });
  simplify([](TaskSpec& t) { return std::exchange(t.waits, false); });
  return program;
}

}  // namespace mitra::property
