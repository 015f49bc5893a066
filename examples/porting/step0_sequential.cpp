// The program that docs/porting.md ports: a Cholesky factorisation, A = L L^T, in tiles, without any runtime.
//
//   for k:  potrf(k,k)   for i > k: trsm(i,k)   for i > k: syrk(i,i), for k < j < i: gemm(i,j)
//
// The matrix is one array, column by column; a tile is a pointer to its first element and the leading dimension n.
// Flow: this program alone.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

constexpr std::size_t n = 512, nb = 64, tiles = n / nb;

/// The element (i, j) of a tile.
constexpr std::size_t at(std::size_t i, std::size_t j) { return i + j * n; }

/// a := its Cholesky factor, in the lower triangle.
void potrf(double* a) {
  for (std::size_t j = 0; j < nb; ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = j; i < nb; ++i) a[at(i, j)] -= a[at(i, k)] * a[at(j, k)];
    a[at(j, j)] = std::sqrt(a[at(j, j)]);
    for (std::size_t i = j + 1; i < nb; ++i) a[at(i, j)] /= a[at(j, j)];
  }
}
/// b := b l^-T
void trsm(const double* l, double* b) {
  for (std::size_t j = 0; j < nb; ++j) {
    for (std::size_t k = 0; k < j; ++k)
      for (std::size_t i = 0; i < nb; ++i) b[at(i, j)] -= b[at(i, k)] * l[at(j, k)];
    for (std::size_t i = 0; i < nb; ++i) b[at(i, j)] /= l[at(j, j)];
  }
}
/// c := c - a b^T
void gemm(const double* a, const double* b, double* c) {
  for (std::size_t j = 0; j < nb; ++j)
    for (std::size_t k = 0; k < nb; ++k)
      for (std::size_t i = 0; i < nb; ++i) c[at(i, j)] -= a[at(i, k)] * b[at(j, k)];
}
/// c := c - a a^T
void syrk(const double* a, double* c) { gemm(a, a, c); }

/// A matrix with a factor that is known: L(i, j) = 1 below the diagonal, and n on it.
double factor(std::size_t i, std::size_t j) { return i < j ? 0.0 : i == j ? static_cast<double>(n) : 1.0; }
void fill(double* a) {
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t common = i < j ? i : j;  // so many products of two ones
      a[at(i, j)] = static_cast<double>(common) + factor(i, common) * factor(j, common);
    }
}
double largest_error(const double* a) {
  double error = 0.0;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) error = std::fmax(error, std::fabs(a[at(i, j)] - factor(i, j)));
  return error;
}

}  // namespace

int main() {
  std::vector<double> matrix(n * n);
  fill(matrix.data());

  const auto tile = [&](std::size_t i, std::size_t j) { return matrix.data() + at(i * nb, j * nb); };
  for (std::size_t k = 0; k < tiles; ++k) {
    potrf(tile(k, k));
    for (std::size_t i = k + 1; i < tiles; ++i) trsm(tile(k, k), tile(i, k));
    for (std::size_t i = k + 1; i < tiles; ++i) {
      syrk(tile(i, k), tile(i, i));
      for (std::size_t j = k + 1; j < i; ++j) gemm(tile(i, k), tile(j, k), tile(i, j));
    }
  }

  const double error = largest_error(matrix.data());
  std::printf("sequential: largest error %.1e\n", error);
  return error < 1e-9 ? 0 : 1;
}
