// The program that docs/porting.md ports: a Cholesky factorisation, A = L L^T, in tiles, without any runtime.
//
//   for k:  potrf(k,k)   for i > k: trsm(i,k)   for i > k: syrk(i,i), for k < j < i: gemm(i,j)
//
// Flow: this program alone.
#include <cstddef>
#include <cstdio>
#include <vector>

#include "cholesky_of_pointers.hpp"

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
