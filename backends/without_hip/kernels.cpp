// In place of the kernels where Mitra is built without HIP: programs that name them link, and no device calls them.
// Flow: codelet -> [kernels]. Thread-safety: immutable.
#include <mitra/error.hpp>
#include <mitra/detail/hip_kernel_instances.hpp>
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

MITRA_HIP_KERNEL_INSTANCES

}  // namespace mitra::hip
