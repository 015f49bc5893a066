// Flow: engine -> [timed policy] -> policy.

#include "timed_policy.hpp"

#include <ctime>

#include <vector>

#include "quartiles.hpp"

namespace mitra::tool {
namespace {

std::int64_t read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t UndisturbedClock::now() {
  constexpr std::int64_t kGap = 20'000;  // ns: shorter than any time slice
  const std::int64_t wall = read(CLOCK_MONOTONIC);
  if (wall - last_ > kGap) lost_ = wall - read(CLOCK_THREAD_CPUTIME_ID);
  last_ = wall;
  return wall - lost_;
}

double clock_cost() {
  constexpr int kRounds = 101, kReadings = 1000;
  UndisturbedClock clock;
  std::vector<double> means;
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t sum = 0;
    for (int i = 0; i < kReadings; ++i) {
      const std::int64_t began = clock.now();
      sum += clock.now() - began;
    }
    means.push_back(static_cast<double>(sum) / kReadings);
  }
  return Quartiles::of(means).median;
}

}  // namespace mitra::tool
