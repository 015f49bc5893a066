// A Cholesky factorisation for a machine with GPUs and many cores: large tiles suit the GPUs, small ones the cores, and one
// graph has both. Its tasks can be split; the policy `dmdas` says which are, when they are ready.
//
//   gemm i,j,k   -- whole:  on a GPU, a tile of 1920
//                -- split:  4 x 4 tiles of 480 in C(i,j), A(i,k), A(j,k): 64 finer tasks, wherever they end first
//
// This runs in virtual time, on a machine that is described below: with large tiles alone (never split), with small ones
// alone (always split), and with both.
// Flow: this program -> Runtime::submit -> policy's splits() -> virtual workers.
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <mitra/mitra.hpp>

namespace {

// A kernel takes kernel_overhead + flops / rate: a GPU reaches half of its rate with tiles of 800.
constexpr const char* kMachine = R"(
name = "two-gpus"
summary = "two GPUs beside 64 cores"

[class.gpu]
kind = "hip"
count = 2
memory = "hbm"
pipeline = 2
kernel_overhead = "500 us"
peak.fp64 = "2 TFLOP/s"

[class.cpu]
kind = "cpu"
count = 64
memory = "dram"
kernel_overhead = "5 us"
peak.fp64 = "40 GFLOP/s"

[rates.gpu]
potrf = 0.05
trsm = 0.4

[memory.dram]
[memory.hbm]
count = 2
capacity = "16 GB"

[[link]]
name = "pcie"
between = ["dram", "hbm"]
bandwidth = "50 GB/s"
latency = "5 us"
)";

using Ref = mitra::TileRef<double>;

double cube(std::size_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

/// The four kernels, with what they cost; bodies do not run here.
const auto potrf = mitra::codelet("potrf").cpu([](mitra::Tile<double>) {}).hip_modelled().cost([](auto a) {
  return mitra::Work{.flops = cube(a.rows()) / 3.0};
});
const auto trsm = mitra::codelet("trsm").cpu([](mitra::Tile<const double>, mitra::Tile<double>) {}).hip_modelled().cost([](auto, auto b) {
  return mitra::Work{.flops = cube(b.rows())};
});
const auto syrk = mitra::codelet("syrk").cpu([](mitra::Tile<const double>, mitra::Tile<double>) {}).hip_modelled().cost([](auto, auto c) {
  return mitra::Work{.flops = cube(c.rows())};
});
const auto gemm = mitra::codelet("gemm")
                      .cpu([](mitra::Tile<const double>, mitra::Tile<const double>, mitra::Tile<double>) {})
                      .hip_modelled()
                      .cost([](auto, auto, auto c) { return mitra::Work{.flops = 2.0 * cube(c.rows())}; });

constexpr std::size_t kFine = 480;

// The same kernels on large tiles: each says how it becomes finer ones. The same cut of the same tile gives the same parts.
const auto large_potrf = potrf.split([](mitra::Runtime& rt, Ref a) {
  auto A = a.tiled(kFine, kFine);
  for (std::size_t k = 0; k < A.grid_rows(); ++k) {
    rt.submit(potrf, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) rt.submit(trsm, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) {
      rt.submit(syrk, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j) rt.submit(gemm, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
});
const auto large_trsm = trsm.split([](mitra::Runtime& rt, Ref l, Ref b) {
  auto L = l.tiled(kFine, kFine), B = b.tiled(kFine, kFine);
  for (std::size_t i = 0; i < B.grid_rows(); ++i)
    for (std::size_t k = 0; k < B.grid_cols(); ++k) {
      rt.submit(trsm, L(k, k).read(), B(i, k).readwrite());
      for (std::size_t j = k + 1; j < B.grid_cols(); ++j) rt.submit(gemm, B(i, k).read(), L(j, k).read(), B(i, j).readwrite());
    }
});
const auto large_syrk = syrk.split([](mitra::Runtime& rt, Ref a, Ref c) {
  auto A = a.tiled(kFine, kFine), C = c.tiled(kFine, kFine);
  for (std::size_t k = 0; k < A.grid_cols(); ++k)
    for (std::size_t i = 0; i < C.grid_rows(); ++i) {
      rt.submit(syrk, A(i, k).read(), C(i, i).readwrite());
      for (std::size_t j = 0; j < i; ++j) rt.submit(gemm, A(i, k).read(), A(j, k).read(), C(i, j).readwrite());
    }
});
const auto large_gemm = gemm.split([](mitra::Runtime& rt, Ref a, Ref b, Ref c) {
  auto A = a.tiled(kFine, kFine), B = b.tiled(kFine, kFine), C = c.tiled(kFine, kFine);
  for (std::size_t k = 0; k < A.grid_cols(); ++k)
    for (std::size_t j = 0; j < C.grid_cols(); ++j)
      for (std::size_t i = 0; i < C.grid_rows(); ++i) rt.submit(gemm, A(i, k).read(), B(j, k).read(), C(i, j).readwrite());
});

/// The factorisation of one matrix, in tiles of a size, by these kernels. @returns Seconds of virtual time.
template <class Potrf, class Trsm, class Syrk, class Gemm>
double factorise(const char* what, const std::string& machine, const std::string& split, std::size_t tile, const Potrf& p, const Trsm& t,
                 const Syrk& s, const Gemm& g) {
  mitra::Config config;
  config.backend = "sim";
  config.machine = machine;
  config.scheduler = "dmdas:split=" + split;
  mitra::Runtime rt(config);
  const std::size_t n = 48 * kFine, tiles = n / tile;
  auto A = rt.matrix<double>(n, n, "A").tiled(tile, tile);
  for (std::size_t k = 0; k < tiles; ++k) {
    const int urgent = static_cast<int>(tiles - k);  // what the next steps wait for
    rt.submit({.priority = 3 * urgent}, p, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < tiles; ++i) rt.submit({.priority = 2 * urgent}, t, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < tiles; ++i) {
      rt.submit({.priority = urgent}, s, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j) rt.submit({.priority = urgent}, g, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.wait();
  const auto done = rt.statistics();
  std::printf("%-28s %.3f s; %5llu kernels, %llu tasks were split, %llu transitions\n", what, rt.simulation()->makespan.value,
              static_cast<unsigned long long>(done.executed - done.transitions), static_cast<unsigned long long>(done.split),
              static_cast<unsigned long long>(done.transitions));
  return rt.simulation()->makespan.value;
}

}  // namespace

int main() {
  const std::string machine = "two_gpus.toml";  // a file as in machines/; here, for the time of this program
  std::ofstream(machine) << kMachine;
  const std::size_t large = 4 * kFine;
  const double coarse = factorise("large tiles", machine, "never", large, large_potrf, large_trsm, large_syrk, large_gemm);
  const double fine = factorise("small tiles", machine, "never", kFine, potrf, trsm, syrk, gemm);
  const double finer = factorise("large tiles, always split", machine, "always", large, large_potrf, large_trsm, large_syrk, large_gemm);
  const double both = factorise("large tiles, split=auto", machine, "auto", large, large_potrf, large_trsm, large_syrk, large_gemm);
  std::filesystem::remove(machine);
  return both < coarse && both < fine && both < finer ? 0 : 1;
}
