// What policies are told: modes, and the noise behind them.
#include "model/information.hpp"

#include <mitra/error.hpp>

#include <cmath>
#include <set>

#include "support/catch.hpp"

using namespace mitra;
using model::Information;
using model::noise_factor;
using model::NoiseStream;
using model::parse_information;
using model::told;

TEST_CASE("modes of information are read, and wrong ones refused with the known ones") {
  CHECK(parse_information("exact").mode == Information::Mode::exact);
  CHECK(parse_information("mean").mode == Information::Mode::mean);
  CHECK(parse_information("blind").mode == Information::Mode::blind);
  CHECK(parse_information("noisy").sigma == 0.3);
  CHECK(parse_information("noisy:0.05").mode == Information::Mode::noisy);
  CHECK(parse_information("noisy:0.05").sigma == 0.05);
  for (const char* wrong : {"", "Exact", "noisy:", "noisy:x", "noisy:-1", "noisy:1e9", "noisy:0.1x", "exact:1"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_information(wrong), ConfigError);
  }
  CHECK_THROWS_WITH(parse_information("all"), Catch::Contains("exact, noisy, noisy:SIGMA, mean, blind"));
}

TEST_CASE("noise has mean 1 and the sigma that was asked for") {
  for (const double sigma : {0.1, 0.5}) {
    constexpr int count = 200000;
    double sum = 0, logs = 0, squares = 0;
    for (std::uint64_t task = 0; task < count; ++task) {
      const double factor = noise_factor(7, NoiseStream::duration, TaskId(task), ClassId(0), sigma);
      sum += factor;
      logs += std::log(factor);
      squares += std::log(factor) * std::log(factor);
    }
    const double mean_log = logs / count;
    CHECK(sum / count == Approx(1.0).epsilon(0.01));
    CHECK(mean_log == Approx(-sigma * sigma / 2).margin(0.01 * sigma));
    CHECK(std::sqrt(squares / count - mean_log * mean_log) == Approx(sigma).epsilon(0.01));
  }
  CHECK(noise_factor(7, NoiseStream::duration, TaskId(1), ClassId(0), 0.0) == 1.0);
}

TEST_CASE("noise depends on seed, stream, task and class, and on nothing else") {
  std::set<double> factors;
  for (const std::uint64_t seed : {1, 2})
    for (const NoiseStream stream : {NoiseStream::duration, NoiseStream::estimate})
      for (const std::uint64_t task : {0, 1})
        for (const std::uint32_t c : {0, 1}) {
          const double factor = noise_factor(seed, stream, TaskId(task), ClassId(c), 0.3);
          CHECK(noise_factor(seed, stream, TaskId(task), ClassId(c), 0.3) == factor);
          factors.insert(factor);
        }
  CHECK(factors.size() == 16);
  // The value itself: a change of it changes every seeded result that anybody has kept.
  CHECK(noise_factor(1, NoiseStream::duration, TaskId(0), ClassId(0), 0.3) == Approx(1.0278073838188342).epsilon(1e-12));
}

TEST_CASE("streams do not depend on each other") {
  double products = 0;
  constexpr int count = 100000;
  for (std::uint64_t task = 0; task < count; ++task)
    products += std::log(noise_factor(3, NoiseStream::duration, TaskId(task), ClassId(0), 1.0)) *
                std::log(noise_factor(3, NoiseStream::estimate, TaskId(task), ClassId(0), 1.0));
  CHECK(products / count == Approx(0.25).margin(0.02));  // the product of the means, -1/2 each
}

TEST_CASE("each mode tells what it promises") {
  const Prediction truth{Seconds(2.0), Watts(5.0), 0.01, "history"};
  const double noise = 0.2;
  const double factor = noise_factor(1, NoiseStream::duration, TaskId(4), ClassId(0), noise);
  const auto tell = [&](Information information) { return told(information, truth, 1, TaskId(4), ClassId(0), noise); };
  CHECK(tell({Information::Mode::exact})->seconds.value == 2.0 * factor);
  CHECK(tell({Information::Mode::mean})->seconds == Seconds(2.0));
  CHECK(tell({Information::Mode::mean})->uncertainty > 0.19);
  CHECK_FALSE(tell({Information::Mode::blind}).has_value());
  CHECK(tell({Information::Mode::noisy, 0.3})->seconds.value ==
        Approx(2.0 * factor * noise_factor(1, NoiseStream::estimate, TaskId(4), ClassId(0), 0.3)));
  CHECK(tell({Information::Mode::noisy, 0.3})->uncertainty > 0.29);
  CHECK(tell({Information::Mode::noisy, 0.3})->power == Watts(5.0));
  CHECK_FALSE(told({}, std::nullopt, 1, TaskId(4), ClassId(0), noise).has_value());
}
