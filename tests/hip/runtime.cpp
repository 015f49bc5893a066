// Programs with `.hip` bodies through the whole engine, on the double: a tiled Cholesky factorisation, also on devices that
// are lost or have little memory.
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <mitra/mitra.hpp>

#include "rig.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

Config on(const HipDouble& hip, HipOptions options = small_options()) {
  Config config = with_workers(2, "eager");
  options.functions = hip.functions();
  config.devices.push_back([options] { return make_hip_driver(options); });
  return config;
}

const auto kFill = codelet("fill").cpu([](Tile<double> a, std::size_t row, std::size_t column) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) {
      const std::size_t distance = row + i > column + j ? row + i - column - j : column + j - row - i;
      a(i, j) = distance == 0 ? 4.0 : 1.0 / (1.0 + static_cast<double>(distance));
    }
});
const auto kPotrf = codelet("potrf").hip([](HipStream s, Tile<double> a) { hip::potrf(s, a); });
const auto kTrsm = codelet("trsm").hip([](HipStream s, Tile<const double> l, Tile<double> b) { hip::trsm(s, l, b); });
const auto kSyrk =
    codelet("syrk").hip([](HipStream s, Tile<const double> a, Tile<double> c) { hip::syrk_subtract(s, a, c); });
const auto kGemm = codelet("gemm").hip(
    [](HipStream s, Tile<const double> a, Tile<const double> b, Tile<double> c) { hip::gemm_subtract(s, a, b, c); });

// The same for cores.
void factorise(Tile<double> a) {
  for (std::size_t j = 0; j < a.cols(); ++j) {
    a(j, j) = std::sqrt(a(j, j));
    for (std::size_t i = j + 1; i < a.rows(); ++i) a(i, j) /= a(j, j);
    for (std::size_t k = j + 1; k < a.cols(); ++k)
      for (std::size_t i = k; i < a.rows(); ++i) a(i, k) -= a(i, j) * a(k, j);
  }
}
void solve(Tile<const double> l, Tile<double> b) {
  for (std::size_t j = 0; j < b.cols(); ++j)
    for (std::size_t i = 0; i < b.rows(); ++i) {
      for (std::size_t k = 0; k < j; ++k) b(i, j) -= b(i, k) * l(j, k);
      b(i, j) /= l(j, j);
    }
}
void subtract(Tile<const double> a, Tile<const double> b, Tile<double> c) {
  for (std::size_t j = 0; j < c.cols(); ++j)
    for (std::size_t k = 0; k < a.cols(); ++k)
      for (std::size_t i = 0; i < c.rows(); ++i) c(i, j) -= a(i, k) * b(j, k);
}

/// @returns The largest difference of L L^T and A.
template <class Potrf, class Trsm, class Syrk, class Gemm>
double cholesky(Runtime& rt, std::size_t n, std::size_t nb, const Potrf& potrf, const Trsm& trsm, const Syrk& syrk,
                const Gemm& gemm) {
  auto A = rt.matrix<double>(n, n, "A").tiled(nb, nb);
  const std::size_t nt = (n + nb - 1) / nb;
  for (std::size_t j = 0; j < nt; ++j)
    for (std::size_t i = j; i < nt; ++i) rt.submit(kFill, A(i, j).write(), i * nb, j * nb);
  for (std::size_t k = 0; k < nt; ++k) {
    rt.submit(potrf, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < nt; ++i) rt.submit(trsm, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t j = k + 1; j < nt; ++j) {
      rt.submit(syrk, A(j, k).read(), A(j, j).readwrite());
      for (std::size_t i = j + 1; i < nt; ++i) rt.submit(gemm, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.wait();
  std::vector<double> l(n * n);
  for (std::size_t tj = 0; tj < nt; ++tj)
    for (std::size_t ti = tj; ti < nt; ++ti) {
      const auto guard = rt.acquire(A(ti, tj).read());
      const Tile<const double> tile = guard.view();
      for (std::size_t j = 0; j < tile.cols(); ++j)
        for (std::size_t i = 0; i < tile.rows(); ++i)
          if (ti > tj || i >= j) l[ti * nb + i + (tj * nb + j) * n] = tile(i, j);
    }
  double largest = 0.0;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k <= j; ++k) sum += l[i + k * n] * l[j + k * n];
      const double a = i == j ? 4.0 : 1.0 / (1.0 + static_cast<double>(i - j));
      largest = std::isnan(sum) ? 1e300 : std::max(largest, std::abs(sum - a));
    }
  return largest;
}

double cholesky(Runtime& rt) { return cholesky(rt, 200, 45, kPotrf, kTrsm, kSyrk, kGemm); }

}  // namespace

