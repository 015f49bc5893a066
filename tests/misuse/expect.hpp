// The form of most misuse tests: a call, and two texts that its message must contain.
#pragma once

#include "support/catch.hpp"

/// A call that must throw MisuseError with both texts in its message. The call is made twice.
#define EXPECT_MISUSE(call, a, b)                                                    \
  do {                                                                               \
    CHECK_THROWS_AS(call, mitra::MisuseError);                                       \
    CHECK_THROWS_WITH(call, mitra::test::contains(a) && mitra::test::contains(b));   \
  } while (false)
