// A team as an arena of oneTBB: its algorithms, called in a body, use the arena's threads, and compose with team_for.
// Flow: team executor -> [oneTBB executor] -> arena. Threads that enter the arena are bound to the team's processors until
// they leave it; oneTBB lets them sleep when there is nothing to do.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "../team_executor.hpp"

namespace mitra::cpu {

namespace {

using oneapi::tbb::global_control;

/// oneTBB starts one thread a processor less one, in the whole process, and of several limits the lowest holds: those of all
/// teams of all Runtimes are the same. Threads are started as arenas ask for them; 256 is what it allows at least.
std::size_t thread_limit() { return std::max<std::size_t>(256, 2 * std::size_t{std::thread::hardware_concurrency()}); }

/// What a thread of oneTBB was before it entered an arena.
struct Visit {
  Visit(const void* of, const Team& team, TeamExecutor& executor, const ThreadLibraries& libraries)
      : arena(of), before(current_team()), binding(team.processors), alone(&libraries, 1) {
    current_team() = {&team, &executor, &libraries};
  }
  ~Visit() { current_team() = before; }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  const void* const arena;
  const CurrentTeam before;
  const Binding binding;
  const ThreadLimit alone;
};
/// Arenas that the calling thread is in, the innermost last.
thread_local std::vector<std::unique_ptr<Visit>> visits;

class TbbExecutor final : public TeamExecutor {
 public:
  TbbExecutor(const Team& team, const ThreadLibraries& libraries)
      : threads_(global_control::max_allowed_parallelism, thread_limit()),
        arena_(static_cast<int>(team.size), 1),  // one slot is the worker's: it always gets in, on its own thread
        observer_(*this, team, libraries) {}
  ~TbbExecutor() override { observer_.end(); }

  void enter(void (*body)(void*), void* argument) override {
    arena_.execute([=] { body(argument); });
  }

  void loop(std::size_t count, Range range, void* argument) override {
    using oneapi::tbb::blocked_range;
    oneapi::tbb::parallel_for(blocked_range<std::size_t>(0, count), [=](const blocked_range<std::size_t>& part) {
      range(argument, part.begin(), part.end());
    });
  }

 private:
  class Observer final : public oneapi::tbb::task_scheduler_observer {
   public:
    Observer(TbbExecutor& executor, const Team& team, const ThreadLibraries& libraries)
        : task_scheduler_observer(executor.arena_), executor_(executor), team_(team), libraries_(libraries) {
      observe(true);
    }
    /// Threads that are still in the arena are on their way out, and would keep their binding if nobody observed it.
    void end() {
      for (int looks = 0; inside_.load(std::memory_order_acquire) != 0 && looks < 10'000; ++looks)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      observe(false);
    }
    void on_scheduler_entry(bool is_worker) override {
      if (!is_worker) return;  // of Mitra: it is where it has to be
      visits.push_back(std::make_unique<Visit>(this, team_, executor_, libraries_));
      inside_.fetch_add(1, std::memory_order_relaxed);
    }
    void on_scheduler_exit(bool is_worker) override {
      if (!is_worker || visits.empty() || visits.back()->arena != this) return;
      visits.pop_back();
      inside_.fetch_sub(1, std::memory_order_release);
    }

   private:
    TbbExecutor& executor_;
    const Team& team_;
    const ThreadLibraries& libraries_;
    std::atomic<int> inside_{0};
  };

  const global_control threads_;
  oneapi::tbb::task_arena arena_;
  Observer observer_;
};

}  // namespace

std::unique_ptr<TeamExecutor> make_tbb_executor(const Team& team, const ThreadLibraries& libraries) {
  return std::make_unique<TbbExecutor>(team, libraries);
}

}  // namespace mitra::cpu
