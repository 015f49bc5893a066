// Launches Mitra's kernels from the bodies of tasks.
// Flow: codelet -> [hip kernels] -> kernel module -> hipModuleLaunchKernel. Thread-safety: the device's own thread.
#include <algorithm>
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
void start_gemm(LaunchScope& scope, Op op_a, Op op_b, T alpha, Tile<const T> a, Tile<const T> b, T beta, Tile<T> c,
                bool lower) {
  const std::size_t k = op_a == Op::none ? a.cols() : a.rows();
  const Operand<T> left{a.data(), a.ld(), op_a == Op::transposed}, right{b.data(), b.ld(), op_b == Op::transposed};
  const Grid grid{ceil_div(c.rows(), kernels::kGemmTile), ceil_div(c.cols(), kernels::kGemmTile)};
  Launch<decltype(&kernels::gemm<T>)>::go(scope, choose<T>(Kernel::gemm_d, Kernel::gemm_s), grid, c.rows(), c.cols(), k,
                                          alpha, left, right, beta, c.data(), c.ld(), lower);
}

/// Right-looking: each block of columns is solved, then taken out of those behind it.
template <class T>
void start_trsm(LaunchScope& scope, Tile<const T> l, Tile<T> b) {
  for (std::size_t j = 0; j < b.cols(); j += kernels::kTriangle) {
    const std::size_t width = std::min<std::size_t>(kernels::kTriangle, b.cols() - j), behind = b.cols() - j - width;
    Launch<decltype(&kernels::trsm_rows<T>)>::go(scope, choose<T>(Kernel::trsm_rows_d, Kernel::trsm_rows_s),
                                                 {ceil_div(b.rows(), kernels::kTrsmRows), 1}, b.rows(), width,
                                                 l.data() + j + j * l.ld(), l.ld(), b.data() + j * b.ld(), b.ld());
    if (behind == 0) continue;
    start_gemm<T>(scope, Op::none, Op::transposed, T(-1),
                  part<const T>({b.data(), b.rows(), b.cols(), b.ld()}, 0, j, b.rows(), width),
                  part(l, j + width, j, behind, width), T(1), part(b, 0, j + width, b.rows(), behind), false);
  }
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
  start_gemm<T>(scope_of(stream, "gemm"), op_a, op_b, alpha, a, b, beta, c, false);
}

template <class T>
void syrk(HipStream stream, SameAs<T> alpha, Tile<const SameAs<T>> a, SameAs<T> beta, Tile<T> c) {
  require(c.rows() == c.cols() && a.rows() == c.rows(), "syrk", "A ", shape(a), ", C ", shape(c));
  start_gemm<T>(scope_of(stream, "syrk"), Op::none, Op::transposed, alpha, a, a, beta, c, true);
}

template <class T>
void trsm(HipStream stream, Tile<const SameAs<T>> l, Tile<T> b) {
  require(l.rows() == l.cols() && l.cols() == b.cols(), "trsm", "L ", shape(l), ", B ", shape(b));
  start_trsm<T>(scope_of(stream, "trsm"), l, b);
}

template <class T>
void potrf(HipStream stream, Tile<T> a) {
  require(a.rows() == a.cols(), "potrf", "A ", shape(a));
  LaunchScope& scope = scope_of(stream, "potrf");
  const std::size_t n = a.rows();
  for (std::size_t j = 0; j < n; j += kernels::kTriangle) {
    const std::size_t width = std::min<std::size_t>(kernels::kTriangle, n - j), below = n - j - width;
    Launch<decltype(&kernels::potf2<T>)>::go(scope, choose<T>(Kernel::potf2_d, Kernel::potf2_s), {1, 1}, width,
                                             a.data() + j + j * a.ld(), a.ld());
    if (below == 0) continue;
    const Tile<const T> diagonal(a.data() + j + j * a.ld(), width, width, a.ld());
    const Tile<T> panel = part(a, j + width, j, below, width);
    const Tile<const T> solved(panel.data(), below, width, a.ld());
    start_trsm<T>(scope, diagonal, panel);
    start_gemm<T>(scope, Op::none, Op::transposed, T(-1), solved, solved, T(1),
                  part(a, j + width, j + width, below, below), true);
  }
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
