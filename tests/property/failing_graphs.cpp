// Random programs in which tasks throw or are cancelled: exactly the tasks that follow them, directly or not, do not run;
// all others run once; every task says how it ended; and afterwards the Runtime is as new.
#include "execution.hpp"
#include "settings.hpp"
#include "support/gate.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

/// Is there a task of this name that throws?
bool throws(const Program& program, const std::string& name) {
  for (const TaskSpec& task : program.tasks)
    if (task.name == name) return task.failure != Failure::none;
  return false;
}

/// Waits for each task without a parent, and compares what it says of its end.
void expect_endings(const Program& program, const Oracle& oracle, Execution& execution) {
  for (const std::size_t root : program.roots) {
    bool threw = false;
    try {
      execution.tasks[root].wait();
    } catch (const TaskError&) {
      threw = true;
    }
    const TaskStatus status = execution.tasks[root].status();
    const Ending expected = oracle.endings[root];
    const bool as_expected = (status == TaskStatus::done && expected == Ending::done && !threw) ||
                             (status == TaskStatus::failed && expected == Ending::failed && threw) ||
                             (status == TaskStatus::cancelled && expected == Ending::cancelled);
    if (!as_expected) execution.books.report(root, detail::message("ends with status ", int(status), ", threw: ", threw));
  }
}

/// @returns What went wrong; nothing if nothing did.
std::string problems_of(Runtime& rt, const Program& program, bool ask_each) {
  const Oracle oracle(program);
  bool cancels = false, must_throw = false;
  for (const std::size_t root : program.roots) {
    must_throw |= oracle.endings[root] == Ending::failed;
    cancels |= program.tasks[root].cancelled;
  }
  Execution execution(rt, program, oracle);
  test::Gate submitted;
  if (cancels) {  // nobody starts before all cancellations are made
    const Task gate = rt.submit("gate", [&] { submitted.pass(); });
    execution.submit_all({gate});
    submitted.open();
  } else {
    execution.submit_all();
  }
  if (ask_each) expect_endings(program, oracle, execution);
  bool threw = false;
  try {
    rt.wait();
  } catch (const TaskError& error) {
    threw = true;
    if (!throws(program, error.name)) execution.books.report("wait() reports " + error.name + ", which does not throw");
  }
  if (threw != must_throw) execution.books.report(threw ? "wait() throws without a reason" : "wait() does not throw");
  execution.books.expect_all(1);
  try {
    rt.wait();
  } catch (const TaskError& error) {
    execution.books.report(std::string("a second wait() throws again: ") + error.what());
  }
  return execution.books.problems();
}
std::string problems_of_all(Runtime& rt, const Program& program) { return problems_of(rt, program, false); }
std::string problems_of_each(Runtime& rt, const Program& program) { return problems_of(rt, program, true); }

/// What failed leaves no trace: a program without failures runs well.
void expect_as_new(Runtime& rt, std::uint64_t seed) {
  const Program program = random_program(seed, {.tasks = 20});
  const Oracle oracle(program);
  Execution execution(rt, program, oracle);
  execution.submit_all();
  CHECK_NOTHROW(rt.wait());
  CHECK((execution.values == oracle.data));
}

}  // namespace

TEST_CASE("failures cancel exactly what follows them") {
  in_every_setting(40, [](Runtime& rt, std::uint64_t seed) {
    expect_well(rt, random_program(seed, {.failing = 0.05}), problems_of_all);
    expect_well(rt, random_program(seed, {.failing = 0.05}), problems_of_each);
    expect_as_new(rt, seed);
  });
}

TEST_CASE("cancellations cancel exactly what follows them") {
  in_every_setting(25, [](Runtime& rt, std::uint64_t seed) {
    if (rt.config().window != 0) return;  // a full window makes this thread work, and no task may start yet
    expect_well(rt, random_program(seed, {.cancelled = 0.05}), problems_of_all);
    expect_well(rt, random_program(seed, {.cancelled = 0.05}), problems_of_each);
    expect_as_new(rt, seed);
  });
}

TEST_CASE("failures and cancellations together cancel exactly what follows them") {
  in_every_setting(15, [](Runtime& rt, std::uint64_t seed) {
    if (rt.config().window != 0) return;
    expect_well(rt, random_program(seed, {.failing = 0.04, .cancelled = 0.04}), problems_of_all);
    expect_as_new(rt, seed);
  });
}

TEST_CASE("many failing programs cancel exactly what follows", "[.nightly]") {
  in_every_setting(500, [](Runtime& rt, std::uint64_t seed) {
    expect_well(rt, random_program(seed, {.tasks = 200, .failing = 0.03}), problems_of_all);
  });
}
