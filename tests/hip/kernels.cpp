// The kernels, run as their twins through the driver, against plain loops; sizes that are no multiples of a tile.
#include <algorithm>
#include <cmath>
#include <limits>

#include <mitra/error.hpp>

#include "backends/hip/kernels/list.hpp"
#include "plain.hpp"
#include "rig.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

struct Device {
  Device() { REQUIRE(rig.driver->attach(0).ok()); }
  ~Device() { rig.end_cleanly(); }
  template <class Body>
  void run(Body body) {
    std::string thrown;
    const DeviceResult result = rig.run(body, 0, &thrown);
    INFO(result.text << " " << thrown);
    CHECK(result.ok());
    CHECK(thrown.empty());
  }
  HipRig rig;
};

template <class T>
void check_gemm(std::size_t m, std::size_t n, std::size_t k, bool ta, bool tb, T alpha, T beta) {
  INFO(m << " x " << n << " x " << k << (ta ? " A^T" : "") << (tb ? " B^T" : "") << " alpha " << alpha << " beta "
         << beta);
  Device device;
  const std::size_t rows_a = ta ? k : m, cols_a = ta ? m : k, rows_b = tb ? n : k, cols_b = tb ? k : n;
  const std::size_t lda = rows_a + 3, ldb = rows_b, ldc = m + 1;
  const auto a = random_numbers<T>(lda * cols_a, 1), b = random_numbers<T>(ldb * cols_b, 2);
  auto c = random_numbers<T>(ldc * n, 3);
  if (beta == T(0)) c[0] = std::numeric_limits<T>::quiet_NaN();
  const T* const da = device.rig.upload(a);
  const T* const db = device.rig.upload(b);
  T* const dc = device.rig.upload(c);
  using hip::Op;
  device.run([&](HipStream s) {
    hip::gemm<T>(s, ta ? Op::transposed : Op::none, tb ? Op::transposed : Op::none, alpha, {da, rows_a, cols_a, lda},
                 {db, rows_b, cols_b, ldb}, beta, {dc, m, n, ldc});
  });
  plain_gemm<T>(ta, tb, alpha, {a.data(), rows_a, cols_a, lda}, {b.data(), rows_b, cols_b, ldb}, beta,
                {c.data(), m, n, ldc});
  CHECK(difference(device.rig.download(dc, c.size()), c) < tolerance<T>());
}

}  // namespace

TEMPLATE_TEST_CASE("hip kernels: axpy", "", double, float) {
  using T = TestType;
  for (const std::size_t n : {0U, 1U, 255U, 256U, 257U, 100'000U, 2'000'001U}) {
    Device device;
    const auto x = random_numbers<T>(std::max<std::size_t>(n, 1), 1);
    auto y = random_numbers<T>(std::max<std::size_t>(n, 1), 2);
    const T* const dx = device.rig.upload(x);
    T* const dy = device.rig.upload(y);
    device.run([&](HipStream s) { hip::axpy<T>(s, T(0.5), View<const T>(dx, n), View<T>(dy, n)); });
    for (std::size_t i = 0; i < n; ++i) y[i] += T(0.5) * x[i];
    CHECK(device.rig.download(dy, y.size()) == y);
  }
}

TEMPLATE_TEST_CASE("hip kernels: gemm, all transposes, sizes around the tile", "", double, float) {
  using T = TestType;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      check_gemm<T>(1, 1, 1, ta, tb, T(1), T(0));
      check_gemm<T>(65, 63, 17, ta, tb, T(-1), T(1));
      check_gemm<T>(130, 70, 33, ta, tb, T(0.5), T(-2));
      check_gemm<T>(7, 129, 5, ta, tb, T(2), T(0));
    }
  check_gemm<T>(64, 64, 64, false, true, T(-1), T(1));
  check_gemm<T>(20, 20, 0, false, true, T(1), T(0.5));
}

TEMPLATE_TEST_CASE("hip kernels: gemm without matrix cores", "", double, float) {
  using T = TestType;
  using namespace hip::kernels;
  const std::size_t m = 70, n = 100, k = 37;
  const auto a = random_numbers<T>(m * k, 1), b = random_numbers<T>(n * k, 2);
  for (const bool lower : {false, true}) {
    auto c = random_numbers<T>(m * n, 3), expected = c;
    for (unsigned y = 0; y < 2; ++y)
      for (unsigned x = 0; x < 2; ++x)
        gemm<T, false>(Block<kGemmThreads>(x, y, 2), m, n, k, T(-1), {a.data(), m, 0}, {b.data(), n, 1}, T(1), c.data(),
                       m, lower);
    plain_gemm<T>(false, true, T(-1), {a.data(), m, k, m}, {b.data(), n, k, n}, T(1), {expected.data(), m, n, m},
                  lower);
    CHECK(difference(c, expected) < tolerance<T>());
  }
}

