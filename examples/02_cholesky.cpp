// A tiled Cholesky factorisation, A = L L^T: three nested loops become a graph that no loop could run in parallel.
//
//   potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> potrf 1,1 --> trsm 2,1 --> ...          (3 x 3 tiles)
//              |             +---------v                       ^
//              +-> trsm 2,0 -+-> gemm 2,1 ---------------------+
//                            +-> syrk 2,2 --> ...
//
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>

#include <mitra/mitra.hpp>

#include "cholesky_of_views.hpp"

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
      const double e = largest_error(tile.view(), i * nb, j * nb, n);
      if (e > error || std::isnan(e)) error = e;
    }
  std::printf("%zu x %zu matrix in %zu x %zu tiles: largest error %.1e\n", n, n, nt, nt, error);
  return error < 1e-9 ? 0 : 1;
}
