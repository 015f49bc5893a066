// The texts of machines/*.toml, put into the library when it is built (cmake/ShippedMachines.cmake).
// Flow: machines/ -> [shipped machines] -> machine file. Thread-safety: immutable.
#pragma once

#include <span>
#include <string_view>

namespace mitra::model {

struct ShippedText {
  std::string_view name, text;
};

/// By name.
std::span<const ShippedText> shipped_texts() noexcept;

}  // namespace mitra::model
