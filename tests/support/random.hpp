// Random numbers that a test can repeat: MITRA_TEST_SEED runs one seed alone, MITRA_TEST_SEEDS says how many to run.
// Flow: environment -> [random] -> tests. Thread-safety: one thread a generator.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace mitra::test {

/// SplitMix64: Steele, Lea, Flood, OOPSLA 2014. The same numbers with every standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// A number of 0 .. bound-1. @pre bound > 0
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability; }
  /// @pre choices is not empty
  template <class Range>
  const auto& pick(const Range& choices) { return choices[below(choices.size())]; }
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::uint64_t state_;
};

/// Mixes a number into a digest; the order of the calls matters.
constexpr std::uint64_t mixed(std::uint64_t digest, std::uint64_t value) {
  std::uint64_t z = (digest ^ value) * 0xff51afd7ed558ccdU + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53U;
  return z ^ (z >> 29);
}

/// The seeds that a test runs: MITRA_TEST_SEED alone; or those of MITRA_TEST_SEEDS, a number N for 1 .. N, or FIRST-LAST, a part of
/// a long run; or 1 .. usual.
inline std::vector<std::uint64_t> seeds(std::uint64_t usual) {
  if (const char* one = std::getenv("MITRA_TEST_SEED")) return {std::strtoull(one, nullptr, 10)};
  std::uint64_t first = 1, last = usual;
  if (const char* some = std::getenv("MITRA_TEST_SEEDS")) {
    char* end = nullptr;
    last = std::strtoull(some, &end, 10);
    if (*end == '-') {
      first = last;
      last = std::strtoull(end + 1, nullptr, 10);
    }
  }
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = first; seed <= last; ++seed) all.push_back(seed);
  return all;
}

/// Put in front of a loop's body: a failure then says how to repeat it.
#define MITRA_INFO_SEED(seed) INFO("repeat with MITRA_TEST_SEED=" << (seed))

}  // namespace mitra::test
