// The cores that the body of a moldable codelet has at hand, and a parallel loop over them.
// Flow: moldable body -> [team] -> threads of the team. Thread-safety: thread-safe.
//
// Inside of such a body
//   - mitra::team_for shares out a loop;
//   - oneTBB's algorithms use the team's threads alone, where Mitra was built with oneTBB;
//   - OpenMP's parallel regions get as many threads as the team has cores, and they may run on these cores alone.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace mitra {

/// The cores of one worker.
struct Team {
  unsigned size = 1;
  int l3_domain = 0;                  ///< As Worker::l3_domain counts: of its first core, should it have several.
  int numa_domain = 0;                ///< As Worker::numa_domain counts.
  std::span<const int> processors{};  ///< Where its threads may run, by the operating system's index; empty: anywhere.
};

/// @returns The team of the moldable body that the calling thread works for; a team of 1 outside of such bodies.
/// @note A sequential task that the body runs while it waits for children sees the body's team.
Team this_team() noexcept;

namespace detail {

/// Calls range(argument, first, last) until 0 .. count-1 are covered.
void team_loop(std::size_t count, void (*range)(void* argument, std::size_t first, std::size_t last), void* argument);

}  // namespace detail

/// Calls f(i) once for each i of 0 .. count-1, in any order, on the threads of this_team(), the calling one among them.
/// Returns when all calls have. Where there is no team, the calling thread makes the calls in order.
/// @param f  Is called by several threads at the same time, and may call team_for itself.
/// @throws   The first exception of a call; others may have been made by then, or not.
/// @note     On threads of the team, submit() counts as the application's, not as the task's: its children are submitted by
///           the thread that runs the body.
/// @cost     Some microseconds where a team sleeps.
template <class F>
void team_for(std::size_t count, F&& f) {
  using Function = std::remove_reference_t<F>;
  detail::team_loop(
      count,
      [](void* argument, std::size_t first, std::size_t last) {
        Function& function = *static_cast<Function*>(argument);
        for (std::size_t i = first; i != last; ++i) function(i);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

}  // namespace mitra
