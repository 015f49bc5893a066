// Jacobi iteration for the heat equation on a square plate, in blocks, with two copies used in turn.
//
//   new(i,j) = (old(i-1,j) + old(i+1,j) + old(i,j-1) + old(i,j+1)) / 4
//
// A task computes one block of one step; it reads the same block of the step before, and its neighbours for the rim.
// Flow: registry -> [stencil] -> Runtime::submit. Thread-safety: submission thread.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include <mitra/error.hpp>

#include "workloads/builtin.hpp"

namespace mitra::workloads {
namespace {

// The plate is cold, with a hot spot in the middle; its rim is kept at these temperatures.
constexpr double kNorth = 1.0, kSouth = 0.0, kWest = 0.5, kEast = 0.25;

double initial_temperature(std::size_t i, std::size_t j, std::size_t n) {
  const double x = (static_cast<double>(i) + 0.5) / static_cast<double>(n) - 0.5;
  const double y = (static_cast<double>(j) + 0.5) / static_cast<double>(n) - 0.5;
  return x * x + y * y < 0.04 ? 1.0 - 25.0 * (x * x + y * y) : 0.0;
}

// The order of the sums is part of the definition: the check compares bits.
double average(double north, double south, double west, double east) {
  return 0.25 * ((north + south) + (west + east));
}

/// Bits: which neighbours a block has. Their blocks are listed in this order.
enum Side : unsigned { kHasNorth = 1, kHasSouth = 2, kHasWest = 4, kHasEast = 8 };

/// One column of a block; `up` and `down` are the values above its first and below its last row.
void relax_column(const double* old, const double* left, const double* right, double up, double down, double* fresh,
                  std::size_t rows) {
  if (rows == 1) {
    fresh[0] = average(up, down, left[0], right[0]);
    return;
  }
  fresh[0] = average(up, old[1], left[0], right[0]);
  for (std::size_t i = 1; i + 1 < rows; ++i) fresh[i] = average(old[i - 1], old[i + 1], left[i], right[i]);
  fresh[rows - 1] = average(old[rows - 2], down, left[rows - 1], right[rows - 1]);
}

using Neighbours = Views<TileKind<double>, AccessMode::read>;

void relax_block(Tile<const double> old, const Neighbours& neighbours, unsigned sides, Tile<double> fresh) {
  std::size_t listed = 0;
  const auto neighbour = [&](Side side) { return (sides & side) != 0 ? neighbours[listed++] : Tile<const double>(); };
  const auto above = neighbour(kHasNorth), below = neighbour(kHasSouth);
  const auto before = neighbour(kHasWest), after = neighbour(kHasEast);

  const std::size_t rows = old.rows(), cols = old.cols();
  const std::vector<double> west_rim(before.data() ? 0 : rows, kWest), east_rim(after.data() ? 0 : rows, kEast);
  for (std::size_t j = 0; j < cols; ++j) {
    const double* left = j > 0 ? &old(0, j - 1) : before.data() ? &before(0, before.cols() - 1) : west_rim.data();
    const double* right = j + 1 < cols ? &old(0, j + 1) : after.data() ? &after(0, 0) : east_rim.data();
    const double up = above.data() ? above(above.rows() - 1, j) : kNorth;
    const double down = below.data() ? below(0, j) : kSouth;
    relax_column(&old(0, j), left, right, up, down, &fresh(0, j), rows);
  }
}

double area(const Tile<const double>& u) { return static_cast<double>(u.rows() * u.cols()); }

auto make_relax() {
  return codelet("relax")
      .cpu(relax_block)
      .hip_modelled()
      .cost([](Tile<const double> old, const Neighbours&, unsigned, Tile<const double>) {
        const double rim = 2.0 * static_cast<double>(old.rows() + old.cols());
        return Work{.flops = 4 * area(old), .bytes = 8 * (2 * area(old) + rim)};
      });
}

struct StencilSize {
  std::size_t n, tile, steps;
};

class Stencil final : public Workload {
 public:
  explicit Stencil(StencilSize size) : size_(size), blocks_((size.n + size.tile - 1) / size.tile) {}

  std::uint64_t tasks() const override { return std::uint64_t{blocks_} * blocks_ * size_.steps; }
  double flops() const override { return 4.0 * updates(); }
  Bytes footprint() const override { return Bytes(2 * size_.n * size_.n * sizeof(double)); }

  void generate(Runtime& rt) override {
    const auto fill = codelet("heat")
                          .cpu([](Tile<double> u, std::size_t row, std::size_t column, std::size_t n) {
                            for (std::size_t j = 0; j < u.cols(); ++j)
                              for (std::size_t i = 0; i < u.rows(); ++i)
                                u(i, j) = initial_temperature(row + i, column + j, n);
                          })
                          .cost([](Tile<const double> u, std::size_t, std::size_t, std::size_t) {
                            return Work{.flops = 6.0 * area(u), .bytes = 8.0 * area(u)};
                          });
    for (auto& copy : copies_) copy = rt.matrix<double>(size_.n, size_.n, "plate").tiled(size_.tile, size_.tile);
    if (!rt.executes()) return;  // data that nobody has written lie in the host's memory
    for (std::size_t j = 0; j < blocks_; ++j)
      for (std::size_t i = 0; i < blocks_; ++i)
        rt.submit(fill, copies_[0](i, j).write(), i * size_.tile, j * size_.tile, size_.n);
  }

