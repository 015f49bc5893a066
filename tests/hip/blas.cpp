// rocBLAS in place of Mitra's kernels where tiles are large: what it is called with, on which handle, and what its errors do.
#include <algorithm>
#include <set>

#include <mitra/error.hpp>

#include "backends/hip/blas_handles.hpp"
#include "plain.hpp"
#include "rig.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

HipDoubleOptions with_blas(HipDoubleOptions hardware = {}) {
  hardware.blas = true;
  return hardware;
}
/// Sizes of 16 are large.
HipOptions from_16() {
  HipOptions options = small_options();
  options.blas_from = 16;
  return options;
}

/// A device whose kernels were these, as the double names them.
struct Device {
  explicit Device(HipDoubleOptions hardware = with_blas(), const HipOptions& options = from_16()) : rig(std::move(hardware), options) {
    REQUIRE(rig.driver->attach(0).ok());
  }
  /// @returns The kernels that the body has enqueued.
  template <class Body>
  std::multiset<std::string> kernels_of(Body body) {
    const std::size_t before = rig.hip.executed().size();
    std::string thrown;
    const DeviceResult result = rig.run(body, 0, &thrown);
    INFO(result.text << " " << thrown);
    CHECK(result.ok());
    CHECK(thrown.empty());
    std::multiset<std::string> kernels;
    const auto executed = rig.hip.executed();
    for (std::size_t i = before; i < executed.size(); ++i)
      if (executed[i].kind == HipDouble::Executed::Kind::kernel) kernels.insert(executed[i].kernel);
    return kernels;
  }
  HipRig rig;
};

using Kernels = std::multiset<std::string>;

template <class T>
std::string blas(const char* name) {
  return std::string("rocblas_") + (sizeof(T) == 8 ? "d" : "s") + name;
}

/// C -= A A^T of order 40, with a handle that is made by the way.
struct Update {
  explicit Update(HipRig& rig, unsigned device = 0)
      : a(rig.upload(std::vector<double>(1600, 1.0), device)), c(rig.upload(std::vector<double>(1600, 1.0), device)) {}
  void operator()(HipStream s) const { hip::syrk_subtract<double>(s, {a, 40, 40, 40}, {c, 40, 40, 40}); }
  double* a;
  double* c;
};

}  // namespace

TEMPLATE_TEST_CASE("hip blas: gemm, all transposes, with gaps between columns", "", double, float) {
  using T = TestType;
  using hip::Op;
  Device device;
  const std::size_t m = 33, n = 70, k = 18;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const T beta : {T(0), T(-2)}) {
        INFO((ta ? "A^T " : "A ") << (tb ? "B^T" : "B") << " beta " << beta);
        const std::size_t rows_a = ta ? k : m, cols_a = ta ? m : k, rows_b = tb ? n : k, cols_b = tb ? k : n;
        const std::size_t lda = rows_a + 3, ldb = rows_b + 2, ldc = m + 1;
        const auto a = random_numbers<T>(lda * cols_a, 1), b = random_numbers<T>(ldb * cols_b, 2);
        auto c = random_numbers<T>(ldc * n, 3);
        if (beta == T(0)) c[0] = std::numeric_limits<T>::quiet_NaN();
        const T* const da = device.rig.upload(a);
        const T* const db = device.rig.upload(b);
        T* const dc = device.rig.upload(c);
        CHECK(device.kernels_of([&](HipStream s) {
          hip::gemm<T>(s, ta ? Op::transposed : Op::none, tb ? Op::transposed : Op::none, T(0.5), {da, rows_a, cols_a, lda},
                       {db, rows_b, cols_b, ldb}, beta, {dc, m, n, ldc});
        }) == Kernels{blas<T>("gemm")});
        plain_gemm<T>(ta, tb, T(0.5), {a.data(), rows_a, cols_a, lda}, {b.data(), rows_b, cols_b, ldb}, beta,
                      {c.data(), m, n, ldc});
        CHECK(difference(device.rig.download(dc, c.size()), c) < tolerance<T>());
      }
  device.rig.end_cleanly();
}

