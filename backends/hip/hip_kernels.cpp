// Launches kernels from the bodies of tasks: Mitra's own, and those of rocBLAS where it is there and sizes are large.
// Flow: codelet -> [hip kernels] -> kernel module, blas handles -> HIP. Thread-safety: the device's own thread.
#include <algorithm>
#include <initializer_list>
#include <tuple>

#include <mitra/error.hpp>
#include <mitra/detail/hip_kernel_instances.hpp>
#include <mitra/hip_kernels.hpp>

#include "kernel_names.hpp"
#include "kernels/list.hpp"
#include "launch_scope.hpp"

namespace mitra::hip {

namespace {

using kernels::Operand;
using kernels::Size;

struct Grid {
  std::size_t x = 1, y = 1;
};

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

template <class T>
constexpr Kernel choose(Kernel d, Kernel s) {
  return sizeof(T) == 8 ? d : s;
}

LaunchScope& scope_of(HipStream stream, const char* what) {
  LaunchScope* scope = LaunchScope::current();
  if (scope == nullptr)
    throw MisuseError(detail::message("mitra::hip::", what,
                                      " is called outside of a .hip body; it needs the device that runs the task"));
  if (stream.handle != static_cast<void*>(scope->stream()))
    throw MisuseError(detail::message("mitra::hip::", what, " is called with another stream than the body's"));
  return *scope;
}

/// The loss of a device is no failure of the body: the driver tells of it, and the task may run elsewhere.
void fail(LaunchScope& scope, const DeviceResult& result) {
  scope.note(result);
  if (result.status != DeviceStatus::lost) throw Error(result.text);
}

/// @tparam Parameters  Of the kernel: the arguments are converted to them, since HIP only sees addresses.
template <class Function>
struct Launch;
template <unsigned Threads, class... Parameters>
struct Launch<void (*)(const kernels::Block<Threads>&, Parameters...)> {
  static void go(LaunchScope& scope, Kernel kernel, Grid grid, Parameters... parameters) {
    if (grid.x == 0 || grid.y == 0 || !scope.result().ok()) return;  // nothing to do, or an earlier kernel has failed
    const int device = scope.module().device();
    if (grid.x > 0x7fffffff || grid.y > 0xffff)
      fail(scope, {DeviceStatus::failed, detail::message(kernel_name(kernel), " on device ", device,
                                                         ": the data are too large for one kernel")});
    hipError_t error = hipSuccess;
    std::string why;
    const hipFunction_t function = scope.module().find(kernel, error, why);
    if (function == nullptr)
      return fail(scope, {status_after(error) == DeviceStatus::lost ? DeviceStatus::lost : DeviceStatus::failed, why});
    void* addresses[] = {&parameters...};
    error =
        scope.functions().hipModuleLaunchKernel(function, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                                                1, Threads, 1, 1, 0, scope.stream(), addresses, nullptr);
    if (error != hipSuccess) fail(scope, result_of(scope.functions(), error, kernel_name(kernel), device));
  }
};

Grid vector_grid(std::size_t n) { return {std::min<std::size_t>(ceil_div(n, kernels::kVectorThreads), 4096), 1}; }

template <class... Shapes>
void require(bool fits, const char* what, const Shapes&... shapes) {
  if (!fits) throw MisuseError(detail::message("mitra::hip::", what, ": shapes do not fit: ", shapes...));
}
template <class T>
std::string shape(const Tile<T>& t) {
  return std::to_string(t.rows()) + " x " + std::to_string(t.cols());
}

template <class T>
Tile<T> part(Tile<T> t, std::size_t i, std::size_t j, std::size_t rows, std::size_t cols) {
  return {t.data() + i + j * t.ld(), rows, cols, t.ld()};
}

template <class T>
constexpr auto choose(const Blas& blas, auto Blas::*d, auto Blas::*s) {
  if constexpr (sizeof(T) == 8)
    return blas.*d;
  else
    return blas.*s;
}
BlasOperation operation(Op op) { return op == Op::transposed ? BlasOperation::transpose : BlasOperation::none; }
std::int32_t to_int(std::size_t n) { return static_cast<std::int32_t>(n); }  // BlasHandles::takes() knows that it fits

/// @param call  call(functions, handle) enqueues the kernel. @returns Whether nothing is left to do: it has, or it never will.
template <class Call>
bool left_to_blas(LaunchScope& scope, std::initializer_list<std::size_t> sizes, std::initializer_list<std::size_t> strides,
                  const char* name, Call call) {
  BlasHandles& blas = scope.blas();
  if (!blas.takes(sizes, strides)) return false;
  scope.note_last_error();                // the body's, before rocBLAS calls HIP
  if (!scope.result().ok()) return true;  // an earlier kernel has failed
  DeviceResult result;
  const BlasHandle handle = blas.at(scope.stream(), result);
  if (handle == nullptr && result.ok()) return false;
  if (handle != nullptr) result = blas.result_of(call(blas.functions(), handle), name, scope.stream());
  if (!result.ok()) fail(scope, result);
  return true;
}

template <class T>
void start_own_gemm(LaunchScope& scope, Op op_a, Op op_b, T alpha, Tile<const T> a, Tile<const T> b, T beta, Tile<T> c,
                    bool lower) {
  const std::size_t k = op_a == Op::none ? a.cols() : a.rows();
  const Operand<T> left{a.data(), a.ld(), op_a == Op::transposed}, right{b.data(), b.ld(), op_b == Op::transposed};
  const Grid grid{ceil_div(c.rows(), kernels::kGemmTile), ceil_div(c.cols(), kernels::kGemmTile)};
  Launch<decltype(&kernels::gemm<T>)>::go(scope, choose<T>(Kernel::gemm_d, Kernel::gemm_s), grid, c.rows(), c.cols(), k,
                                          alpha, left, right, beta, c.data(), c.ld(), lower);
}

template <class T>
void start_gemm(LaunchScope& scope, Op op_a, Op op_b, T alpha, Tile<const T> a, Tile<const T> b, T beta, Tile<T> c) {
  const std::size_t k = op_a == Op::none ? a.cols() : a.rows();
  const bool done = left_to_blas(
      scope, {c.rows(), c.cols(), k}, {a.ld(), b.ld(), c.ld()}, sizeof(T) == 8 ? "rocblas_dgemm" : "rocblas_sgemm",
      [&](const Blas& blas, BlasHandle handle) {
        return choose<T>(blas, &Blas::rocblas_dgemm, &Blas::rocblas_sgemm)(
            handle, operation(op_a), operation(op_b), to_int(c.rows()), to_int(c.cols()), to_int(k), &alpha, a.data(),
            to_int(a.ld()), b.data(), to_int(b.ld()), &beta, c.data(), to_int(c.ld()));
      });
  if (!done) start_own_gemm<T>(scope, op_a, op_b, alpha, a, b, beta, c, false);
}

template <class T>
void start_syrk(LaunchScope& scope, T alpha, Tile<const T> a, T beta, Tile<T> c) {
  const bool done = left_to_blas(
      scope, {c.rows(), a.cols()}, {a.ld(), c.ld()}, sizeof(T) == 8 ? "rocblas_dsyrk" : "rocblas_ssyrk",
      [&](const Blas& blas, BlasHandle handle) {
        return choose<T>(blas, &Blas::rocblas_dsyrk, &Blas::rocblas_ssyrk)(
            handle, BlasFill::lower, BlasOperation::none, to_int(c.rows()), to_int(a.cols()), &alpha, a.data(), to_int(a.ld()),
            &beta, c.data(), to_int(c.ld()));
      });
  if (!done) start_own_gemm<T>(scope, Op::none, Op::transposed, alpha, a, a, beta, c, true);
}

/// Right-looking: each block of columns is solved, then taken out of those behind it.
template <class T>
void start_own_trsm(LaunchScope& scope, Tile<const T> l, Tile<T> b) {
  for (std::size_t j = 0; j < b.cols(); j += kernels::kTriangle) {
    const std::size_t width = std::min<std::size_t>(kernels::kTriangle, b.cols() - j), behind = b.cols() - j - width;
    Launch<decltype(&kernels::trsm_rows<T>)>::go(scope, choose<T>(Kernel::trsm_rows_d, Kernel::trsm_rows_s),
                                                 {ceil_div(b.rows(), kernels::kTrsmRows), 1}, b.rows(), width,
                                                 l.data() + j + j * l.ld(), l.ld(), b.data() + j * b.ld(), b.ld());
    if (behind == 0) continue;
    start_own_gemm<T>(scope, Op::none, Op::transposed, T(-1),
                      part<const T>({b.data(), b.rows(), b.cols(), b.ld()}, 0, j, b.rows(), width),
                      part(l, j + width, j, behind, width), T(1), part(b, 0, j + width, b.rows(), behind), false);
  }
}

template <class T>
void start_trsm(LaunchScope& scope, Tile<const T> l, Tile<T> b) {
  const bool done = left_to_blas(
      scope, {b.rows(), b.cols()}, {l.ld(), b.ld()}, sizeof(T) == 8 ? "rocblas_dtrsm" : "rocblas_strsm",
      [&](const Blas& blas, BlasHandle handle) {
        const T one(1);
        return choose<T>(blas, &Blas::rocblas_dtrsm, &Blas::rocblas_strsm)(
            handle, BlasSide::right, BlasFill::lower, BlasOperation::transpose, BlasDiagonal::non_unit, to_int(b.rows()),
            to_int(b.cols()), &one, l.data(), to_int(l.ld()), b.data(), to_int(b.ld()));
      });
  if (!done) start_own_trsm<T>(scope, l, b);
}

/// Right-looking by panels: a block on the diagonal, the rows below it, then what is behind both.
/// @param start_diagonal  start_diagonal(block) factorises a block on the diagonal.
template <class T, class Diagonal>
void start_panels(LaunchScope& scope, Tile<T> a, std::size_t panel_width, Diagonal start_diagonal) {
  const std::size_t n = a.rows();
  for (std::size_t j = 0; j < n; j += panel_width) {
    const std::size_t width = std::min(panel_width, n - j), below = n - j - width;
    const Tile<T> diagonal = part(a, j, j, width, width);
    start_diagonal(diagonal);
    if (below == 0) continue;
    const Tile<T> panel = part(a, j + width, j, below, width);
    start_trsm<T>(scope, {diagonal.data(), width, width, a.ld()}, panel);
    start_syrk<T>(scope, T(-1), {panel.data(), below, width, a.ld()}, T(1), part(a, j + width, j + width, below, below));
  }
}

template <class T>
void start_own_potrf(LaunchScope& scope, Tile<T> a) {
  start_panels(scope, a, kernels::kTriangle, [&](Tile<T> d) {
    Launch<decltype(&kernels::potf2<T>)>::go(scope, choose<T>(Kernel::potf2_d, Kernel::potf2_s), {1, 1}, d.rows(), d.data(),
                                             d.ld());
  });
}

// rocSOLVER is not asked: where A is not positive definite, it leaves a number in the device's memory that somebody has to wait for
// and read, while L looks right. Panels as wide as these leave to rocBLAS all but (width / n)^2 of the work.
// [assumption] To be tuned on hardware; 128 .. 512.
constexpr std::size_t kPotrfPanel = 256;

template <class T>
void start_potrf(LaunchScope& scope, Tile<T> a) {
  if (scope.blas().takes({a.rows()}, {a.ld()}))
    start_panels(scope, a, kPotrfPanel, [&](Tile<T> d) { start_own_potrf(scope, d); });
  else
    start_own_potrf(scope, a);
}

}  // namespace

template <class T>
void axpy(HipStream stream, SameAs<T> alpha, View<const SameAs<T>> x, View<T> y) {
  require(x.size() == y.size(), "axpy", x.size(), " entries of x, ", y.size(), " of y");
  Launch<decltype(&kernels::axpy<T>)>::go(scope_of(stream, "axpy"), choose<T>(Kernel::axpy_d, Kernel::axpy_s),
                                          vector_grid(y.size()), y.size(), alpha, x.data(), y.data());
}

template <class T>
void gemm(HipStream stream, Op op_a, Op op_b, SameAs<T> alpha, Tile<const SameAs<T>> a, Tile<const SameAs<T>> b,
          SameAs<T> beta, Tile<T> c) {
  const bool ta = op_a == Op::transposed, tb = op_b == Op::transposed;
  require((ta ? a.cols() : a.rows()) == c.rows() && (tb ? b.rows() : b.cols()) == c.cols() &&
              (ta ? a.rows() : a.cols()) == (tb ? b.cols() : b.rows()),
          "gemm", "A ", shape(a), ta ? " transposed" : "", ", B ", shape(b), tb ? " transposed" : "", ", C ", shape(c));
  start_gemm<T>(scope_of(stream, "gemm"), op_a, op_b, alpha, a, b, beta, c);
}

template <class T>
void syrk(HipStream stream, SameAs<T> alpha, Tile<const SameAs<T>> a, SameAs<T> beta, Tile<T> c) {
  require(c.rows() == c.cols() && a.rows() == c.rows(), "syrk", "A ", shape(a), ", C ", shape(c));
  start_syrk<T>(scope_of(stream, "syrk"), alpha, a, beta, c);
}

template <class T>
void trsm(HipStream stream, Tile<const SameAs<T>> l, Tile<T> b) {
  require(l.rows() == l.cols() && l.cols() == b.cols(), "trsm", "L ", shape(l), ", B ", shape(b));
  start_trsm<T>(scope_of(stream, "trsm"), l, b);
}

template <class T>
void potrf(HipStream stream, Tile<T> a) {
  require(a.rows() == a.cols(), "potrf", "A ", shape(a));
  start_potrf<T>(scope_of(stream, "potrf"), a);
}

template <class T>
void stencil3(HipStream stream, SameAs<T> center, SameAs<T> side, View<const SameAs<T>> in, View<T> out) {
  require(in.size() == out.size(), "stencil3", in.size(), " entries of in, ", out.size(), " of out");
  Launch<decltype(&kernels::stencil3<T>)>::go(scope_of(stream, "stencil3"),
                                              choose<T>(Kernel::stencil3_d, Kernel::stencil3_s),
                                              vector_grid(out.size()), out.size(), center, side, in.data(), out.data());
}

template <class T>
void stencil5(HipStream stream, SameAs<T> center, SameAs<T> side, Tile<const SameAs<T>> in, Tile<T> out) {
  require(in.rows() == out.rows() && in.cols() == out.cols(), "stencil5", "in ", shape(in), ", out ", shape(out));
  const Grid grid{ceil_div(out.rows(), kernels::kStencilRows), ceil_div(out.cols(), kernels::kStencilColumns)};
  Launch<decltype(&kernels::stencil5<T>)>::go(scope_of(stream, "stencil5"),
                                              choose<T>(Kernel::stencil5_d, Kernel::stencil5_s), grid, out.rows(),
                                              out.cols(), center, side, in.data(), in.ld(), out.data(), out.ld());
}

MITRA_HIP_KERNEL_INSTANCES

}  // namespace mitra::hip
