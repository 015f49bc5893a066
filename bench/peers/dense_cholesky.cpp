// A real factorisation without Mitra, beside `mitra run cholesky`: OpenBLAS's own dpotrf on its threads, or the same tiles
// as OpenMP tasks with the same single-threaded kernels.
// Flow: main -> [dense_cholesky] -> OpenBLAS, libgomp.
#include <cblas.h>
#include <lapacke.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Tiles = std::vector<std::vector<double>>;  // column-major grid of contiguous tiles

/// Symmetric, and diagonally dominant: positive definite.
double element(std::size_t i, std::size_t j, std::size_t n) {
  const std::size_t low = std::min(i, j), high = std::max(i, j);
  return i == j ? static_cast<double>(n) : 1.0 / static_cast<double>(1 + (low * 7919 + high * 104729) % 1009);
}

void factorise_with_tasks(Tiles& a, int tiles, int b) {
  const auto at = [&](int i, int j) { return a[static_cast<std::size_t>(j * tiles + i)].data(); };
#pragma omp parallel
#pragma omp single
  for (int k = 0; k < tiles; ++k) {
    double* kk = at(k, k);
#pragma omp task depend(inout : kk[0]) priority(3)
    LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', b, kk, b);
    for (int i = k + 1; i < tiles; ++i) {
      double* ik = at(i, k);
#pragma omp task depend(in : kk[0]) depend(inout : ik[0]) priority(2)
      cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, b, b, 1.0, kk, b, ik, b);
    }
    for (int i = k + 1; i < tiles; ++i) {
      double *ik = at(i, k), *ii = at(i, i);
#pragma omp task depend(in : ik[0]) depend(inout : ii[0]) priority(1)
      cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, b, b, -1.0, ik, b, 1.0, ii, b);
      for (int j = k + 1; j < i; ++j) {
        double *jk = at(j, k), *ij = at(i, j);
#pragma omp task depend(in : ik[0], jk[0]) depend(inout : ij[0])
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, b, b, b, -1.0, ik, b, jk, b, 1.0, ij, b);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "dpotrf";
  const int n = argc > 2 ? std::atoi(argv[2]) : 8192, b = argc > 3 ? std::atoi(argv[3]) : 512;
  const int workers = argc > 4 ? std::atoi(argv[4]) : 2;
  if ((how != "dpotrf" && how != "libgomp") || n < 1 || b < 1 || n % b != 0 || workers < 1) {
    std::fputs("usage: dense_cholesky dpotrf|libgomp [N [TILE [WORKERS]]], N a multiple of TILE\n", stderr);
    return 2;
  }
  const auto size = static_cast<std::size_t>(n), tile = static_cast<std::size_t>(b);
  const bool whole = how == "dpotrf";
  const int tiles = whole ? 1 : n / b;
  const std::size_t edge = whole ? size : tile;
  omp_set_num_threads(workers);
  openblas_set_num_threads(whole ? workers : 1);
  Tiles a(static_cast<std::size_t>(tiles) * static_cast<std::size_t>(tiles));
  for (std::size_t t = 0; t < a.size(); ++t) {
    const std::size_t row = t % static_cast<std::size_t>(tiles) * edge, column = t / static_cast<std::size_t>(tiles) * edge;
    a[t].resize(edge * edge);
    for (std::size_t j = 0; j < edge; ++j)
      for (std::size_t i = 0; i < edge; ++i) a[t][i + j * edge] = element(row + i, column + j, size);
  }
  const auto begin = std::chrono::steady_clock::now();
  if (whole)
    LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', n, a[0].data(), n);
  else
    factorise_with_tasks(a, tiles, b);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  // The factor's last row, times itself, is the matrix's last diagonal element.
  double sum = 0.0;
  for (int j = 0; j < tiles; ++j)
    for (std::size_t c = 0; c < edge; ++c) {
      const double v = a[static_cast<std::size_t>(j * tiles + tiles - 1)][edge - 1 + c * edge];
      sum += v * v;
    }
  const double error = std::abs(sum - element(size - 1, size - 1, size)) / static_cast<double>(n);
  std::printf("%-8s n %d tile %d workers %d: %.3f s, %.1f GFLOP/s, last diagonal element off by %.1e\n", how.c_str(), n,
              whole ? n : b, workers, seconds.count(), std::pow(n, 3) / 3e9 / seconds.count(), error);
  return error < 1e-10 ? 0 : 1;
}
