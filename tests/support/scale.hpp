// Sizes of stress tests: smaller under a sanitizer, changed by MITRA_TEST_SCALE.
// Flow: environment -> [scale] -> tests. Thread-safety: thread-safe.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace mitra::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr double kSanitizerFactor = 0.08;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr double kSanitizerFactor = 0.3;
#else
inline constexpr double kSanitizerFactor = 1.0;
#endif
inline constexpr bool kSanitized = kSanitizerFactor < 1.0;

/// `usual` repetitions, scaled by MITRA_TEST_SCALE (1 when it is not set) and down under a sanitizer; at least one.
inline std::size_t scaled(std::size_t usual) {
  const char* text = std::getenv("MITRA_TEST_SCALE");
  const double factor = (text != nullptr ? std::atof(text) : 1.0) * kSanitizerFactor;
  const auto result = static_cast<std::size_t>(static_cast<double>(usual) * factor);
  return result == 0 ? 1 : result;
}

}  // namespace mitra::test
