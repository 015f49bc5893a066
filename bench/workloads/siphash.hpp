// SipHash-2-4 of 64-bit words under Task Bench's key: its random graphs, edge by edge.
// Source: Aumasson and Bernstein, INDOCRYPT 2012, https://www.aumasson.jp/siphash/siphash.pdf
// Flow: task bench graph -> [siphash]. Thread-safety: immutable.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mitra::workloads {

constexpr std::uint64_t siphash(std::span<const std::int64_t> words, std::uint64_t k0 = 0x0807060504030201U,
                                std::uint64_t k1 = 0x000f0e0d0c0b0a09U) {
  std::uint64_t v0 = k0 ^ 0x736f6d6570736575U, v1 = k1 ^ 0x646f72616e646f6dU;
  std::uint64_t v2 = k0 ^ 0x6c7967656e657261U, v3 = k1 ^ 0x7465646279746573U;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1, v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1, v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  };
  const auto absorb = [&](std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  };
  for (const std::int64_t word : words) absorb(static_cast<std::uint64_t>(word));
  absorb(static_cast<std::uint64_t>(words.size() * 8) << 56);  // no bytes are left over; the length goes on top
  v2 ^= 0xff;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace mitra::workloads