TEMPLATE_TEST_CASE("hip kernels: syrk leaves what is above the diagonal", "", double, float) {
  using T = TestType;
  for (const std::size_t n : {1U, 33U, 64U, 150U}) {
    INFO(n);
    Device device;
    const std::size_t k = 21, ldc = n + 2;
    const auto a = random_numbers<T>(n * k, 1);
    auto c = random_numbers<T>(n * ldc, 2);
    const T* const da = device.rig.upload(a);
    T* const dc = device.rig.upload(c);
    device.run([&](HipStream s) { hip::syrk_subtract<T>(s, {da, n, k, n}, {dc, n, n, ldc}); });
    plain_gemm<T>(false, true, T(-1), {a.data(), n, k, n}, {a.data(), n, k, n}, T(1), {c.data(), n, n, ldc}, true);
    CHECK(difference(device.rig.download(dc, c.size()), c) < tolerance<T>());
  }
}

TEMPLATE_TEST_CASE("hip kernels: trsm solves X L^T = B", "", double, float) {
  using T = TestType;
  for (const auto& [m, n] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {70, 31}, {64, 32}, {33, 33}, {5, 100}, {100, 97}}) {
    INFO(m << " x " << n);
    Device device;
    const std::size_t ldl = n + 1, ldb = m + 3;
    const auto l = triangle<T>(n, ldl, 1);
    auto b = random_numbers<T>(ldb * n, 2);
    const T* const dl = device.rig.upload(l);
    T* const db = device.rig.upload(b);
    device.run([&](HipStream s) { hip::trsm<T>(s, {dl, n, n, ldl}, {db, m, n, ldb}); });
    plain_trsm<T>({l.data(), n, n, ldl}, {b.data(), m, n, ldb});
    CHECK(difference(device.rig.download(db, b.size()), b) < tolerance<T>());
  }
}

TEMPLATE_TEST_CASE("hip kernels: potrf factorises the lower triangle", "", double, float) {
  using T = TestType;
  for (const std::size_t n : {1U, 2U, 31U, 32U, 33U, 64U, 95U, 130U}) {
    INFO(n);
    Device device;
    const std::size_t ld = n + 2;
    // A = L L^T of a known L; above the diagonal lies something else, which has to stay.
    const auto l = triangle<T>(n, ld, 5);
    auto a = random_numbers<T>(n * ld, 6);
    auto expected = a;
    plain_product<T>({l.data(), n, n, ld}, {a.data(), n, n, ld});
    for (std::size_t j = 0; j < n; ++j) std::copy(&l[j + j * ld], &l[n + j * ld], &expected[j + j * ld]);
    T* const da = device.rig.upload(a);
    device.run([&](HipStream s) { hip::potrf<T>(s, {da, n, n, ld}); });
    CHECK(difference(device.rig.download(da, a.size()), expected) < tolerance<T>());
  }
}

TEST_CASE("hip kernels: where a matrix is not positive definite, potrf says NaN") {
  Device device;
  std::vector<double> a(40 * 40);
  for (std::size_t i = 0; i < 40; ++i) a[i * 41] = i == 35 ? -1.0 : 1.0;
  double* const da = device.rig.upload(a);
  device.run([&](HipStream s) { hip::potrf<double>(s, {da, 40, 40, 40}); });
  const auto l = device.rig.download(da, a.size());
  CHECK(l[34 * 41] == 1.0);
  CHECK(std::isnan(l[35 * 41]));
}

