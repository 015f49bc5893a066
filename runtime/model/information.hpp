// What a simulated run tells its policy of durations: the truth, a wrong number, the model's, nothing.
// Flow: models, noise -> [information] -> SchedulerView::estimate. Thread-safety: functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <mitra/performance_model.hpp>
#include <mitra/types.hpp>

namespace mitra::model {

/// How much a policy knows.
struct Information {
  enum class Mode : std::uint8_t {
    exact,  ///< The durations that will be, noise included.
    noisy,  ///< Those, times an error of its own.
    mean,   ///< What the models say, without the noise.
    blind,  ///< Nothing.
  };
  Mode mode = Mode::exact;
  double sigma = 0.3;  ///< noisy: of the logarithm of the error.
};

/// Reads `exact`, `noisy`, `noisy:SIGMA`, `mean`, `blind`.
/// @throws ConfigError for anything else; it lists the known ones.
Information parse_information(std::string_view text);

/// Random numbers that must not depend on each other are drawn from different streams of one seed.
enum class NoiseStream : std::uint8_t { duration = 1, estimate = 2 };

/// A log-normal factor of mean 1: exp(sigma z - sigma^2 / 2), z normal. The same arguments give the same factor, on every
/// machine and in every order of calls.
/// @param sigma  0: the factor is 1.
double noise_factor(std::uint64_t seed, NoiseStream stream, TaskId task, ClassId worker_class, double sigma);

/// What the policy is told of one task on one class.
/// @param modelled  What the models say, without noise.
/// @param noise     Config::noise, the sigma of the durations.
std::optional<Prediction> told(const Information& information, const std::optional<Prediction>& modelled,
                               std::uint64_t seed, TaskId task, ClassId worker_class, double noise);

}  // namespace mitra::model