TEMPLATE_TEST_CASE("hip blas: syrk leaves what is above the diagonal", "", double, float) {
  using T = TestType;
  Device device;
  const std::size_t n = 50, k = 21, lda = n + 4, ldc = n + 2;
  const auto a = random_numbers<T>(lda * k, 1);
  auto c = random_numbers<T>(ldc * n, 2);
  const T* const da = device.rig.upload(a);
  T* const dc = device.rig.upload(c);
  CHECK(device.kernels_of([&](HipStream s) { hip::syrk<T>(s, T(-1.5), {da, n, k, lda}, T(0.5), {dc, n, n, ldc}); }) ==
        Kernels{blas<T>("syrk")});
  plain_gemm<T>(false, true, T(-1.5), {a.data(), n, k, lda}, {a.data(), n, k, lda}, T(0.5), {c.data(), n, n, ldc}, true);
  CHECK(difference(device.rig.download(dc, c.size()), c) < tolerance<T>());
  device.rig.end_cleanly();
}

TEMPLATE_TEST_CASE("hip blas: trsm solves X L^T = B", "", double, float) {
  using T = TestType;
  Device device;
  for (const auto& [m, n] : {std::pair<std::size_t, std::size_t>{16, 16}, {20, 90}, {90, 37}}) {
    INFO(m << " x " << n);
    const std::size_t ldl = n + 1, ldb = m + 3;
    const auto l = triangle<T>(n, ldl, 1);
    auto b = random_numbers<T>(ldb * n, 2);
    const T* const dl = device.rig.upload(l);
    T* const db = device.rig.upload(b);
    CHECK(device.kernels_of([&, rows = m, cols = n](HipStream s) { hip::trsm<T>(s, {dl, cols, cols, ldl}, {db, rows, cols, ldb}); }) ==
          Kernels{blas<T>("trsm")});
    plain_trsm<T>({l.data(), n, n, ldl}, {b.data(), m, n, ldb});
    CHECK(difference(device.rig.download(db, b.size()), b) < tolerance<T>());
  }
  device.rig.end_cleanly();
}

TEMPLATE_TEST_CASE("hip blas: potrf has panels of its own, and leaves the rest", "", double, float) {
  using T = TestType;
  HipOptions options = small_options();
  options.blas_from = 64;
  Device device(with_blas(), options);
  for (const std::size_t n : {64U, 256U, 330U, 600U}) {
    INFO(n);
    const std::size_t ld = n + 2;
    const auto l = triangle<T>(n, ld, 5);
    auto a = random_numbers<T>(n * ld, 6);
    auto expected = a;
    plain_product<T>({l.data(), n, n, ld}, {a.data(), n, n, ld});
    for (std::size_t j = 0; j < n; ++j) std::copy(&l[j + j * ld], &l[n + j * ld], &expected[j + j * ld]);
    T* const da = device.rig.upload(a);
    const Kernels kernels = device.kernels_of([&](HipStream s) { hip::potrf<T>(s, {da, n, n, ld}); });
    // Behind the panels of 256 columns: 74 of 330; 344 and 88 of 600.
    const std::size_t behind = n == 330 ? 1 : n == 600 ? 2 : 0;
    CHECK(kernels.count(blas<T>("trsm")) == behind);
    CHECK(kernels.count(blas<T>("syrk")) == behind);
    CHECK(kernels.count(sizeof(T) == 8 ? "mitra_potf2_d" : "mitra_potf2_s") == (n + 31) / 32);
    CHECK(difference(device.rig.download(da, a.size()), expected) < tolerance<T>());
  }
  device.rig.end_cleanly();
}

TEST_CASE("hip blas: where a matrix is not positive definite, potrf says NaN in the rows that follow, too") {
  HipOptions options = small_options();
  options.blas_from = 64;
  Device device(with_blas(), options);
  const std::size_t n = 400;
  std::vector<double> a(n * n);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < n; ++i) a[i + j * n] = i == j ? (i == 100 ? -1.0 : 2.0) : 0.001;
  double* const da = device.rig.upload(a);
  CHECK(device.kernels_of([&](HipStream s) { hip::potrf<double>(s, {da, n, n, n}); }).count("rocblas_dtrsm") == 1);
  const auto l = device.rig.download(da, a.size());
  CHECK(!std::isnan(l[99 * (n + 1)]));
  CHECK(std::isnan(l[100 * (n + 1)]));
  CHECK(std::isnan(l[399 * (n + 1)]));
}

