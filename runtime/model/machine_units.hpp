// Numbers with units, as machine files write them: "128 GB/s", "3.5 pJ/bit".
// Flow: machine file <-> [units] <-> machine reader, machine writer. Thread-safety: immutable code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mitra::model {

enum class Dimension : std::uint8_t { time, bytes, byte_rate, flops, flop_rate, power, frequency, energy_per_byte };

/// @returns The value in SI units (s, B, B/s, FLOP, FLOP/s, W, Hz, J/B); nothing if the text is no such quantity.
///          Prefixes are decimal (k, M, G, T, P, E), or binary for bytes (Ki, Mi, Gi, Ti), or small (m, u, n, p).
///          `b/s` are bits: "400 Gb/s" is "50 GB/s". `J/bit` is eight times as many `J/B`.
std::optional<double> parse_quantity(std::string_view text, Dimension dimension);

/// What it is, with an example: for messages.
const char* describe(Dimension dimension);

/// @returns A text that parse_quantity reads as exactly this value.
std::string format_quantity(double value, Dimension dimension);

}  // namespace mitra::model