TEMPLATE_TEST_CASE("hip kernels: stencils keep their borders", "", double, float) {
  using T = TestType;
  for (const auto& [rows, cols] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {1, 50}, {2, 2}, {3, 3}, {64, 4}, {65, 5}, {130, 37}}) {
    INFO(rows << " x " << cols);
    Device device;
    const std::size_t ld = rows + 1;
    const auto in = random_numbers<T>(ld * cols, 1);
    auto out = random_numbers<T>(ld * cols, 2);
    const T* const din = device.rig.upload(in);
    T* const dout = device.rig.upload(out);
    device.run([&](HipStream s) {
      hip::stencil5<T>(s, T(0.5), T(0.125), {din, rows, cols, ld}, {dout, rows, cols, ld});
    });
    for (std::size_t j = 0; j < cols; ++j)
      for (std::size_t i = 0; i < rows; ++i) {
        const bool inside = i > 0 && j > 0 && i + 1 < rows && j + 1 < cols;
        const T* at = &in[i + j * ld];
        out[i + j * ld] = inside ? T(0.5) * at[0] + T(0.125) * (at[-1] + at[1] + *(at - ld) + at[ld]) : at[0];
      }
    CHECK(difference(device.rig.download(dout, out.size()), out) < 1e-5);
  }
  for (const std::size_t n : {1U, 2U, 3U, 257U, 1000U}) {
    Device device;
    const auto in = random_numbers<T>(n, 1);
    auto out = in;
    const T* const din = device.rig.upload(in);
    T* const dout = device.rig.upload(std::vector<T>(n));
    device.run([&](HipStream s) { hip::stencil3<T>(s, T(0.5), T(0.25), View<const T>(din, n), View<T>(dout, n)); });
    for (std::size_t i = 1; i + 1 < n; ++i) out[i] = T(0.5) * in[i] + T(0.25) * (in[i - 1] + in[i + 1]);
    CHECK(difference(device.rig.download(dout, n), out) < 1e-5);
  }
}

TEST_CASE("hip kernels: shapes that do not fit, and calls from elsewhere, are misuse") {
  Device device;
  std::string thrown;
  double* const x = device.rig.upload(std::vector<double>(100));
  CHECK(device.rig
            .run(
                [&](HipStream s) {
                  hip::gemm_subtract<double>(s, {x, 2, 3, 2}, {x, 4, 2, 4}, {x, 2, 4, 2});
                },
                0, &thrown)
            .ok());
  CHECK_THAT(thrown, contains("mitra::hip::gemm: shapes do not fit: A 2 x 3, B 4 x 2 transposed, C 2 x 4"));
  CHECK(device.rig.run([&](HipStream s) { hip::potrf<double>(s, {x, 2, 3, 2}); }, 0, &thrown).ok());
  CHECK_THAT(thrown, contains("potrf: shapes do not fit: A 2 x 3"));
  CHECK_THROWS_WITH(hip::potrf<double>({}, {x, 2, 2, 2}), contains("outside of a .hip body"));
  CHECK(device.rig.run([&](HipStream) { hip::potrf<double>({}, {x, 2, 2, 2}); }, 0, &thrown).ok());
  CHECK_THAT(thrown, contains("another stream than the body's"));
}

TEST_CASE("hip kernels: a device that no kernel was compiled for says so") {
  HipRig rig;
  REQUIRE(rig.driver->attach(0).ok());
  rig.hip.add_fault({"hipModuleLoadData", 1, hipErrorNoBinaryForGpu});
  double* const x = rig.upload(std::vector<double>(4, 1.0));
  std::string thrown;
  const DeviceResult result = rig.run([&](HipStream s) { hip::potrf<double>(s, {x, 2, 2, 2}); }, 0, &thrown);
  CHECK(result.status == DeviceStatus::failed);
  CHECK_THAT(result.text, contains("MITRA_HIP_TARGETS"));
  CHECK(thrown == result.text);
}

TEST_CASE("hip kernels: a body that meets the loss of its device does not fail: the driver tells") {
  HipRig rig;
  REQUIRE(rig.driver->attach(0).ok());
  double* const x = rig.upload(std::vector<double>(4, 1.0));
  rig.hip.add_fault({"hipModuleLaunchKernel", 2, hipErrorLaunchFailure, -1, false});
  std::string thrown;
  bool ended = false;
  const auto body = [&](HipStream s) {
    for (int i = 0; i < 5; ++i) hip::axpy<double>(s, 1.0, View<const double>(x, 4), View<double>(x, 4));
    ended = true;
  };
  CHECK(rig.run(body, 0, &thrown).status == DeviceStatus::lost);
  CHECK(thrown.empty());
  CHECK(ended);
  CHECK(rig.hip.calls("hipModuleLaunchKernel") == 2);
}

TEST_CASE("hip kernels: an address of the host, or of another device, is the end of the device") {
  HipDoubleOptions hardware;
  hardware.peers = [](int, int) { return false; };
  for (const bool hosts : {true, false}) {
    HipRig rig(hardware);
    REQUIRE(rig.driver->attach(0).ok());
    REQUIRE(rig.driver->attach(1).ok());
    double here[4]{};
    double* const there = rig.upload(std::vector<double>(4), 1);
    double* const x = hosts ? here : there;
    const DeviceResult result =
        rig.run([&](HipStream s) { hip::axpy<double>(s, 1.0, View<const double>(x, 4), View<double>(x, 4)); });
    CHECK(result.status == DeviceStatus::lost);
  }
}
