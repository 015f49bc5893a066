// Step 1 of docs/porting.md: the order alone. The functions and the memory are those of step 0; calls become tasks.
//
//   potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> potrf 1,1 --> ...      a token for each tile: who reads it, who changes it
//              +-> trsm 2,0 -+-> gemm 2,1 --> trsm 2,1 --> ...
//
// Mitra knows nothing of the matrix: a task gets pointers, as values. Such tasks run on cores.
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

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
  mitra::Runtime rt;
  std::vector<mitra::Token> tokens;
  for (std::size_t t = 0; t < tiles * tiles; ++t) tokens.push_back(rt.token("tile"));
  const auto token = [&](std::size_t i, std::size_t j) -> const mitra::Token& { return tokens[i + j * tiles]; };

  for (std::size_t k = 0; k < tiles; ++k) {
    rt.submit("potrf", potrf, token(k, k).readwrite(), tile(k, k));
    for (std::size_t i = k + 1; i < tiles; ++i)
      rt.submit("trsm", trsm, token(k, k).read(), token(i, k).readwrite(), tile(k, k), tile(i, k));
    for (std::size_t i = k + 1; i < tiles; ++i) {
      rt.submit("syrk", syrk, token(i, k).read(), token(i, i).readwrite(), tile(i, k), tile(i, i));
      for (std::size_t j = k + 1; j < i; ++j)
        rt.submit("gemm", gemm, token(i, k).read(), token(j, k).read(), token(i, j).readwrite(), tile(i, k), tile(j, k),
                  tile(i, j));
    }
  }
  rt.wait();

  const double error = largest_error(matrix.data());
  std::printf("ordered tasks: largest error %.1e\n", error);
  return error < 1e-9 ? 0 : 1;
}
