// Several runtimes in one process, and several threads that submit to one of them.
//
//   thread 0: add --> add --> add ... -+                      each thread's own datum: its tasks in its order
//   thread 1: add --> add --> add ... -+--> one Runtime
//   thread 2: add --> add --> add ... -+
//      each of them also: count.commute                       a datum of all: in whatever order the threads meet
//
//   left Runtime: its workers, its data        right Runtime: its own; they share nothing
//
// Every member of Runtime may be called from any thread. What a thread wrote before submit() is visible to the task,
// and what a task wrote is visible to the thread that has waited for it.
// Flow: threads -> Runtime::submit -> workers.
#include <cstdio>
#include <thread>
#include <vector>

#include <mitra/mitra.hpp>

namespace {

constexpr int kThreads = 3, kRounds = 500;

bool threads_share_a_runtime() {
  mitra::Runtime rt;
  long count = 0;
  auto shared = rt.data(count, "count");
  std::vector<long> results(kThreads, 0);

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&rt, &shared, result = &results[static_cast<std::size_t>(t)]] {
      auto own = rt.data(*result, "own");
      for (long i = 0; i < kRounds; ++i) {
        rt.submit("add", [i](long& value) { value = 7 * value % 1'000'003 + i; }, own.readwrite());
        rt.submit("count", [](long& value) { ++value; }, shared.commute());
      }
      rt.wait(own);  // for this thread's datum; rt.wait() would wait for the tasks of all threads
    });
  for (std::thread& thread : threads) thread.join();
  rt.wait();

  long expected = 0;
  for (long i = 0; i < kRounds; ++i) expected = 7 * expected % 1'000'003 + i;
  for (const long result : results)
    if (result != expected) return false;
  return count == kThreads * kRounds;
}

bool runtimes_share_nothing() {
  // Two components of one program, each with threads and a scheduler of its own choice.
  mitra::Config config;
  config.workers = 2;
  config.scheduler = "eager";
  mitra::Runtime left(config);
  config.scheduler = "work_stealing";
  mitra::Runtime right(config);

  long l = 0, r = 0;
  auto a = left.data(l, "l");  // a handle belongs to the Runtime that made it; another one refuses it
  auto b = right.data(r, "r");
  for (int i = 0; i < kRounds; ++i) {
    left.submit("add", [](long& value) { value += 1; }, a.readwrite());
    right.submit("add", [](long& value) { value += 2; }, b.readwrite());
  }
  left.wait();
  right.wait();
  return l == kRounds && r == 2 * kRounds;
}

}  // namespace

int main() {
  const bool threads = threads_share_a_runtime(), runtimes = runtimes_share_nothing();
  std::printf("threads: %s, runtimes: %s\n", threads ? "right" : "wrong", runtimes ? "right" : "wrong");
  return threads && runtimes ? 0 : 1;
}
