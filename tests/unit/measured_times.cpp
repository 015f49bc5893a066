// Measured times: medians that outliers do not move, fair choices, merging.
#include <mitra/measured_times.hpp>

#include <mitra/error.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace mitra;

namespace {

double normal(test::Random& random) {
  const auto uniform = [&] { return (static_cast<double>(random.next() >> 11) + 0.5) * 0x1.0p-53; };
  return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
}

TimingRecord record_of(std::initializer_list<double> samples) {
  TimingRecord record;
  for (const double sample : samples) add_sample(record, Seconds(sample));
  return record;
}

}  // namespace

TEST_CASE("a few measurements say nothing yet") {
  TimingRecord record;
  for (std::size_t i = 1; i < kLeastSamples; ++i) {
    add_sample(record, Seconds(1.0));
    CHECK_FALSE(summarise(record).has_value());
  }
  add_sample(record, Seconds(1.0));
  REQUIRE(summarise(record).has_value());
  CHECK(summarise(record)->seconds == Seconds(1.0));
  CHECK(summarise(record)->count == kLeastSamples);
}

TEST_CASE("mean and spread of a handful, computed by hand") {
  // Median 3; deviations from it 2 1 0 1 97, their median 1.
  const auto summary = summarise(record_of({1, 2, 3, 4, 100}));
  CHECK(summary->seconds == Seconds(2.5));  // 100 is no neighbour of the others
  CHECK(summary->spread == Approx(1.4826 / 3));
  CHECK(summarise(record_of({1, 2, 3, 4, 5, 6}))->seconds == Seconds(3.5));
  CHECK(summarise(record_of({0, 0, 0, 0, 0}))->spread == 0.0);
}

TEST_CASE("a fifth of outliers moves the median by less than the spread") {
  for (const std::uint64_t seed : test::seeds(20)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    TimingRecord record;
    for (int i = 0; i < 1000; ++i)
      add_sample(record, Seconds(random.chance(0.2) ? 100e-3 : 1e-3 * (1 + 0.05 * normal(random))));
    const auto summary = summarise(record);
    CHECK(summary->seconds.value == Approx(1e-3).epsilon(0.05));
    CHECK(summary->spread > 0.02);
    CHECK(summary->spread < 0.15);
  }
}

TEST_CASE("a record keeps a bounded and fair choice of its samples") {
  TimingRecord record;
  constexpr int many = 20000;
  for (int i = 0; i < many; ++i) add_sample(record, Seconds(i));
  CHECK(record.count == many);
  CHECK(record.samples.size() == kReservoir);
  // The mean of 64 samples of 0 .. 20000 has a standard deviation of 720.
  double mean = 0;
  for (const double sample : record.samples) mean += sample / kReservoir;
  CHECK(mean > 10000 - 4 * 720);
  CHECK(mean < 10000 + 4 * 720);

  TimingRecord again;
  for (int i = 0; i < many; ++i) add_sample(again, Seconds(i));
  CHECK(again.samples == record.samples);
}

TEST_CASE("merging keeps all samples while there is room, and shares by count beyond") {
  TimingRecord a = record_of({1, 2, 3}), b = record_of({4, 5});
  merge_into(a, b);
  CHECK(a.count == 5);
  CHECK(a.samples == std::vector<double>{1, 2, 3, 4, 5});

  TimingRecord old, fresh;
  for (int i = 0; i < 300; ++i) add_sample(old, Seconds(1.0));
  for (int i = 0; i < 100; ++i) add_sample(fresh, Seconds(2.0));
  merge_into(old, fresh);
  CHECK(old.count == 400);
  CHECK(old.samples.size() == kReservoir);
  CHECK(std::ranges::count(old.samples, 2.0) == kReservoir / 4);

  // Of a side that cannot fill its share, the other one takes the rest.
  TimingRecord few;
  few.count = 1'000'000;
  few.samples = {7, 7};
  merge_into(few, old);
  CHECK(few.samples.size() == kReservoir);
  CHECK(std::ranges::count(few.samples, 7.0) == 2);
}

TEST_CASE("imported times are pooled once, and yield to measurements") {
  TimingRecord a, b;
  a.imported = ImportedTime{Seconds(1.0), 0.0, 100, 5.0, "gemm.here"};
  b.imported = ImportedTime{Seconds(3.0), 0.0, 100, 5.0, "gemm.there"};
  merge_into(a, a);
  CHECK(a.imported->count == 100);
  merge_into(a, b);
  merge_into(a, b);
  CHECK(a.imported->count == 200);
  CHECK(summarise(a)->seconds == Seconds(2.0));
  CHECK(summarise(a)->spread == Approx(0.5));
  CHECK(a.flops() == 5.0);
  for (std::size_t i = 0; i < kLeastSamples; ++i) add_sample(a, Seconds(9.0));
  CHECK(summarise(a)->seconds == Seconds(9.0));
}

TEST_CASE("a time that is none is refused") {
  TimingRecord record;
  CHECK_THROWS_AS(add_sample(record, Seconds(-1.0)), InternalError);
  CHECK_THROWS_AS(add_sample(record, Seconds(std::nan(""))), InternalError);
  CHECK(record.count == 0);
}
