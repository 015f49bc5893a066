// Numbers with units, as machine files write them.
#include <cmath>

#include "model/machine_units.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace mitra;
using model::Dimension;
using model::parse_quantity;

TEST_CASE("quantities are read in SI units") {
  CHECK(parse_quantity("150 us", Dimension::time) == 150e-6);
  CHECK(parse_quantity("0.8 us", Dimension::time) == 0.8e-6);  // to the last bit
  CHECK(parse_quantity("150 \u00b5s", Dimension::time) == 150e-6);
  CHECK(parse_quantity("2s", Dimension::time) == 2.0);
  CHECK(parse_quantity("0.4 ns", Dimension::time) == Approx(4e-10));
  CHECK(parse_quantity("432 GB", Dimension::bytes) == 432e9);
  CHECK(parse_quantity("1EB", Dimension::bytes) == 1e18);
  CHECK(parse_quantity("1.5e-2 kB", Dimension::bytes) == 15.0);
  CHECK(parse_quantity("1 GiB", Dimension::bytes) == 1073741824.0);
  CHECK(parse_quantity("128 GB/s", Dimension::byte_rate) == 128e9);
  CHECK(parse_quantity("400 Gb/s", Dimension::byte_rate) == 50e9);
  CHECK(parse_quantity("2 GFLOP", Dimension::flops) == 2e9);
  CHECK(parse_quantity("288 TFLOP/s", Dimension::flop_rate) == 288e12);
  CHECK(parse_quantity("9.2 PFLOP/s", Dimension::flop_rate) == 9.2e15);
  CHECK(parse_quantity("1.65 W", Dimension::power) == 1.65);
  CHECK(parse_quantity("12 MW", Dimension::power) == 12e6);
  CHECK(parse_quantity("250 mW", Dimension::power) == 0.25);
  CHECK(parse_quantity("2.4 GHz", Dimension::frequency) == 2.4e9);
  CHECK(*parse_quantity("3.5 pJ/bit", Dimension::energy_per_byte) == Approx(28e-12));
  CHECK(*parse_quantity("146 pJ/B", Dimension::energy_per_byte) == Approx(146e-12));
}

TEST_CASE("what is no quantity is refused") {
  for (const char* text : {"", " ", "W", "1", "1.5", "1 w", "1 KW", "1 kw", "1 W ", " 1 W", "1 WW", "1e999 W", "nan W", "inf W", "0x10 W", "1,5 W",
                           "+1 W", "1 GB", "one W"})
    CHECK_FALSE(parse_quantity(text, Dimension::power));
  CHECK_FALSE(parse_quantity("1 Gb", Dimension::bytes));          // bits are no memory size
  CHECK_FALSE(parse_quantity("1 Gib/s", Dimension::byte_rate));   // binary bits: nobody means them
  CHECK_FALSE(parse_quantity("1 GB/S", Dimension::byte_rate));
  CHECK_FALSE(parse_quantity("1 ks", Dimension::time));
  CHECK_FALSE(parse_quantity("1 mB", Dimension::bytes));
  CHECK_FALSE(parse_quantity("1 TFLOP", Dimension::flop_rate));
  CHECK_FALSE(parse_quantity("1 TFLOPS", Dimension::flop_rate));
}

TEST_CASE("what is written is read as the same number") {
  using enum Dimension;
  CHECK(model::format_quantity(432e9, bytes) == "432 GB");
  CHECK(model::format_quantity(5636554752.0, bytes) == "5.636554752 GB");
  CHECK(model::format_quantity(150e-6, time) == "150 us");
  CHECK(model::format_quantity(0.0, time) == "0 s");
  CHECK(model::format_quantity(0.15, power) == "150 mW");
  test::Random random(11);
  for (const Dimension dimension : {time, bytes, byte_rate, flops, flop_rate, power, frequency, energy_per_byte})
    for (int i = 0; i < 2000; ++i) {
      const double value = static_cast<double>(random.next() >> 11) * std::pow(10.0, random.between(-30, 5));
      const std::string text = model::format_quantity(value, dimension);
      INFO(text);
      CHECK(parse_quantity(text, dimension) == value);
    }
}
