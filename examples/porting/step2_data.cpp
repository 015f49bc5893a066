// Step 2 of docs/porting.md: the data. The matrix is a datum that is cut into tiles; tasks say which of them they use.
//
//   fill A --> potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> ... --> check A
//  (a whole)              +-> trsm 2,0 -+-> gemm 2,1 --> ...    (a whole)
//
// No token, and no pointer in a submission: the accesses give the order, and views give the memory. The same accesses say
// what has to be copied where tasks run elsewhere, which is step 3.
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

using Block = mitra::Tile<double>;             // element (i, j), and its sizes: rows(), cols(), ld()
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

/// A matrix with a factor that is known: L(i, j) = 1 below the diagonal, and n on it.
double factor(std::size_t i, std::size_t j, std::size_t n) {
  return i < j ? 0.0 : i == j ? static_cast<double>(n) : 1.0;
}
void fill(Block a) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) {
      const std::size_t common = i < j ? i : j, n = a.rows();  // so many products of two ones
      a(i, j) = static_cast<double>(common) + factor(i, common, n) * factor(j, common, n);
    }
}
void check(ConstBlock a, double& error) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = j; i < a.rows(); ++i) error = std::fmax(error, std::fabs(a(i, j) - factor(i, j, a.rows())));
}

}  // namespace

int main() {
  const std::size_t n = 512, nb = 64;
  std::vector<double> values(n * n);
  double error = 0.0;

  mitra::Runtime rt;
  auto matrix = rt.matrix(values.data(), n, n, n, "A");  // one datum: the memory stays the application's
  auto A = matrix.tiled(nb, nb);                         // and its tiles, which lie in it
  auto result = rt.data(error, "error");

  rt.submit("fill", fill, matrix.write());
  for (std::size_t k = 0; k < A.grid_rows(); ++k) {
    rt.submit("potrf", potrf, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) rt.submit("trsm", trsm, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) {
      rt.submit("syrk", syrk, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j)
        rt.submit("gemm", gemm, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.submit("check", check, matrix.read(), result.readwrite());  // follows the tasks on all tiles
  rt.wait();

  std::printf("data and access modes: largest error %.1e\n", error);
  return error < 1e-9 ? 0 : 1;
}
