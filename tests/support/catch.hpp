// The only file that includes Catch2: version 3 where it is installed, else version 2.13.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace mitra::test {

/// A matcher for messages: CHECK_THROWS_WITH(call(), contains("unknown scheduling policy")).
inline auto contains(const std::string& text) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(text);
#else
  return Catch::Matchers::Contains(text);
#endif
}

}  // namespace mitra::test
