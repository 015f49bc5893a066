// Step 1 of docs/porting.md: the order alone. The functions and the memory are those of step 0; calls become tasks.
//
//   potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> potrf 1,1 --> ...      a token for each tile: who reads it, who changes it
//              +-> trsm 2,0 -+-> gemm 2,1 --> trsm 2,1 --> ...
//
// Mitra knows nothing of the matrix: a task gets pointers, as values. Such tasks run on cores.
// Flow: this program -> Runtime::submit -> workers.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

#include "cholesky_of_pointers.hpp"

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
