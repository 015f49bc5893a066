// Kernels for AMD GPUs, for the `.hip` bodies of codelets: they enqueue work on the stream and return.
// Flow: codelet -> [hip kernels] -> the device that runs the task. Thread-safety: from within a `.hip` body, on its thread.
#pragma once

#include <mitra/codelet.hpp>
#include <mitra/view.hpp>

/// Tiles are column-major, T is float or double. Shapes that do not fit each other are a MisuseError. A kernel that cannot be
/// launched is an Error with HIP's name for the reason, and fails the task, also where the body catches it; the loss of the
/// device is none: the body goes on, nothing is launched any more, and the driver tells. Where rocBLAS is found, gemm, syrk, trsm and
/// potrf of large tiles are its work (@see HipOptions::blas): the same contracts, other roundings, and errors by its names.
namespace mitra::hip {

enum class Op : bool { none, transposed };
template <class T>
struct Same {
  using type = T;
};
template <class T>
using SameAs = typename Same<T>::type;  ///< Of the tile's type: what is given converts to it.

/// y += alpha x
template <class T>
void axpy(HipStream stream, SameAs<T> alpha, View<const SameAs<T>> x, View<T> y);

/// C = alpha op(A) op(B) + beta C; beta = 0: what C holds is not read.
template <class T>
void gemm(HipStream stream, Op op_a, Op op_b, SameAs<T> alpha, Tile<const SameAs<T>> a, Tile<const SameAs<T>> b,
          SameAs<T> beta, Tile<T> c);

/// C -= A B^T: the update of a Cholesky factorisation.
template <class T>
void gemm_subtract(HipStream stream, Tile<const SameAs<T>> a, Tile<const SameAs<T>> b, Tile<T> c) {
  gemm<T>(stream, Op::none, Op::transposed, T(-1), a, b, T(1), c);
}

/// C = alpha A A^T + beta C, in the lower triangle; what is above stays as it is.
template <class T>
void syrk(HipStream stream, SameAs<T> alpha, Tile<const SameAs<T>> a, SameAs<T> beta, Tile<T> c);

/// C -= A A^T, in the lower triangle.
template <class T>
void syrk_subtract(HipStream stream, Tile<const SameAs<T>> a, Tile<T> c) {
  syrk<T>(stream, T(-1), a, T(1), c);
}

/// X L^T = B for the lower triangle L: X overwrites B.
template <class T>
void trsm(HipStream stream, Tile<const SameAs<T>> l, Tile<T> b);

/// A = L L^T: L overwrites the lower triangle; what is above stays as it is. Where A is not positive definite, L gets NaN.
template <class T>
void potrf(HipStream stream, Tile<T> a);

/// out = center in + side (both neighbours of in), and in itself at both ends.
template <class T>
void stencil3(HipStream stream, SameAs<T> center, SameAs<T> side, View<const SameAs<T>> in, View<T> out);

/// out = center in + side (the four neighbours of in), and in itself on the border.
template <class T>
void stencil5(HipStream stream, SameAs<T> center, SameAs<T> side, Tile<const SameAs<T>> in, Tile<T> out);

}  // namespace mitra::hip
