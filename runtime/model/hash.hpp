// Hashes that are the same on every machine and with every standard library.
// Flow: measured times, information -> [hash]. Thread-safety: thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace mitra::model {

/// One step of SplitMix64: Steele, Lea, Flood, OOPSLA 2014.
constexpr std::uint64_t mix(std::uint64_t value) {
  std::uint64_t z = value + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv
constexpr std::uint64_t hash_text(std::string_view text) {
  std::uint64_t digest = 0xcbf29ce484222325U;
  for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return digest;
}

}  // namespace mitra::model
