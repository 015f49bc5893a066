// The dense kernels on tiles, for float and double; OpenBLAS and LAPACKE stand behind them.
// Flow: cholesky, gemm -> [blas] -> OpenBLAS. Thread-safety: thread-safe while a SingleThreadedBlas lives.
#pragma once

#include <cstddef>

#include <mitra/view.hpp>

namespace mitra::workloads {

/// While one of these lives, a BLAS call runs on the calling thread alone: tasks are the parallelism. The number of
/// BLAS threads of before comes back with the last one. @thread thread-safe
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;
};

/// A := L with A = L L^T, in the lower triangle; the upper one is not touched.
/// @throws std::domain_error if A is not positive definite.
template <class T>
void potrf(Tile<T> a);
/// B := B L^-T, with L the lower triangle of `l`.
template <class T>
void trsm(Tile<const T> l, Tile<T> b);
/// C := C - A A^T, in the lower triangle.
template <class T>
void syrk(Tile<const T> a, Tile<T> c);
/// C := C - A B^T.
template <class T>
void gemm_subtract(Tile<const T> a, Tile<const T> b, Tile<T> c);
/// C := A B + beta C.
template <class T>
void gemm_add(Tile<const T> a, Tile<const T> b, T beta, Tile<T> c);

/// @returns Floating-point operations per second of GEMM on one core: the best of a few products of about 0.1 s.
template <class T>
double one_core_gemm_rate();

// Operations of LAPACK working note 41, as Chameleon and StarPU count them.
inline double potrf_flops(double n) { return n * n * n / 3 + n * n / 2 + n / 6; }
inline double trsm_flops(double rows, double n) { return rows * n * n; }
inline double syrk_flops(double n, double k) { return k * n * (n + 1); }
inline double gemm_flops(double m, double n, double k) { return 2 * m * n * k; }

}  // namespace mitra::workloads
