// Flow: models, noise -> [information] -> SchedulerView::estimate.

#include "model/information.hpp"

#include <charconv>
#include <cmath>
#include <numbers>
#include <string>

#include <mitra/error.hpp>

#include "model/hash.hpp"

namespace mitra::model {
namespace {

/// Uniform in (0, 1): never 0, whose logarithm there is none.
double uniform(std::uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1.0p-52; }

/// Box and Muller, Annals of Mathematical Statistics 29 (1958).
double normal(std::uint64_t key) {
  return std::sqrt(-2.0 * std::log(uniform(mix(key)))) * std::cos(2.0 * std::numbers::pi * uniform(mix(~key)));
}

}  // namespace

Information parse_information(std::string_view text) {
  if (text == "exact") return {Information::Mode::exact};
  if (text == "mean") return {Information::Mode::mean};
  if (text == "blind") return {Information::Mode::blind};
  if (text == "noisy") return {Information::Mode::noisy};
  if (text.starts_with("noisy:")) {
    const std::string_view number = text.substr(6);
    double sigma = 0.0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), sigma);
    if (error == std::errc{} && end == number.data() + number.size() && sigma >= 0.0 && sigma <= 10.0)
      return {Information::Mode::noisy, sigma};
    throw ConfigError(detail::message("information '", text, "': a number of 0 to 10 is expected behind noisy:"));
  }
  throw ConfigError(detail::message("unknown information '", text,
                                    "'; known: exact, noisy, noisy:SIGMA, mean, blind (set by MITRA_INFORMATION)"));
}

double noise_factor(std::uint64_t seed, NoiseStream stream, TaskId task, ClassId worker_class, double sigma) {
  if (sigma == 0.0) return 1.0;
  std::uint64_t key = mix(seed ^ (static_cast<std::uint64_t>(stream) << 56));
  key = mix(key ^ task.value);
  key = mix(key ^ worker_class.value);
  return std::exp(sigma * normal(key) - sigma * sigma / 2);
}

std::optional<Prediction> told(const Information& information, const std::optional<Prediction>& modelled,
                               std::uint64_t seed, TaskId task, ClassId worker_class, double noise) {
  if (!modelled || information.mode == Information::Mode::blind) return std::nullopt;
  Prediction prediction = *modelled;
  if (information.mode == Information::Mode::mean) {
    prediction.uncertainty = std::hypot(prediction.uncertainty, noise);
    return prediction;
  }
  prediction.seconds = prediction.seconds * noise_factor(seed, NoiseStream::duration, task, worker_class, noise);
  if (information.mode == Information::Mode::noisy) {
    prediction.seconds =
        prediction.seconds * noise_factor(seed, NoiseStream::estimate, task, worker_class, information.sigma);
    prediction.uncertainty = std::hypot(prediction.uncertainty, information.sigma);
  }
  return prediction;
}

}  // namespace mitra::model
