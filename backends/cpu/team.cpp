// What mitra/team.hpp promises: who the calling thread works for, and the loop.
// Flow: moldable body -> [team] -> team executor. Thread-safety: thread-safe.
#include <mitra/team.hpp>

#include "team_executor.hpp"

namespace mitra {

namespace cpu {

CurrentTeam& current_team() noexcept {
  static thread_local constinit CurrentTeam current;
  return current;
}

}  // namespace cpu

Team this_team() noexcept {
  const cpu::CurrentTeam& current = cpu::current_team();
  return current.team == nullptr ? Team{} : *current.team;
}

void detail::team_loop(std::size_t count, void (*range)(void*, std::size_t, std::size_t), void* argument) {
  if (count == 0) return;
  const cpu::CurrentTeam& current = cpu::current_team();
  if (current.executor == nullptr || count == 1) return range(argument, 0, count);
  // All cores are taken by the loop: what its body calls gets no further threads.
  const cpu::ThreadLimit alone(current.libraries, 1);
  current.executor->loop(count, range, argument);
}

}  // namespace mitra
