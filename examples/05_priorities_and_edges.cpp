// What a submission can say beside its data: a priority, tasks that come before, a name; and taking it back.
//
//   low (1)   high (9)   middle (5)         no arrows: the scheduler chooses, by priority
//
//   left --+
//          +--> both --> last               explicit edges: nothing here touches data
//   right -+
//
//   draft --> print                         draft is cancelled: print depends on it, and is cancelled with it
//
// Flow: this program -> Runtime::submit -> scheduling policy.
#include <atomic>
#include <cstdio>
#include <string>

#include <mitra/mitra.hpp>

namespace {

/// With one worker, which is this thread, nothing runs before wait(): the order of execution is that of the priorities.
std::string by_priority() {
  mitra::Config config;
  config.workers = 1;
  config.scheduler = "priority";
  mitra::Runtime rt(config);
  std::string order;
  rt.submit({.name = "low", .priority = 1}, [&order] { order += " low"; });
  rt.submit({.name = "high", .priority = 9}, [&order] { order += " high"; });
  rt.submit({.name = "middle", .priority = 5}, [&order] { order += " middle"; });
  rt.wait();
  return order;
}

/// Edges are promises, priorities are wishes: `last` is the most urgent one, and runs last, with any number of workers.
bool by_edges(mitra::Runtime& rt) {
  std::atomic<int> finished{0};
  int before_both = 0, before_last = 0;
  const mitra::Task left = rt.submit("left", [&] { ++finished; });
  const mitra::Task right = rt.submit("right", [&] { ++finished; });
  const mitra::Task both = rt.submit({.name = "both", .after = {left, right}}, [&] { before_both = finished++; });
  const mitra::Task last =
      rt.submit({.name = "last", .priority = 100, .after = {both}}, [&] { before_last = finished++; });
  last.wait();  // for this task alone; rt.wait() waits for all
  return before_both == 2 && before_last == 3 && last.status() == mitra::TaskStatus::done;
}

/// A task that has not begun can be cancelled. Those that depend on it are cancelled too: their input will never come.
bool by_cancelling() {
  mitra::Config config;
  config.workers = 1;  // so that it is sure here that nothing has begun
  mitra::Runtime rt(config);
  int page = 0, printed = 0, other = 0;
  auto p = rt.data(page, "page");
  const mitra::Task draft = rt.submit("draft", [](int& v) { v = 1; }, p.write());
  const mitra::Task print = rt.submit("print", [&](const int&) { ++printed; }, p.read());
  rt.submit("other", [&] { ++other; });
  draft.cancel();
  print.wait();  // no exception: a cancellation is a wish that was granted, not a failure
  const bool both_cancelled =
      draft.status() == mitra::TaskStatus::cancelled && print.status() == mitra::TaskStatus::cancelled;
  rt.wait();
  return both_cancelled && page == 0 && printed == 0 && other == 1;
}

}  // namespace

int main() {
  mitra::Runtime rt;
  const std::string order = by_priority();
  const bool edges = by_edges(rt), cancelling = by_cancelling();
  std::printf("priorities:%s; edges: %s; cancelling: %s\n", order.c_str(), edges ? "kept" : "broken",
              cancelling ? "right" : "wrong");
  return order == " high middle low" && edges && cancelling ? 0 : 1;
}
