// What the dense workloads share: their parameters, their size limits, their test of a residual.
// Flow: cholesky, gemm -> [dense] -> workload registry. Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <mitra/error.hpp>

#include "workloads/blas.hpp"
#include "workloads/parameters.hpp"

namespace mitra::workloads {

/// A scaled residual below it is rounding; NaN is not below. HPL's limit:
/// https://netlib.org/benchmark/hpl/algorithm.html
inline constexpr double kResidualLimit = 16.0;

struct DenseSize {
  std::size_t n = 0;     ///< Order of the matrices.
  std::size_t tile = 0;  ///< Order of a tile; those at the end are smaller if it does not divide n.
  std::uint64_t seed = 0;

  std::size_t tiles() const { return (n + tile - 1) / tile; }
  /// @returns The order of the tiles in row or column `i` of tiles.
  std::size_t extent(std::size_t i) const { return i + 1 == tiles() ? n - i * tile : tile; }
};

inline std::vector<ParameterInfo> dense_parameters(const char* n, const char* tile) {
  return {{"n", n, "order of the matrices"},
          {"tile", tile, "order of a tile"},
          {"precision", "double", "double or float"},
          {"seed", "1", "source of the random entries"}};
}

inline bool is_double(const Parameters& parameters) { return parameters.choice("precision", {"double", "float"}) == 0; }

inline DenseSize dense_size(const Parameters& parameters) {
  // BLAS counts in int. A tile is a handle, of some 300 bytes.
  constexpr std::uint64_t most_order = std::numeric_limits<std::int32_t>::max(), most_tiles = 2048;
  const DenseSize size{parameters.integer("n", 1, most_order), parameters.integer("tile", 1, most_order),
                       parameters.integer("seed", 0, std::numeric_limits<std::uint64_t>::max())};
  if (size.tiles() > most_tiles)
    throw ConfigError(detail::message("n=", size.n, " in tiles of ", size.tile, " gives ", size.tiles(),
                                      " rows of tiles, at most ", most_tiles, " are possible: choose a larger tile"));
  return size;
}

inline double dense_one_core_rate(const Parameters& parameters) {
  return is_double(parameters) ? one_core_gemm_rate<double>() : one_core_gemm_rate<float>();
}

}  // namespace mitra::workloads
