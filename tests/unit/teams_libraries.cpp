// Other libraries inside of a moldable body: oneTBB's algorithms and OpenMP's regions keep to the team.
#include <sched.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#ifdef MITRA_TEST_TBB
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include <mitra/mitra.hpp>

#include "backends/cpu/team_executor.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;

namespace {

[[maybe_unused]] Config with_teams(unsigned workers, const char* teams) {
  Config config = test::with_workers(workers);
  config.teams = teams;
  return config;
}

[[maybe_unused]] std::set<int> processors_now() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);
  std::set<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(static_cast<std::size_t>(i), &mask)) processors.insert(i);
  return processors;
}

}  // namespace

#ifdef MITRA_TEST_TBB

TEST_CASE("oneTBB's loops inside of a moldable body run on the threads and processors of its team alone") {
  Runtime rt(with_teams(4, "4"));
  std::atomic<int> wrong{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  test::Rendezvous all(4);
  rt.submit(codelet("meet").cpu([&] {
    wrong += oneapi::tbb::this_task_arena::max_concurrency() != 4;
    oneapi::tbb::parallel_for(0, 4, [&](int) { all.meet(); });
    for (int round = 0; round < 20; ++round)
      oneapi::tbb::parallel_for(0, 1000, [&](int) {
        wrong += this_team().size != 4;
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
      });
  }).moldable());
  CHECK_NOTHROW(rt.wait());
  CHECK(wrong == 0);
  CHECK(threads.size() <= 4);
}

TEST_CASE("oneTBB's threads are bound to the team for as long as they work for it") {
  if (std::thread::hardware_concurrency() < 2) return;
  Runtime rt(with_teams(2, "2"));
  const Worker& team = rt.machine().workers.front();
  if (team.bound_to.empty()) return;
  const std::set<int> expected(team.bound_to.begin(), team.bound_to.end());
  // Threads of oneTBB take over where their creator may run: here, one processor alone.
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(*expected.begin()), &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  std::atomic<int> wrong{0};
  test::Rendezvous both(2);
  rt.submit(codelet("look").cpu([&] {
    oneapi::tbb::parallel_for(0, 2, [&](int) {
      both.meet();
      wrong += processors_now() != expected;
    });
    oneapi::tbb::parallel_for(0, 8, [&](int) {
      oneapi::tbb::parallel_for(0, 8, [&](int) { wrong += processors_now() != expected; });
      team_for(8, [&](std::size_t) { wrong += processors_now() != expected; });
    });
  }).moldable());
  CHECK_NOTHROW(rt.wait());
  sched_setaffinity(0, sizeof before, &before);
  CHECK(wrong == 0);
}

TEST_CASE("threads are bound from their entry into an arena to their exit") {
  const std::set<int> all = processors_now();
  if (all.size() < 2) return;
  const int processors[] = {*all.begin()};
  const Team team{3, 0, 0, processors};
  const cpu::ThreadLibraries none;
  // What it is told is one processor: where else they ran would be seen.
  std::atomic<int> wrong{0};
  {
    const auto executor = cpu::make_tbb_executor(team, none);
    const cpu::Binding here(processors);
    struct Call {
      cpu::TeamExecutor* executor;
      std::atomic<int>* wrong;
    } call{executor.get(), &wrong};
    executor->enter([](void* argument) {
      test::Rendezvous three(3);
      struct Inner {
        test::Rendezvous* three;
        std::atomic<int>* wrong;
      } inner{&three, static_cast<Call*>(argument)->wrong};
      static_cast<Call*>(argument)->executor->loop(3, [](void* i, std::size_t first, std::size_t last) {
        for (; first != last; ++first) {
          static_cast<Inner*>(i)->three->meet();
          *static_cast<Inner*>(i)->wrong += processors_now().size() != 1;
        }
      }, &inner);
    }, &call);
  }
  CHECK(wrong == 0);
  // The same threads, in another arena.
  const oneapi::tbb::global_control threads(oneapi::tbb::global_control::max_allowed_parallelism, 256);
  test::Rendezvous four(4);
  oneapi::tbb::task_arena(4).execute([&] {
    oneapi::tbb::parallel_for(0, 4, [&](int) {
      four.meet();
      wrong += processors_now() != all;
    });
  });
  CHECK(wrong == 0);
}

TEST_CASE("oneTBB outside of tasks is as it was") {
  const int before = oneapi::tbb::this_task_arena::max_concurrency();
  {
    Runtime rt(with_teams(3, "3"));
    rt.submit(codelet("loop").cpu([] { team_for(100, [](std::size_t) {}); }).moldable());
    rt.wait();
    CHECK(oneapi::tbb::this_task_arena::max_concurrency() == before);
    std::atomic<int> seen{0};
    oneapi::tbb::parallel_for(0, 100, [&](int) { seen += this_team().size == 1; });
    CHECK(seen == 100);
  }
  CHECK(oneapi::tbb::this_task_arena::max_concurrency() == before);
}

#endif

#ifdef _OPENMP

TEST_CASE("OpenMP's regions inside of a moldable body have as many threads as its team has cores") {
  const int before = omp_get_max_threads();
  Runtime rt(with_teams(7, "2x3"));
  std::atomic<int> wrong{0};
  const auto moldable = codelet("omp").cpu([&] {
    const int size = static_cast<int>(this_team().size);
    wrong += omp_get_max_threads() != size;
    std::atomic<int> threads{0};
#pragma omp parallel
    ++threads;
    wrong += threads > size;
    // In a loop over the team every thread is taken: nothing is left for regions.
    team_for(100, [&](std::size_t) { wrong += size > 1 && omp_get_max_threads() != 1; });
    wrong += omp_get_max_threads() != size;
  }).moldable();
  for (int i = 0; i < 100; ++i) rt.submit(moldable);
  rt.wait();
  CHECK(wrong == 0);
  CHECK(omp_get_max_threads() == before);
}

TEST_CASE("OpenMP's threads are the team's number even when all meet, and run on its processors") {
  Runtime rt(with_teams(2, "2"));
  const Worker& team = rt.machine().workers.front();
  const std::set<int> expected(team.bound_to.begin(), team.bound_to.end());
  std::atomic<int> wrong{0}, threads{0};
  test::Rendezvous both(2);
  std::thread([&] {  // a thread of its own: it starts its own threads of OpenMP
    rt.submit(codelet("omp").cpu([&] {
#pragma omp parallel
      {
        ++threads;
        try {
          both.meet();
        } catch (const std::exception&) {
          ++wrong;
        }
        if (!expected.empty()) wrong += processors_now() != expected;
      }
    }).moldable());
    rt.wait();
  }).join();
  CHECK(threads == 2);
  CHECK(wrong == 0);
}

#endif