TEST_CASE("hip blas: what is small in one direction is left to Mitra's kernels") {
  Device device;
  double* const x = device.rig.upload(std::vector<double>(4000, 1.0));
  const auto gemm = [&](std::size_t m, std::size_t n, std::size_t k) {
    return device.kernels_of([&](HipStream s) {
      hip::gemm_subtract<double>(s, {x, m, k, m}, {x + 1000, n, k, n}, {x + 2000, m, n, m});
    });
  };
  CHECK(gemm(16, 16, 16) == Kernels{"rocblas_dgemm"});
  CHECK(gemm(15, 16, 16) == Kernels{"mitra_gemm_d"});
  CHECK(gemm(16, 15, 16) == Kernels{"mitra_gemm_d"});
  CHECK(gemm(16, 16, 15) == Kernels{"mitra_gemm_d"});
  CHECK(gemm(16, 16, 0) == Kernels{"mitra_gemm_d"});
  CHECK(gemm(0, 16, 16).empty());
  const auto trsm = [&](std::size_t m, std::size_t n) {
    return device.kernels_of([&](HipStream s) { hip::trsm<double>(s, {x, n, n, n}, {x + 1000, m, n, m}); });
  };
  CHECK(trsm(16, 16) == Kernels{"rocblas_dtrsm"});
  CHECK(trsm(15, 16) == Kernels{"mitra_trsm_rows_d"});
  CHECK(trsm(16, 15) == Kernels{"mitra_trsm_rows_d"});
  const auto syrk = [&](std::size_t n, std::size_t k) {
    return device.kernels_of([&](HipStream s) { hip::syrk_subtract<double>(s, {x, n, k, n}, {x + 1000, n, n, n}); });
  };
  CHECK(syrk(16, 16) == Kernels{"rocblas_dsyrk"});
  CHECK(syrk(15, 16) == Kernels{"mitra_gemm_d"});
  CHECK(syrk(16, 15) == Kernels{"mitra_gemm_d"});
  device.rig.end_cleanly();
}

TEST_CASE("hip blas: what 32 bits do not count is left to Mitra's kernels") {
  const hip::Blas any{};
  const HipDouble hardware;
  const auto functions = hardware.functions();
  const hip::BlasHandles blas(*functions, &any, 0, 16);
  constexpr std::size_t kMost = 0x7fffffff;
  CHECK(blas.takes({16, kMost}, {kMost}));
  CHECK(!blas.takes({16, kMost + 1}, {16}));
  CHECK(!blas.takes({16, 16}, {16, kMost + 1}));
}

TEST_CASE("hip blas: each stream has a handle, which is made once") {
  HipRig rig(with_blas(), from_16());
  REQUIRE(rig.driver->attach(0).ok());
  REQUIRE(rig.driver->attach(1).ok());
  CHECK(rig.hip.calls("rocblas_create_handle") == 0);
  std::multiset<const void*> streams;
  for (int round = 0; round < 2; ++round)
    for (const unsigned device : {0U, 1U}) {
      REQUIRE(rig.driver->attach(device).ok());
      for (unsigned stream = 0; stream < 3; ++stream) {
        struct Argument {
          Update update;
          const void* stream = nullptr;
        } argument{Update(rig, device)};
        REQUIRE(rig.driver
                    ->launch(device, stream, {[](void* a, void* s) noexcept {
                                                auto& self = *static_cast<Argument*>(a);
                                                self.stream = s;
                                                self.update({s});
                                              },
                                              &argument, 1})
                    .ok());
        CHECK(rig.ended(1, device)[0].result.ok());
        CHECK(rig.hip.executed().back().kernel == "rocblas_dsyrk");
        CHECK(rig.hip.executed().back().stream == argument.stream);
        CHECK(rig.hip.executed().back().device == static_cast<int>(device));
        streams.insert(argument.stream);
      }
    }
  CHECK(std::set<const void*>(streams.begin(), streams.end()).size() == 6);
  CHECK(rig.hip.calls("rocblas_create_handle") == 6);
  CHECK(rig.hip.calls("rocblas_set_stream") == 6);
  CHECK(rig.hip.calls("rocblas_destroy_handle") == 0);
  rig.end_cleanly();
  CHECK(rig.hip.calls("rocblas_destroy_handle") == 6);
}

TEST_CASE("hip blas: an error of the library fails its task with its words, and the device works on") {
  Device device;
  HipRig& rig = device.rig;
  const Update update(rig);
  REQUIRE(rig.run(update).ok());
  rig.hip.add_fault({"rocblas_dsyrk", 1, hipErrorNotSupported});
  std::string thrown;
  const std::size_t executed = rig.hip.executed().size();
  const DeviceResult result = rig.run(
      [&](HipStream s) {
        try {
          update(s);
        } catch (const Error&) {
          update(s);  // nothing is launched after a failure
          throw;
        }
      },
      0, &thrown);
  CHECK(result.status == DeviceStatus::failed);
  CHECK_THAT(result.text, contains("rocblas_dsyrk on device 0: rocblas_status_not_implemented (HIP: hipErrorOfTheDouble)"));
  CHECK(thrown == result.text);
  CHECK(rig.hip.executed().size() == executed);
  CHECK(rig.run(update).ok());
  rig.end_cleanly();
}