TEST_CASE("hip: a tiled Cholesky factorisation through the engine") {
  HipDouble hip;
  {
    Runtime rt(on(hip));
    CHECK(cholesky(rt) < 1e-12);
  }
  std::size_t kernels = 0;
  for (const auto& executed : hip.executed()) kernels += executed.kind == HipDouble::Executed::Kind::kernel;
  CHECK(kernels > 35);
  CHECK(hip.pageable_copies() == 0);
  CHECK(hip.left_over() == 0);
  CHECK(hip.complaints() == std::vector<std::string>());
}

TEST_CASE("hip: the same with rocBLAS for its tiles, also while a device is lost") {
  for (const bool lose : {false, true}) {
    HipDoubleOptions hardware;
    hardware.blas = true;
    if (lose) hardware.faults.push_back({"rocblas_dgemm", 5, hipErrorLaunchFailure, 0, false});
    HipDouble hip(hardware);
    {
      HipOptions options = small_options();
      options.blas_from = 16;
      Runtime rt(on(hip, options));
      CHECK_THAT(rt.machine().remarks.at(0), contains("go to rocBLAS"));
      const auto syrk = [](Tile<const double> a, Tile<double> c) { subtract(a, a, c); };
      CHECK((lose ? cholesky(rt, 200, 45, kPotrf.cpu(factorise), kTrsm.cpu(solve), kSyrk.cpu(syrk), kGemm.cpu(subtract))
                  : cholesky(rt)) < 1e-12);
    }
    CHECK(hip.complaints() == std::vector<std::string>());
    if (lose) continue;
    std::multiset<std::string> kernels;
    for (const auto& executed : hip.executed()) kernels.insert(executed.kernel);
    for (const char* name : {"rocblas_dgemm", "rocblas_dtrsm", "rocblas_dsyrk"}) CHECK(kernels.count(name) > 0);
    CHECK(hip.left_over() == 0);
  }
}

TEST_CASE("hip: the machine says which devices share a power cap") {
  HipDoubleOptions hardware;
  hardware.devices = 3;
  hardware.bus_id = [](int device) { return device < 2 ? "0000:C1:00.0" : "0000:C2:00.0"; };
  HipDouble hip(hardware);
  const Runtime rt(on(hip));
  const auto& workers = rt.machine().workers;
  REQUIRE(workers.size() == 5);
  CHECK(workers[0].power_domain.empty());
  CHECK(workers[2].power_domain == "pci 0000:C1:00");
  CHECK(workers[3].power_domain == workers[2].power_domain);
  CHECK(workers[4].power_domain == "pci 0000:C2:00");
}

TEST_CASE("hip: the same with memories that hold a few tiles") {
  HipDouble hip;
  {
    HipOptions options = small_options();
    options.memory = Bytes(6 * 45 * 45 * 8 + 4096);
    Runtime rt(on(hip, options));
    CHECK(cholesky(rt) < 1e-12);
  }
  CHECK(hip.left_over() == 0);
}

TEST_CASE("hip: the same while a device is lost") {
  for (const std::uint64_t call : {1U, 5U, 20U}) {
    HipDoubleOptions hardware;
    hardware.faults.push_back({"kernel", call, hipErrorLaunchFailure, 0, false});
    HipDouble hip(hardware);
    Runtime rt(on(hip));
    // With bodies for cores too: what the lost device has run can be run again.
    const auto syrk = [](Tile<const double> a, Tile<double> c) { subtract(a, a, c); };
    CHECK(cholesky(rt, 200, 45, kPotrf.cpu(factorise), kTrsm.cpu(solve), kSyrk.cpu(syrk), kGemm.cpu(subtract)) < 1e-12);
  }
}

TEST_CASE("hip: a kernel that cannot be launched fails its task, with HIP's reason") {
  HipDoubleOptions hardware;
  hardware.faults.push_back({"hipModuleLaunchKernel", 1, hipErrorLaunchOutOfResources, -1, false});
  HipDouble hip(hardware);
  Runtime rt(on(hip));
  std::vector<double> x(100, 1.0);
  auto X = rt.data(x, "x");
  rt.submit(codelet("twice").hip(
                [](HipStream s, View<double> v) { hip::axpy(s, 1.0, View<const double>(v.data(), v.size()), v); }),
            X.readwrite());
  CHECK_THROWS_WITH(rt.wait(), contains("twice") && contains("hipErrorLaunchOutOfResources"));
}
