// y := y + a x, in blocks: what is lent to the Runtime, what is submitted, and where the order comes from.
//
//   fill x[0] --+                fill x[1] --+               ... each block on its own: no arrow between columns
//               +-> axpy [0]                 +-> axpy [1]
//   fill y[0] --+                fill y[1] --+
//
// Nobody draws these arrows: `axpy` reads what `fill` wrote, and was submitted after it.
// Flow: this program -> Runtime::submit -> workers.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

int main() {
  const std::size_t blocks = 8, block_size = 10'000;
  std::vector<double> x(blocks * block_size), y(blocks * block_size);

  mitra::Runtime rt;  // this machine, as the MITRA_* variables say: try MITRA_WORKERS=1

  // A handle lends memory to the tasks; the vectors still belong to this function.
  std::vector<mitra::Vector<double>> X, Y;
  for (std::size_t b = 0; b < blocks; ++b) {
    X.push_back(rt.vector(x.data() + b * block_size, block_size, "x"));
    Y.push_back(rt.vector(y.data() + b * block_size, block_size, "y"));
  }

  // A body receives a view of each datum that it accesses, then the values, in the order of the arguments.
  auto fill = [](mitra::View<double> block, double value) {
    for (double& element : block) element = value;
  };
  auto axpy = [](mitra::View<const double> from, mitra::View<double> to, double a) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i] += a * from[i];
  };

  // The loops of the sequential program. submit() returns at once; each task runs when its data are ready.
  for (std::size_t b = 0; b < blocks; ++b) {
    rt.submit("fill", fill, X[b].write(), 1.0);
    rt.submit("fill", fill, Y[b].write(), 2.0 + static_cast<double>(b));
  }
  for (std::size_t b = 0; b < blocks; ++b) rt.submit("axpy", axpy, X[b].read(), Y[b].readwrite(), 3.0);

  rt.wait();  // this thread works, too; it throws what a task threw

  for (std::size_t i = 0; i < y.size(); ++i) {
    const double expected = 5.0 + static_cast<double>(i / block_size);
    if (y[i] != expected) {
      std::printf("wrong: y[%zu] is %g, not %g\n", i, y[i], expected);
      return 1;
    }
  }
  std::printf("%zu blocks of %zu elements are right, computed by %zu workers\n", blocks, block_size,
              rt.machine().workers.size());
}
