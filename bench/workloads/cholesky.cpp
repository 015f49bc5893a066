// Tiled Cholesky factorisation A = L L^T, lower, right-looking: Buttari et al., Parallel Computing 35 (2009).
//
//   for k:  potrf A(k,k)
//           trsm  A(i,k) by A(k,k)              i > k
//           syrk  A(i,i) by A(i,k)              i > k
//           gemm  A(i,j) by A(i,k), A(j,k)      i > j > k
//
// Flow: registry -> [cholesky] -> Runtime::submit. Thread-safety: submission thread.

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
double order(const Tile<T>& tile) {
  return static_cast<double>(tile.cols());
}

template <class T>
class Cholesky final : public Workload {
 public:
  explicit Cholesky(DenseSize size) : size_(size) {}

  std::uint64_t tasks() const override {
    const std::uint64_t t = size_.tiles();
    return t * (t + 1) * (t + 2) / 6;
  }
  double flops() const override { return potrf_flops(static_cast<double>(size_.n)); }
  Bytes footprint() const override { return Bytes(size_.n * (size_.n + size_.tile) / 2 * sizeof(T)); }

  void generate(Runtime& rt) override {
    a_ = rt.matrix<T>(size_.n, size_.n, "A").tiled(size_.tile, size_.tile);
    const auto fill =
        codelet("fill_positive_definite")
            .cpu([](Tile<T> a, std::size_t row, std::size_t column, const DenseSize& size) {
              fill_positive_definite(a, row, column, size.n, size.seed);
            })
            .cost([](Tile<const T> a, std::size_t, std::size_t, const DenseSize&) { return Work{.bytes = bytes(a)}; });
    if (!rt.executes()) return;  // data that nobody has written lie in the host's memory
    for (std::size_t j = 0; j < size_.tiles(); ++j)
      for (std::size_t i = j; i < size_.tiles(); ++i)  // the tiles above the diagonal are never touched
        rt.submit(fill, a_(i, j).write(), i * size_.tile, j * size_.tile, size_);
  }

  void submit(Runtime& rt) override {
    const std::size_t nt = size_.tiles();
    for (std::size_t k = 0; k < nt; ++k) {
      rt.submit({.priority = rank(k, k, k)}, potrf_, a_(k, k).readwrite());
      for (std::size_t i = k + 1; i < nt; ++i)
        rt.submit({.priority = rank(i, k, k)}, trsm_, a_(k, k).read(), a_(i, k).readwrite());
      for (std::size_t i = k + 1; i < nt; ++i) {
        rt.submit({.priority = rank(i, i, k)}, syrk_, a_(i, k).read(), a_(i, i).readwrite());
        for (std::size_t j = k + 1; j < i; ++j)
          rt.submit({.priority = rank(i, j, k)}, gemm_, a_(i, k).read(), a_(j, k).read(), a_(i, j).readwrite());
      }
    }
  }

  /// ||A v - L (L^T v)|| / (||A|| ||v|| n eps) in the maximum norm, for a random v.
  Verification verify(Runtime& rt) override {
    const std::size_t n = size_.n, nb = size_.tile, nt = size_.tiles();
    std::vector<double> v(n), av(n), ltv(n), lltv(n), row_sums(n);
    for (std::size_t i = 0; i < n; ++i) v[i] = 2 * random_entry(~size_.seed, i, 0);

    std::vector<T> again(nb * nb), factor(nb * nb);
    const std::vector<double> ones(nb, 1.0);
    const auto for_each_tile = [&](auto&& visit) {
      for (std::size_t j = 0; j < nt; ++j)
        for (std::size_t i = j; i < nt; ++i) visit(i, j, Tile<T>(again.data(), size_.extent(i), size_.extent(j), nb));
    };
    for_each_tile([&](std::size_t i, std::size_t j, Tile<T> scratch) {
      const Tile<const T> a(scratch.data(), scratch.rows(), scratch.cols(), scratch.ld());
      fill_positive_definite(scratch, i * nb, j * nb, n, size_.seed);
      multiply_add(a, &v[j * nb], &av[i * nb]);
      if (i != j) multiply_add_transposed(a, &v[i * nb], &av[j * nb]);
      for (std::size_t c = 0; c < scratch.cols(); ++c)
        for (std::size_t r = 0; r < scratch.rows(); ++r) scratch(r, c) = std::abs(scratch(r, c));
      multiply_add(a, ones.data(), &row_sums[i * nb]);
      if (i != j) multiply_add_transposed(a, ones.data(), &row_sums[j * nb]);

      const auto l = rt.acquire(a_(i, j).read());
      multiply_add_transposed(lower(i == j, l.view(), scratch), &v[i * nb], &ltv[j * nb]);
    });
    for_each_tile([&](std::size_t i, std::size_t j, Tile<T> scratch) {
      const auto l = rt.acquire(a_(i, j).read());
      multiply_add(lower(i == j, l.view(), scratch), &ltv[j * nb], &lltv[i * nb]);
    });

    double error = 0, a_norm = 0, v_norm = 0;
    for (std::size_t i = 0; i < n; ++i) {
      // Not std::max: it would drop a NaN.
      const double e = std::abs(av[i] - lltv[i]);
      if (!(e <= error)) error = e;
      a_norm = std::max(a_norm, row_sums[i]);
      v_norm = std::max(v_norm, std::abs(v[i]));
    }
    const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
    const double residual = error / (a_norm * v_norm * static_cast<double>(n) * eps);
    return {residual, residual < kResidualLimit, "residual: ||A v - L (L^T v)|| / (||A|| ||v|| n eps)"};
  }

