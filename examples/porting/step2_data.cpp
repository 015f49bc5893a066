// Step 2 of docs/porting.md: the data. The matrix is a datum that is cut into tiles; tasks say which of them they use.
//
//   fill A --> potrf 0,0 -+-> trsm 1,0 -+-> syrk 1,1 --> ... --> check A
//  (a whole)              +-> trsm 2,0 -+-> gemm 2,1 --> ...    (a whole)
//
// No token, and no pointer in a submission: the accesses give the order, and views give the memory. The same accesses say
// what has to be copied where tasks run elsewhere, which is step 3.
// Flow: this program -> Runtime::submit -> workers.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

#include "../cholesky_of_views.hpp"

namespace {

void check(ConstBlock a, double& error) { error = largest_error(a, 0, 0, a.rows()); }

}  // namespace

int main() {
  const std::size_t n = 512, nb = 64;
  std::vector<double> values(n * n);
  double error = 0.0;

  mitra::Runtime rt;
  auto matrix = rt.matrix(values.data(), n, n, n, "A");  // one datum: the memory stays the application's
  auto A = matrix.tiled(nb, nb);                         // and its tiles, which lie in it
  auto result = rt.data(error, "error");

  rt.submit("fill", fill, matrix.write(), 0, 0, n);
  for (std::size_t k = 0; k < A.grid_rows(); ++k) {
    rt.submit("potrf", potrf, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) rt.submit("trsm", trsm, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) {
      rt.submit("syrk", syrk, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j)
        rt.submit("gemm", gemm, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.submit("check", check, matrix.read(), result.write());  // follows the tasks on all tiles
  rt.wait();

  std::printf("data and access modes: largest error %.1e\n", error);
  return error < 1e-9 ? 0 : 1;
}
