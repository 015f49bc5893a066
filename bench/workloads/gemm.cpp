// Tiled matrix product C = A B of square matrices: a chain of updates for each tile of C, all chains independent.
// Flow: registry -> [gemm] -> Runtime::submit. Thread-safety: submission thread.

#include <cmath>
#include <limits>

#include "workloads/blas.hpp"
#include "workloads/builtin.hpp"
#include "workloads/dense.hpp"
#include "workloads/random_matrix.hpp"

namespace mitra::workloads {
namespace {

template <class T>
double bytes(const Tile<T>& tile) {
  return static_cast<double>(tile.rows() * tile.cols() * sizeof(T));
}

template <class T>
class Gemm final : public Workload {
 public:
  explicit Gemm(DenseSize size) : size_(size) {}

  std::uint64_t tasks() const override { return std::uint64_t{size_.tiles()} * size_.tiles() * size_.tiles(); }
  double flops() const override {
    const double n = static_cast<double>(size_.n);
    return gemm_flops(n, n, n);
  }
  Bytes footprint() const override { return Bytes(3 * size_.n * size_.n * sizeof(T)); }

  void generate(Runtime& rt) override {
    const auto fill =
        codelet("fill_random")
            .cpu([](Tile<T> a, std::size_t row, std::size_t column, std::uint64_t seed) {
              fill_random(a, row, column, seed);
            })
            .cost([](Tile<const T> a, std::size_t, std::size_t, std::uint64_t) { return Work{.bytes = bytes(a)}; });
    a_ = rt.matrix<T>(size_.n, size_.n, "A").tiled(size_.tile, size_.tile);
    b_ = rt.matrix<T>(size_.n, size_.n, "B").tiled(size_.tile, size_.tile);
    c_ = rt.matrix<T>(size_.n, size_.n, "C").tiled(size_.tile, size_.tile);
    if (!rt.executes()) return;  // data that nobody has written lie in the host's memory
    for (std::size_t j = 0; j < size_.tiles(); ++j)
      for (std::size_t i = 0; i < size_.tiles(); ++i) {
        rt.submit(fill, a_(i, j).write(), i * size_.tile, j * size_.tile, seed_of_a());
        rt.submit(fill, b_(i, j).write(), i * size_.tile, j * size_.tile, seed_of_b());
      }
  }

  void submit(Runtime& rt) override {
    const std::size_t nt = size_.tiles();
    for (std::size_t i = 0; i < nt; ++i)
      for (std::size_t j = 0; j < nt; ++j) {
        // The first update replaces C: its old content is neither read nor fetched.
        rt.submit(gemm_, a_(i, 0).read(), b_(0, j).read(), T(0), c_(i, j).write());
        for (std::size_t k = 1; k < nt; ++k)
          rt.submit(gemm_, a_(i, k).read(), b_(k, j).read(), T(1), c_(i, j).readwrite());
      }
  }

  /// ||C v - A (B v)|| / (|| |A| |B| |v| || sqrt(n) eps) in the maximum norm, for a random v. sqrt(n), and not n:
  /// rounding errors of random data accumulate so (Higham and Mary, SIAM J. Sci. Comput. 41, 2019), and with n a
  /// product in float would pass that lacks some of its updates.
  Verification verify(Runtime& rt) override {
    const std::size_t n = size_.n, nb = size_.tile, nt = size_.tiles();
    std::vector<double> v(n), v_abs(n), bv(n), bv_abs(n), abv(n), abv_abs(n), cv(n);
    for (std::size_t i = 0; i < n; ++i) {
      v[i] = 2 * random_entry(~size_.seed, i, 0);
      v_abs[i] = std::abs(v[i]);
    }
    std::vector<T> again(nb * nb);
    // Tiles of A and B are made again, so that the check does not depend on what tasks may have done to them.
    const auto multiply = [&](std::uint64_t seed, const std::vector<double>& x, std::vector<double>& y,
                              const std::vector<double>& x_abs, std::vector<double>& y_abs) {
      for (std::size_t j = 0; j < nt; ++j)
        for (std::size_t i = 0; i < nt; ++i) {
          const Tile<T> tile(again.data(), size_.extent(i), size_.extent(j), nb);
          const Tile<const T> values(tile.data(), tile.rows(), tile.cols(), tile.ld());
          fill_random(tile, i * nb, j * nb, seed);
          multiply_add(values, &x[j * nb], &y[i * nb]);
          for (std::size_t c = 0; c < tile.cols(); ++c)
            for (std::size_t r = 0; r < tile.rows(); ++r) tile(r, c) = std::abs(tile(r, c));
          multiply_add(values, &x_abs[j * nb], &y_abs[i * nb]);
        }
    };
    multiply(seed_of_b(), v, bv, v_abs, bv_abs);
    multiply(seed_of_a(), bv, abv, bv_abs, abv_abs);
    for (std::size_t j = 0; j < nt; ++j)
      for (std::size_t i = 0; i < nt; ++i) {
        const auto c = rt.acquire(c_(i, j).read());
        multiply_add(c.view(), &v[j * nb], &cv[i * nb]);
      }

    double error = 0, scale = 0;
    for (std::size_t i = 0; i < n; ++i) {
      // Not std::max: it would drop a NaN.
      const double e = std::abs(cv[i] - abv[i]);
      if (!(e <= error)) error = e;
      scale = std::max(scale, abv_abs[i]);
    }
    const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
    const double residual = error / (scale * std::sqrt(static_cast<double>(n)) * eps);
    return {residual, residual < kResidualLimit, "residual: ||C v - A (B v)|| / (|| |A| |B| |v| || sqrt(n) eps)"};
  }

 private:
  std::uint64_t seed_of_a() const { return 2 * size_.seed; }
  std::uint64_t seed_of_b() const { return 2 * size_.seed + 1; }

  static auto make_gemm() {
    return codelet("gemm")
        .cpu([](Tile<const T> a, Tile<const T> b, T beta, Tile<T> c) { gemm_add(a, b, beta, c); })
        .hip_modelled()
        .cost([](Tile<const T> a, Tile<const T> b, T, Tile<const T> c) {
          return Work{.flops = gemm_flops(static_cast<double>(c.rows()), static_cast<double>(c.cols()),
                                          static_cast<double>(a.cols())),
                      .bytes = bytes(a) + bytes(b) + bytes(c)};
        });
  }

  const DenseSize size_;
  const SingleThreadedBlas blas_;
  const decltype(make_gemm()) gemm_ = make_gemm();
  TiledMatrix<T> a_, b_, c_;
};

std::unique_ptr<Workload> make(const WorkloadInfo&, const Parameters& parameters) {
  if (is_double(parameters)) return std::make_unique<Gemm<double>>(dense_size(parameters));
  return std::make_unique<Gemm<float>>(dense_size(parameters));
}

}  // namespace

std::vector<WorkloadInfo> gemm_workloads() {
  return {{"gemm", "tiled product of two dense matrices, OpenBLAS kernels", dense_parameters("2048", "256"), make,
           dense_one_core_rate}};
}

}  // namespace mitra::workloads