 private:
  /// Tasks on the longest way from here to the end of the graph, this one included (the upward rank with unit weights):
  /// trsm -> syrk -> potrf takes 3 for each row of tiles that is left, gemm -> trsm takes 2 for each column on the way
  /// to the diagonal, and an update takes 1 for each step until its tile is final. One formula for all four kernels.
  int rank(std::size_t i, std::size_t j, std::size_t k) const {
    return static_cast<int>(3 * (size_.tiles() - 1 - i) + 2 * (i - j) + (j - k) + 1);
  }

  /// A factor's tile as a full matrix: potrf leaves the input above the diagonal.
  static Tile<const T> lower(bool diagonal, Tile<const T> l, Tile<T> scratch) {
    if (!diagonal) return l;
    for (std::size_t c = 0; c < l.cols(); ++c)
      for (std::size_t r = 0; r < l.rows(); ++r) scratch(r, c) = r < c ? T(0) : l(r, c);
    return {scratch.data(), scratch.rows(), scratch.cols(), scratch.ld()};
  }

  static auto make_potrf() {
    return codelet("potrf").cpu([](Tile<T> a) { potrf(a); }).hip_modelled().cost([](Tile<const T> a) {
      return Work{.flops = potrf_flops(order(a)), .bytes = bytes(a)};
    });
  }
  static auto make_trsm() {
    return codelet("trsm")
        .cpu([](Tile<const T> l, Tile<T> b) { trsm(l, b); })
        .hip_modelled()
        .cost([](Tile<const T> l, Tile<const T> b) {
          return Work{.flops = trsm_flops(static_cast<double>(b.rows()), order(l)), .bytes = bytes(l) + bytes(b)};
        });
  }
  static auto make_syrk() {
    return codelet("syrk")
        .cpu([](Tile<const T> a, Tile<T> c) { syrk(a, c); })
        .hip_modelled()
        .cost([](Tile<const T> a, Tile<const T> c) {
          return Work{.flops = syrk_flops(order(c), order(a)), .bytes = bytes(a) + bytes(c)};
        });
  }
  static auto make_gemm() {
    return codelet("gemm")
        .cpu([](Tile<const T> a, Tile<const T> b, Tile<T> c) { gemm_subtract(a, b, c); })
        .hip_modelled()
        .cost([](Tile<const T> a, Tile<const T> b, Tile<const T> c) {
          return Work{.flops = gemm_flops(static_cast<double>(c.rows()), order(c), order(a)),
                      .bytes = bytes(a) + bytes(b) + bytes(c)};
        });
  }

  const DenseSize size_;
  const SingleThreadedBlas blas_;
  const decltype(make_potrf()) potrf_ = make_potrf();
  const decltype(make_trsm()) trsm_ = make_trsm();
  const decltype(make_syrk()) syrk_ = make_syrk();
  const decltype(make_gemm()) gemm_ = make_gemm();
  TiledMatrix<T> a_;
};

std::unique_ptr<Workload> make(const WorkloadInfo&, const Parameters& parameters) {
  if (is_double(parameters)) return std::make_unique<Cholesky<double>>(dense_size(parameters));
  return std::make_unique<Cholesky<float>>(dense_size(parameters));
}

}  // namespace

std::vector<WorkloadInfo> cholesky_workloads() {
  return {{"cholesky", "tiled Cholesky factorisation of a dense matrix, OpenBLAS kernels",
           dense_parameters("4096", "256"), make, dense_one_core_rate}};
}

}  // namespace mitra::workloads
