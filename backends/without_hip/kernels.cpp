// In place of the kernels where Mitra is built without HIP: programs that name them link, and no device calls them.
// Flow: codelet -> [kernels]. Thread-safety: immutable.
#include <mitra/error.hpp>
#include <mitra/hip_kernels.hpp>

namespace mitra::hip {

namespace {

[[noreturn]] void absent(const char* what) {
  throw MisuseError(
      detail::message("mitra::hip::", what, " is called, and Mitra was built without HIP; build with MITRA_HIP=ON"));
}

}  // namespace

template <class T>
void axpy(HipStream, SameAs<T>, View<const SameAs<T>>, View<T>) {
  absent("axpy");
}
template <class T>
void gemm(HipStream, Op, Op, SameAs<T>, Tile<const SameAs<T>>, Tile<const SameAs<T>>, SameAs<T>, Tile<T>) {
  absent("gemm");
}
template <class T>
void syrk(HipStream, SameAs<T>, Tile<const SameAs<T>>, SameAs<T>, Tile<T>) {
  absent("syrk");
}
template <class T>
void trsm(HipStream, Tile<const SameAs<T>>, Tile<T>) {
  absent("trsm");
}
template <class T>
void potrf(HipStream, Tile<T>) {
  absent("potrf");
}
template <class T>
void stencil3(HipStream, SameAs<T>, SameAs<T>, View<const SameAs<T>>, View<T>) {
  absent("stencil3");
}
template <class T>
void stencil5(HipStream, SameAs<T>, SameAs<T>, Tile<const SameAs<T>>, Tile<T>) {
  absent("stencil5");
}

#define MITRA_INSTANTIATE(T)                                                             \
  template void axpy<T>(HipStream, T, View<const T>, View<T>);                           \
  template void gemm<T>(HipStream, Op, Op, T, Tile<const T>, Tile<const T>, T, Tile<T>); \
  template void syrk<T>(HipStream, T, Tile<const T>, T, Tile<T>);                        \
  template void trsm<T>(HipStream, Tile<const T>, Tile<T>);                              \
  template void potrf<T>(HipStream, Tile<T>);                                            \
  template void stencil3<T>(HipStream, T, T, View<const T>, View<T>);                    \
  template void stencil5<T>(HipStream, T, T, Tile<const T>, Tile<T>);
MITRA_INSTANTIATE(double)
MITRA_INSTANTIATE(float)
#undef MITRA_INSTANTIATE

}  // namespace mitra::hip
