// A matrix in tiles, a tile in tiles again, and the matrix as a whole: one datum for the tasks, at three sizes.
//
//   fill A(0,0) --+-> scale quarters of A(1,1) --> norm of A --> shift of A(0,0) ...   accesses to a datum and to its parts
//   fill A(1,1) --+   (tiles of a tile)            (all of it)   (a tile)              are ordered as accesses to one datum
//
// Where two sizes meet, Mitra inserts a transition: a gather before `norm`, a split after it. On one memory it moves nothing.
// Windows are parts that overlap: blocks with what lies around them, to be read.
// Flow: this program -> Runtime::submit -> workers.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

using Block = mitra::Tile<double>;
using ConstBlock = mitra::Tile<const double>;

namespace {

void fill(Block a, double value) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) a(i, j) = value;
}
void scale(Block a, double factor) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) a(i, j) *= factor;
}
void norm(ConstBlock a, double& result) {
  for (std::size_t j = 0; j < a.cols(); ++j)
    for (std::size_t i = 0; i < a.rows(); ++i) result += a(i, j) * a(i, j);
}
/// Means of three neighbours. `before`: elements of the halo in front of the block.
void smooth(mitra::View<const double> window, mitra::View<double> block, std::size_t before) {
  for (std::size_t i = 0; i < block.size(); ++i) {
    const std::size_t at = before + i;
    const double left = at > 0 ? window[at - 1] : window[at], right = at + 1 < window.size() ? window[at + 1] : window[at];
    block[i] = (left + window[at] + right) / 3.0;
  }
}

}  // namespace

int main() {
  mitra::Runtime rt;

  const std::size_t n = 400;
  mitra::Matrix<double> matrix = rt.matrix<double>(n, n, "A");  // Mitra allocates it at its first use, as one block
  auto A = matrix.tiled(n / 2, n / 2);                          // four tiles in that block
  auto quarters = A(1, 1).tiled(n / 4, n / 4);                  // one of them in four
  double squares = 0.0;
  auto result = rt.data(squares, "squares");

  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 2; ++i) rt.submit("fill", fill, A(i, j).write(), 1.0);
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 2; ++i) rt.submit("scale", scale, quarters(i, j).readwrite(), 2.0);
  rt.submit("norm", norm, matrix.read(), result.readwrite());  // follows all of them
  rt.submit("shift", scale, A(0, 0).readwrite(), 3.0);         // follows the norm
  rt.wait();

  const double elements = static_cast<double>(n * n / 4);
  const bool right = squares == 3.0 * elements + 4.0 * elements;
  std::printf("squares: %g, with %llu transitions\n", squares, static_cast<unsigned long long>(rt.statistics().transitions));

  const std::size_t size = 1000, block = 128;
  std::vector<double> from(size), to(size);
  for (std::size_t i = 0; i < size; ++i) from[i] = static_cast<double>(i);
  auto x = rt.data(from, "x"), y = rt.data(to, "y");
  auto windows = x.windows(block, 1);  // with one element more on each side
  auto blocks = y.blocked(block);
  for (std::size_t b = 0; b < blocks.size(); ++b)
    rt.submit("smooth", smooth, windows(b).read(), blocks(b).write(), windows.rows_before(b));
  double error = 0.0;
  {
    const auto whole = rt.acquire(y.read());
    for (std::size_t i = 1; i + 1 < size; ++i) error = std::fmax(error, std::fabs(whole.view()[i] - from[i]));
  }
  std::printf("smoothed a straight line: largest error %.1e\n", error);
  return right && error < 1e-9 ? 0 : 1;
}
