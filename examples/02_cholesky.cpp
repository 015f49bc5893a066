// A tiled Cholesky factorisation, A = L L^T: three nested loops become a graph that no loop could run in parallel.
//
//   potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> potrf 1,1 --> trsm 2,1 --> ...          (3 x 3 tiles)
//              |             +---------v                       ^
//              +-> trsm 2,0 -+-> gemm 2,1 ---------------------+
//                            +-> syrk 2,2 --> ...
//
// The kernels are the shortest that are right; a real code calls BLAS instead, as bench/workloads/cholesky.cpp does.
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>

#include <mitra/mitra.hpp>

using Block = mitra::Tile<double>;             // element (i, j), column-major, as BLAS has it
using ConstBlock = mitra::Tile<const double>;  // the same, of a datum that is read

namespace {

/// a := its Cholesky factor, in the lower triangle.
void potrf(Block a) {
  for (std::size_t j = 0; j < a.cols(); ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = j; i < a.rows(); ++i) a(i, j) -= a(i, k) * a(j, k);
    a(j, j) = std::sqrt(a(j, j));
    for (std::size_t i = j + 1; i < a.rows(); ++i) a(i, j) /= a(j, j);
  }
}
/// b := b l^-T
void trsm(ConstBlock l, Block b) {
  for (std::size_t j = 0; j < b.cols(); ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = 0; i < b.rows(); ++i) b(i, j) -= b(i, k) * l(j, k);
    for (std::size_t i = 0; i < b.rows(); ++i) b(i, j) /= l(j, j);
  }
}
/// c := c - a b^T
void gemm(ConstBlock a, ConstBlock b, Block c) {
  for (std::size_t j = 0; j < c.cols(); ++j)
    for (std::size_t k = 0; k < a.cols(); ++k)
      for (std::size_t i = 0; i < c.rows(); ++i) c(i, j) -= a(i, k) * b(j, k);
}
/// c := c - a a^T
void syrk(ConstBlock a, Block c) { gemm(a, a, c); }

/// A symmetric positive definite matrix with a factor that is known: L(i, j) = 1 below the diagonal, and n on it.
double factor(std::size_t i, std::size_t j, std::size_t n) {
  return i < j ? 0.0 : i == j ? static_cast<double>(n) : 1.0;
}
void fill(Block a, std::size_t row, std::size_t column, std::size_t n) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) {
      const std::size_t r = row + i, c = column + j, common = r < c ? r : c;  // so many products of two ones
      a(i, j) = static_cast<double>(common) + factor(r, common, n) * factor(c, common, n);
    }
}

}  // namespace

int main() {
  const std::size_t n = 600, nb = 64;  // the last tiles are smaller: 600 is no multiple of 64
  mitra::Runtime rt;
  auto A = rt.matrix<double>(n, n, "A").tiled(nb, nb);  // Mitra allocates each tile at its first use
  const std::size_t nt = A.grid_rows();

  for (std::size_t j = 0; j < nt; ++j)
    for (std::size_t i = j; i < nt; ++i) rt.submit("fill", fill, A(i, j).write(), i * nb, j * nb, n);

  for (std::size_t k = 0; k < nt; ++k) {
    rt.submit("potrf", potrf, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < nt; ++i) rt.submit("trsm", trsm, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < nt; ++i) {
      rt.submit("syrk", syrk, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j)
        rt.submit("gemm", gemm, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.wait();

  double error = 0.0;
  for (std::size_t j = 0; j < nt; ++j)
    for (std::size_t i = j; i < nt; ++i) {
      const auto tile = rt.acquire(A(i, j).read());  // Mitra's memory, lent to this loop
      const ConstBlock l = tile.view();
      for (std::size_t c = 0; c < l.cols(); ++c)
        for (std::size_t r = i == j ? c : 0; r < l.rows(); ++r)
          error = std::fmax(error, std::fabs(l(r, c) - factor(i * nb + r, j * nb + c, n)));
    }
  std::printf("%zu x %zu matrix in %zu x %zu tiles: largest error %.1e\n", n, n, nt, nt, error);
  return error < 1e-9 ? 0 : 1;
}