TEST_CASE("hip blas: where there is no memory for a handle, that stream has Mitra's kernels") {
  Device device;
  device.rig.hip.add_fault({"rocblas_create_handle", 1, hipErrorOutOfMemory});
  const Update update(device.rig);
  CHECK(device.kernels_of(update) == Kernels{"mitra_gemm_d"});
  CHECK(device.kernels_of(update) == Kernels{"mitra_gemm_d"});
  CHECK(device.rig.hip.calls("rocblas_create_handle") == 1);
  device.rig.end_cleanly();
}

TEST_CASE("hip blas: a handle that cannot be made or set up fails the task, and is tried again") {
  for (const char* function : {"rocblas_create_handle", "rocblas_set_stream", "rocblas_set_atomics_mode"}) {
    INFO(function);
    Device device;
    device.rig.hip.add_fault({function, 1, hipErrorNotSupported});
    const Update update(device.rig);
    const DeviceResult result = device.rig.run(update);
    CHECK(result.status == DeviceStatus::failed);
    CHECK_THAT(result.text, contains(std::string(function) + " on device 0: rocblas_status_not_implemented"));
    CHECK(device.kernels_of(update) == Kernels{"rocblas_dsyrk"});
    CHECK(device.rig.hip.calls("rocblas_create_handle") == (std::string(function) == "rocblas_create_handle" ? 2U : 1U));
    device.rig.end_cleanly();
  }
}

TEST_CASE("hip blas: what the library has tried on its way fails no task") {
  HipDoubleOptions hardware = with_blas();
  hardware.blas_degraded = true;
  Device device(hardware);
  CHECK(device.kernels_of(Update(device.rig)) == Kernels{"rocblas_dsyrk"});
  device.rig.end_cleanly();
}

TEST_CASE("hip blas: what the body has left as HIP's last error fails its task also where rocBLAS comes after it") {
  Device device;
  const auto functions = device.rig.hip.functions();
  const Update update(device.rig);
  const DeviceResult result = device.rig.run([&](HipStream s) {
    static_cast<void>(functions->hipModuleLoadData(nullptr, nullptr));
    update(s);
  });
  CHECK(result.status == DeviceStatus::failed);
  CHECK_THAT(result.text, contains("a task on device 0: hipErrorInvalidValue"));
  CHECK(device.rig.hip.calls("rocblas_dsyrk") == 0);
  device.rig.end_cleanly();
}

TEST_CASE("hip blas: a loss is no failure of the body, and a lost device is asked nothing") {
  for (const std::string function : {"rocblas_create_handle", "rocblas_set_stream", "rocblas_set_atomics_mode", "rocblas_dsyrk"}) {
    INFO(function);
    Device device;
    HipRig& rig = device.rig;
    const Update update(rig);
    rig.hip.add_fault({function, 1, hipErrorECCNotCorrectable});
    std::string thrown;
    const DeviceResult result = rig.run(
        [&](HipStream s) {
          update(s);
          update(s);
        },
        0, &thrown);
    CHECK(result.status == DeviceStatus::lost);
    CHECK_THAT(result.text, contains(function + " on device 0: hipErrorECCNotCorrectable"));
    CHECK(thrown.empty());
    CHECK(rig.hip.calls("rocblas_dsyrk") <= 1);
    rig.driver.reset();
    CHECK(rig.hip.calls("rocblas_destroy_handle") == 0);
  }
}

TEST_CASE("hip blas: a device whose loss the destructor finds out is asked nothing more") {
  Device device;
  HipRig& rig = device.rig;
  REQUIRE(rig.run(Update(rig)).ok());
  rig.hip.lose(0, hipErrorECCNotCorrectable);
  rig.driver.reset();
  CHECK(rig.hip.calls("rocblas_destroy_handle") == 0);
  CHECK(rig.hip.calls("hipModuleUnload") == 0);
  CHECK(rig.hip.calls("hipStreamDestroy") == 0);
}

