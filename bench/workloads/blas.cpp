// Flow: cholesky, gemm -> [blas] -> OpenBLAS. Thread-safety: thread-safe while a SingleThreadedBlas lives.

#include "workloads/blas.hpp"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <vector>

#include <mitra/error.hpp>

namespace mitra::workloads {
namespace {

// The number of BLAS threads belongs to the process: so does the count of those who want it to be one.
std::mutex guard_mutex;
int guards = 0;
int threads_before = 1;

blasint to_blas(std::size_t n) { return static_cast<blasint>(n); }

// One name for both precisions.
struct Double {
  static constexpr auto gemm = cblas_dgemm;
  static constexpr auto syrk = cblas_dsyrk;
  static constexpr auto trsm = cblas_dtrsm;
  static constexpr auto potrf = LAPACKE_dpotrf_work;  // _work: without the scan for NaN, which costs n^2
};
struct Single {
  static constexpr auto gemm = cblas_sgemm;
  static constexpr auto syrk = cblas_ssyrk;
  static constexpr auto trsm = cblas_strsm;
  static constexpr auto potrf = LAPACKE_spotrf_work;
};
template <class T>
using Kernels = std::conditional_t<std::is_same_v<T, double>, Double, Single>;

template <class T>
Tile<T> block(const Tile<T>& tile, std::size_t row, std::size_t column, std::size_t rows, std::size_t columns) {
  return {&tile(row, column), rows, columns, tile.ld()};
}

template <class T>
Tile<const T> read_only(const Tile<T>& tile) {
  return {tile.data(), tile.rows(), tile.cols(), tile.ld()};
}

/// Rounded to a multiple of 8, so that blocks begin where vectors begin.
std::size_t half(std::size_t n) { return (n / 2 + 7) / 8 * 8; }

}  // namespace

SingleThreadedBlas::SingleThreadedBlas() {
  const std::lock_guard lock(guard_mutex);
  if (guards++ > 0) return;
  threads_before = openblas_get_num_threads();
  openblas_set_num_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  const std::lock_guard lock(guard_mutex);
  if (--guards == 0) openblas_set_num_threads(threads_before);
}

// OpenBLAS's triangular solve runs at half the rate of its matrix product (0.3.21 on Zen 3: 28 and 52 GFLOP/s with
// n = 256). Halving the triangle puts almost all of the work into products, and reaches 39.
template <class T>
void trsm(Tile<const T> l, Tile<T> b) {
  constexpr std::size_t leaf = 32;
  const std::size_t n = l.cols();
  if (n <= leaf) {
    Kernels<T>::trsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, to_blas(b.rows()), to_blas(n),
                     T(1), l.data(), to_blas(l.ld()), b.data(), to_blas(b.ld()));
    return;
  }
  const std::size_t h = half(n);
  const Tile<T> left = block(b, 0, 0, b.rows(), h), right = block(b, 0, h, b.rows(), n - h);
  trsm(block(l, 0, 0, h, h), left);
  gemm_subtract(read_only(left), block(l, h, 0, n - h, h), right);
  trsm(block(l, h, h, n - h, n - h), right);
}

template <class T>
void potrf(Tile<T> a) {
  const auto info = Kernels<T>::potrf(LAPACK_COL_MAJOR, 'L', static_cast<lapack_int>(a.rows()), a.data(),
                                      static_cast<lapack_int>(a.ld()));
  if (info != 0)
    throw std::domain_error(detail::message("potrf: the leading minor of order ", info, " is not positive"));
}

template <class T>
void syrk(Tile<const T> a, Tile<T> c) {
  Kernels<T>::syrk(CblasColMajor, CblasLower, CblasNoTrans, to_blas(c.rows()), to_blas(a.cols()), T(-1), a.data(),
                   to_blas(a.ld()), T(1), c.data(), to_blas(c.ld()));
}

template <class T>
void gemm_subtract(Tile<const T> a, Tile<const T> b, Tile<T> c) {
  Kernels<T>::gemm(CblasColMajor, CblasNoTrans, CblasTrans, to_blas(c.rows()), to_blas(c.cols()), to_blas(a.cols()),
                   T(-1), a.data(), to_blas(a.ld()), b.data(), to_blas(b.ld()), T(1), c.data(), to_blas(c.ld()));
}

template <class T>
void gemm_add(Tile<const T> a, Tile<const T> b, T beta, Tile<T> c) {
  Kernels<T>::gemm(CblasColMajor, CblasNoTrans, CblasNoTrans, to_blas(c.rows()), to_blas(c.cols()), to_blas(a.cols()),
                   T(1), a.data(), to_blas(a.ld()), b.data(), to_blas(b.ld()), beta, c.data(), to_blas(c.ld()));
}

template <class T>
double one_core_gemm_rate() {
  constexpr std::size_t n = 1024;  // beyond this size the rate of one core does not grow any more
  const SingleThreadedBlas alone;
  std::vector<T> a(n * n, T(0.5)), b(n * n, T(0.25)), c(n * n, T(0));
  double best = 0;
  for (int i = 0; i < 6; ++i) {
    const auto start = std::chrono::steady_clock::now();
    gemm_add(Tile<const T>(a.data(), n, n, n), Tile<const T>(b.data(), n, n, n), T(0), Tile<T>(c.data(), n, n, n));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, gemm_flops(n, n, n) / elapsed.count());
  }
  return best;
}

template void potrf(Tile<float>);
template void potrf(Tile<double>);
template void trsm(Tile<const float>, Tile<float>);
template void trsm(Tile<const double>, Tile<double>);
template void syrk(Tile<const float>, Tile<float>);
template void syrk(Tile<const double>, Tile<double>);
template void gemm_subtract(Tile<const float>, Tile<const float>, Tile<float>);
template void gemm_subtract(Tile<const double>, Tile<const double>, Tile<double>);
template void gemm_add(Tile<const float>, Tile<const float>, float, Tile<float>);
template void gemm_add(Tile<const double>, Tile<const double>, double, Tile<double>);
template double one_core_gemm_rate<float>();
template double one_core_gemm_rate<double>();

}  // namespace mitra::workloads