  void submit(Runtime& rt) override {
    AccessList<TileKind<double>, AccessMode::read> neighbours{{}, SourceLocation::current()};
    for (std::size_t step = 0; step < size_.steps; ++step) {
      const TiledMatrix<double>&old = copies_[step % 2], &fresh = copies_[(step + 1) % 2];
      for (std::size_t j = 0; j < blocks_; ++j)
        for (std::size_t i = 0; i < blocks_; ++i) {
          neighbours.data.clear();
          unsigned sides = 0;
          const auto add = [&](bool exists, Side side, std::size_t row, std::size_t column) {
            if (!exists) return;
            sides |= side;
            neighbours.data.push_back(old(row, column).header());
          };
          add(i > 0, kHasNorth, i - 1, j);
          add(i + 1 < blocks_, kHasSouth, i + 1, j);
          add(j > 0, kHasWest, i, j - 1);
          add(j + 1 < blocks_, kHasEast, i, j + 1);
          rt.submit(relax_, old(i, j).read(), neighbours, sides, fresh(i, j).write());
        }
    }
  }

  /// Bit by bit against the sequential loop on an array with a rim.
  Verification verify(Runtime& rt) override {
    if (updates() > kMostUpdatesToCheck) return {{}, {}, "too large for a comparison with the sequential loop"};
    const std::vector<double> expected = sequential();
    bool equal = true;
    double difference = 0;
    for (std::size_t bj = 0; bj < blocks_; ++bj)
      for (std::size_t bi = 0; bi < blocks_; ++bi) {
        const auto guard = rt.acquire(copies_[size_.steps % 2](bi, bj).read());
        const Tile<const double> block = guard.view();
        for (std::size_t j = 0; j < block.cols(); ++j)
          for (std::size_t i = 0; i < block.rows(); ++i) {
            const double wanted = expected[at(bi * size_.tile + i, bj * size_.tile + j)];
            equal &= std::bit_cast<std::uint64_t>(block(i, j)) == std::bit_cast<std::uint64_t>(wanted);
            const double d = std::abs(block(i, j) - wanted);
            if (!(d <= difference)) difference = d;  // not std::max: it would drop a NaN
          }
      }
    return {difference, equal, "residual: largest difference from the sequential loop; verified: equal bit by bit"};
  }

 private:
  static constexpr double kMostUpdatesToCheck = 1e9;  // about 2 s

  double updates() const {
    return static_cast<double>(size_.n) * static_cast<double>(size_.n) * static_cast<double>(size_.steps);
  }
  /// Of the array with a rim of one value around the plate.
  std::size_t at(std::size_t i, std::size_t j) const { return (i + 1) + (j + 1) * (size_.n + 2); }

  std::vector<double> sequential() const {
    const std::size_t n = size_.n, ld = n + 2;
    std::vector<double> old(ld * ld, 0.0);
    for (std::size_t k = 0; k < n; ++k) {
      old[at(k, 0) - ld] = kWest;
      old[at(k, n - 1) + ld] = kEast;
      old[at(0, k) - 1] = kNorth;
      old[at(n - 1, k) + 1] = kSouth;
    }
    std::vector<double> fresh = old;
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t i = 0; i < n; ++i) old[at(i, j)] = initial_temperature(i, j, n);
    for (std::size_t step = 0; step < size_.steps; ++step) {
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t x = at(i, j);
          fresh[x] = average(old[x - 1], old[x + 1], old[x - ld], old[x + ld]);
        }
      std::swap(old, fresh);
    }
    return old;
  }

  const StencilSize size_;
  const std::size_t blocks_;  // in a row
  const decltype(make_relax()) relax_ = make_relax();
  std::array<TiledMatrix<double>, 2> copies_;
};

std::unique_ptr<Workload> make(const WorkloadInfo&, const Parameters& parameters) {
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max(), most_blocks = 2048;
  const StencilSize size{parameters.integer("n", 1, most), parameters.integer("tile", 1, most),
                         parameters.integer("steps", 1, most)};
  if ((size.n + size.tile - 1) / size.tile > most_blocks)
    throw ConfigError(detail::message("stencil: n=", size.n, " in blocks of ", size.tile, " gives more than ",
                                      most_blocks, " blocks in a row: choose a larger tile"));
  return std::make_unique<Stencil>(size);
}

}  // namespace

std::vector<WorkloadInfo> stencil_workloads() {
  return {{"stencil",
           "Jacobi iteration on a square plate, five-point stencil, two copies of the plate",
           {{"n", "2048", "points along an edge of the plate"},
            {"tile", "256", "points along an edge of a block"},
            {"steps", "50", "iterations"}},
           make}};
}

}  // namespace mitra::workloads