TEST_CASE("hip blas: a kernel that dies later takes its device with it") {
  Device device;
  HipRig& rig = device.rig;
  const Update update(rig);
  REQUIRE(rig.run(update).ok());
  rig.hip.add_fault({"kernel", 1, hipErrorIllegalAddress});
  CHECK(rig.run(update).status == DeviceStatus::lost);
  rig.driver.reset();
  CHECK(rig.hip.calls("rocblas_destroy_handle") == 0);
  CHECK(rig.hip.complaints() == std::vector<std::string>());
}

TEST_CASE("hip blas: every error at every early call: what was started ends once") {
  std::vector<std::string> functions{"kernel", "hipStreamQuery", "hipEventRecord", "hipModuleLaunchKernel"};
#define MITRA_NAME(Result, name, parameters) functions.push_back(#name);
  MITRA_BLAS_FUNCTIONS(MITRA_NAME)
#undef MITRA_NAME
  std::size_t lost = 0, failed = 0;
  for (const std::string& function : functions)
    for (const hipError_t error : {hipErrorOutOfMemory, hipErrorNotSupported, hipErrorLaunchFailure})
      for (std::uint64_t call = 1; call <= 3; ++call) {
        INFO(function << " call " << call << " error " << error);
        HipDoubleOptions hardware = with_blas();
        hardware.seed = call;
        Device device(hardware);
        HipRig& rig = device.rig;
        struct Argument {
          double *a, *b;
          static void run(void* argument, void* stream) noexcept {
            const auto& [a, b] = *static_cast<Argument*>(argument);
            const HipStream s{stream};
            try {
              hip::potrf<double>(s, {a, 20, 20, 20});
              hip::trsm<double>(s, {a, 20, 20, 20}, {b, 20, 20, 20});
              hip::syrk_subtract<double>(s, {b, 20, 20, 20}, {a, 20, 20, 20});
              hip::gemm_subtract<double>(s, {b, 20, 20, 20}, {b, 20, 20, 20}, {a, 20, 20, 20});
            } catch (...) {  // the driver tells
            }
          }
        } argument{rig.upload(std::vector<double>(400, 1.0)), rig.upload(std::vector<double>(400, 1.0))};
        rig.hip.add_fault({function, call, error});
        std::multiset<std::uint64_t> started, ended;
        for (std::uint64_t t = 1; t <= 6; ++t)
          if (rig.driver->launch(0, static_cast<unsigned>(t % 3), {&Argument::run, &argument, t}).ok()) started.insert(t);
        bool gone = started.size() < 6;
        for (const DeviceCompletion& c : rig.ended(started.size())) {
          ended.insert(c.token);
          lost += c.result.status == DeviceStatus::lost;
          failed += c.result.status == DeviceStatus::failed;
          gone |= c.result.status == DeviceStatus::lost;
          if (!c.result.ok()) CHECK(!c.result.text.empty());
        }
        CHECK(started == ended);
        gone |= function == "hipStreamQuery" && error == hipErrorLaunchFailure;  // the destructor meets it
        if (!gone) rig.end_cleanly();
        rig.driver.reset();
        CHECK(rig.hip.complaints() == std::vector<std::string>());
      }
  CHECK(lost > 20);
  CHECK(failed > 20);
}

TEST_CASE("hip blas: one line says whether it is used") {
  {
    HipRig rig(with_blas());
    CHECK(rig.driver->remark() == "HIP: large gemm, syrk and trsm go to rocBLAS (the double)");
  }
  {
    HipOptions options = from_16();
    options.blas = "off";
    Device device(with_blas(), options);
    CHECK(device.rig.driver->remark().empty());
    CHECK(device.kernels_of(Update(device.rig)) == Kernels{"mitra_gemm_d"});
  }
  {
    HipOptions options;
    options.blas.clear();
    CHECK_THROWS_WITH(make_hip_driver(options), contains("blas is empty"));
  }
  HipDoubleOptions hardware = with_blas();
  hardware.blas_code = "/nowhere/rocblas";
  {
    Device device(hardware);  // gfx90a
    CHECK_THAT(std::string(device.rig.driver->remark()),
               contains("HIP: device 0 does without rocBLAS, /nowhere/rocblas has nothing for gfx90a; device 1"));
    CHECK_THAT(std::string(device.rig.driver->remark()), !contains("go to rocBLAS"));
    CHECK(device.kernels_of(Update(device.rig)) == Kernels{"mitra_gemm_d"});
  }
  HipOptions options = from_16();
  options.blas = "/nowhere/librocblas.so";  // whoever names the file vouches for it
  Device device(hardware, options);
  CHECK(device.kernels_of(Update(device.rig)) == Kernels{"rocblas_dsyrk"});
}
