// Step 3 of docs/porting.md: devices. The four functions become codelets, with a body for cores and one for AMD GPUs.
//
//   core:    fill A                                        check A
//               \ copies, as tasks ask for them            / copies home
//   device:      potrf 0,0 --> trsm 1,0 --> syrk 1,1 --> ...
//
// Two emulated devices stand for GPUs, with memories of their own that do not hold the whole matrix; they run the `.cpu`
// bodies. MITRA_EMU chooses others, and MITRA_EMU=0 none: then it is GPUs that are looked for, and `.hip` that runs there.
// Flow: this program -> Runtime::submit -> policy -> cores, devices.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/hip_kernels.hpp>
#include <mitra/mitra.hpp>

#include "../cholesky_of_views.hpp"

namespace {

void check(ConstBlock a, double& error) { error = largest_error(a, 0, 0, a.rows()); }

double cube(std::size_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

}  // namespace

int main() {
  // A body for GPUs enqueues its work on the stream and returns. Policies may ask what a task costs.
  using mitra::HipStream;
  const auto potrf_task = mitra::codelet("potrf")
                              .cpu(potrf)
                              .hip([](HipStream s, Block a) { mitra::hip::potrf<double>(s, a); })
                              .cost([](ConstBlock a) { return mitra::Work{.flops = cube(a.rows()) / 3.0}; });
  const auto trsm_task = mitra::codelet("trsm")
                             .cpu(trsm)
                             .hip([](HipStream s, ConstBlock l, Block b) { mitra::hip::trsm<double>(s, l, b); })
                             .cost([](ConstBlock, ConstBlock b) { return mitra::Work{.flops = cube(b.rows())}; });
  const auto gemm_task =
      mitra::codelet("gemm")
          .cpu(gemm)
          .hip([](HipStream s, ConstBlock a, ConstBlock b, Block c) { mitra::hip::gemm_subtract<double>(s, a, b, c); })
          .cost([](ConstBlock, ConstBlock, ConstBlock c) { return mitra::Work{.flops = 2.0 * cube(c.rows())}; });
  const auto syrk_task =
      mitra::codelet("syrk")
          .cpu(syrk)
          .hip([](HipStream s, ConstBlock a, Block c) { mitra::hip::syrk_subtract<double>(s, a, c); })
          .cost([](ConstBlock, ConstBlock c) { return mitra::Work{.flops = cube(c.rows())}; });

  mitra::Config config = mitra::Config::from_environment();
  if (config.emu.empty()) config.emu = "2:mem=400kB";  // a tile has 32 kB, the matrix 2 MB

  const std::size_t n = 512, nb = 64;
  std::vector<double> values(n * n);
  double error = 0.0;

  mitra::Runtime rt(config);
  auto matrix = rt.matrix(values.data(), n, n, n, "A");  // one datum: the memory stays the application's
  auto A = matrix.tiled(nb, nb);                         // and its tiles, which lie in it
  auto result = rt.data(error, "error");

  rt.submit("fill", fill, matrix.write(), 0, 0, n);
  for (std::size_t k = 0; k < A.grid_rows(); ++k) {
    rt.submit(potrf_task, A(k, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) rt.submit(trsm_task, A(k, k).read(), A(i, k).readwrite());
    for (std::size_t i = k + 1; i < A.grid_rows(); ++i) {
      rt.submit(syrk_task, A(i, k).read(), A(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j) rt.submit(gemm_task, A(i, k).read(), A(j, k).read(), A(i, j).readwrite());
    }
  }
  rt.submit("check", check, matrix.read(), result.write());  // follows the tasks on all tiles
  rt.wait();

  const mitra::Statistics done = rt.statistics();
  unsigned long long on_devices = 0;
  for (const mitra::Worker& worker : rt.machine().workers)
    if (rt.machine().classes[worker.worker_class.index()].kind == mitra::WorkerKind::hip)
      on_devices += done.executed_by_worker[worker.id.index()];
  std::printf("%llu tasks on devices: largest error %.1e\n", on_devices, error);
  if (done.memory)
    std::printf("%llu bytes to devices, %llu from them, %llu between them; %llu evictions\n",
                static_cast<unsigned long long>(done.memory->to_device.value),
                static_cast<unsigned long long>(done.memory->from_device.value),
                static_cast<unsigned long long>(done.memory->between_devices.value),
                static_cast<unsigned long long>(done.memory->evictions));
  return error < 1e-9 ? 0 : 1;
}
