// The threads of one team. Two implementations: oneTBB's, inside of which its algorithms compose with team_for, and one of
// plain threads, which sanitizers see through.
// Flow: CPU driver -> [team executor] -> threads. Thread-safety: enter() by the team's worker alone; loop() inside of it.
#pragma once

#include <cstddef>
#include <memory>

#include <mitra/machine.hpp>
#include <mitra/team.hpp>

#include "thread_limits.hpp"

namespace mitra::cpu {

class TeamExecutor {
 public:
  using Range = void (*)(void* argument, std::size_t first, std::size_t last);

  virtual ~TeamExecutor() = default;
  /// Calls body(argument) on the calling thread, which is the team's first one for that time; lets exceptions through.
  virtual void enter(void (*body)(void*), void* argument) = 0;
  /// Calls range(argument, first, last) until 0 .. count-1 are covered; rethrows the first exception.
  /// @thread One that works for this team: inside of enter(), or of a range.
  virtual void loop(std::size_t count, Range range, void* argument) = 0;
};

/// What a thread works for. `team` outlives it.
struct CurrentTeam {
  const Team* team = nullptr;
  TeamExecutor* executor = nullptr;      ///< Null: a team of 1.
  const ThreadLibraries* libraries = nullptr;
};

/// @returns The calling thread's; to be changed by it alone.
CurrentTeam& current_team() noexcept;

/// @param team  Outlives the executor, as `libraries` does.
std::unique_ptr<TeamExecutor> make_thread_executor(const Team& team, const ThreadLibraries& libraries);
/// Defined where Mitra is built with oneTBB (MITRA_WITH_TBB).
std::unique_ptr<TeamExecutor> make_tbb_executor(const Team& team, const ThreadLibraries& libraries);

}  // namespace mitra::cpu
