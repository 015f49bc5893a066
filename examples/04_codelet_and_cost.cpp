// A codelet: one computation with a name, an implementation for each kind of worker, and what it costs.
//
//   A(i,0), B(0,j) --> gemm --> C(i,j) --> gemm --> C(i,j) ...     one chain of gemms for each tile of C
//                                ^
//   A(i,1), B(1,j) --------------+
//
// A lambda given to submit() is a computation that is used once. A codelet is used by many submissions, keys what is
// known of it (its cost today, performance models later), and names its tasks in errors and traces.
// Flow: this program -> Runtime::submit -> workers; .cost -> scheduling policies.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

int main() {
  using Tile = mitra::Tile<double>;
  using ConstTile = mitra::Tile<const double>;

  // The order of .cpu and .cost is free. An implementation for GPUs, .hip, can stand beside them
  // (porting/step3_devices.cpp).
  const auto gemm = mitra::codelet("gemm")
                        .cpu([](ConstTile a, ConstTile b, Tile c) {
                          for (std::size_t j = 0; j < c.cols(); ++j)
                            for (std::size_t k = 0; k < a.cols(); ++k)
                              for (std::size_t i = 0; i < c.rows(); ++i) c(i, j) += a(i, k) * b(k, j);
                        })
                        // What one task costs, from shapes and values alone: it is asked before the elements exist.
                        .cost([](ConstTile a, ConstTile, ConstTile c) {
                          const auto m = static_cast<double>(c.rows()), n = static_cast<double>(c.cols()),
                                     k = static_cast<double>(a.cols());
                          return mitra::Work{.flops = 2.0 * m * n * k, .bytes = 8.0 * (m * k + k * n + 2.0 * m * n)};
                        });

  const std::size_t n = 240, nb = 60;
  std::vector<double> a(n * n), b(n * n), c(n * n, 0.0);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < n; ++i) {
      a[i + j * n] = static_cast<double>(i + 1);
      b[i + j * n] = static_cast<double>(j + 1);
    }

  mitra::Runtime rt;
  auto A = rt.tiled(a.data(), n, n, n, nb, nb, "A");  // the application's memory, cut into tiles in place
  auto B = rt.tiled(b.data(), n, n, n, nb, nb, "B");
  auto C = rt.tiled(c.data(), n, n, n, nb, nb, "C");

  // Recorded first, to look at the tasks as a scheduling policy does (09_record_and_replay.cpp); then run.
  const mitra::RecordedGraph graph = rt.record([&] {
    for (std::size_t i = 0; i < C.grid_rows(); ++i)
      for (std::size_t j = 0; j < C.grid_cols(); ++j)
        for (std::size_t k = 0; k < A.grid_cols(); ++k)
          rt.submit(gemm, A(i, k).read(), B(k, j).read(), C(i, j).readwrite());
  });
  double flops = 0.0;
  for (std::size_t t = 0; t < graph.size(); ++t) flops += graph.task(t).work().flops;

  rt.replay(graph);
  rt.wait();

  const auto order = static_cast<double>(n);
  bool right = graph.size() == 64 && flops == 2.0 * order * order * order;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < n; ++i) right = right && c[i + j * n] == order * static_cast<double>((i + 1) * (j + 1));
  std::printf("%zu tasks of '%s', %.0f flop in all: %s\n", graph.size(), gemm.name().c_str(), flops,
              right ? "right" : "wrong");
  return right ? 0 : 1;
}
