// What a task's body needs of a datum, in one cache line that nobody writes while tasks run.
// Flow: Runtime::data -> [data header] -> memory manager -> view. Thread-safety: immutable while tasks use it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <mitra/types.hpp>

namespace mitra {
class Engine;
}

namespace mitra::detail {

/// The extent of a datum. A vector is one column; an object one element; a token has no bytes.
struct Shape {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t ld = 0;            ///< Leading dimension, in elements.
  std::size_t element_size = 0;  ///< Bytes; 0 for a token.
  const void* object = nullptr;  ///< Custom types: the original, which knows its own shape.

  Bytes bytes() const { return Bytes(rows * cols * element_size); }
  /// The shape of a private copy: no gaps between the columns.
  Shape packed() const { return {rows, cols, rows, element_size, object}; }
};

/// The public part of a datum; the dependency tracker's and the memory manager's parts follow it in runtime/graph.
struct alignas(64) DataHeader {
  void* host = nullptr;      ///< Address for host workers; null: allocated at first use, by Engine::address.
  Shape shape;
  Engine* engine = nullptr;  ///< The owner; null once its Runtime has ended.
  std::uint32_t shape_number : 24 = 0;  ///< For models: equal for equal shapes.
  /// Beside devices: what host workers may do with `host` without asking: 0 nothing, 1 read, 2 read and write.
  /// @thread Written by the memory manager; whoever reads it with acquire sees the content that it tells of.
  std::atomic<std::uint8_t> home{0};
  std::uint32_t replicas = 0;      ///< The memory manager's number of it; 0: it has none.
};
static_assert(sizeof(DataHeader) == 64);

}  // namespace mitra::detail
