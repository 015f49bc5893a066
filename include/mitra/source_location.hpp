// A place in the application's source. std::source_location is missing in clang 14 with libstdc++, and takes no 8 bytes
// everywhere.
// Flow: application -> [source location] -> errors, traces. Thread-safety: immutable.
#pragma once

#include <cstdint>

namespace mitra {

struct SourceLocation {
  const char* file = "";
  unsigned line = 0;

  static constexpr SourceLocation current(const char* at_file = __builtin_FILE(), unsigned at_line = __builtin_LINE()) {
    return {at_file, at_line};
  }
};

namespace detail {

/// A SourceLocation in the eight bytes that a task record has for it: 48 bits of address, 16 bits of line (65535: beyond).
class PackedLocation {
 public:
  PackedLocation() = default;
  PackedLocation(SourceLocation at)  // NOLINT: the same value, stored
      : bits_(reinterpret_cast<std::uint64_t>(at.file) | static_cast<std::uint64_t>(at.line < 0xffff ? at.line : 0xffff) << 48) {}
  SourceLocation unpack() const {
    return {reinterpret_cast<const char*>(bits_ & ((std::uint64_t{1} << 48) - 1)), static_cast<unsigned>(bits_ >> 48)};
  }

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace detail

}  // namespace mitra
