// How a datum is cut into parts, and what the handle of a partition holds.
// Flow: Runtime::tiled -> [partition] -> Engine::partition -> handle. Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <memory>

#include <mitra/detail/data_header.hpp>

namespace mitra::detail {

/// Parts of so many rows and columns; the last ones may be smaller. Equal ones, of one datum, are one partition.
struct PartitionSpec {
  std::size_t rows = 1, cols = 1;
  std::size_t halo_rows = 0, halo_cols = 0;  ///< More on each side, clipped: windows, which overlap.
  bool windows = false;                      ///< Only to be read.
  bool operator==(const PartitionSpec&) const = default;
};

/// The parts of a partition, column-major, and a share of the tree that they belong to.
struct Parts {
  std::shared_ptr<const void> owner;
  DataHeader* const* data = nullptr;
  std::size_t count = 0;
};

}  // namespace mitra::detail
