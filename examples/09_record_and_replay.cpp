// A graph that is submitted once and run many times: Horner's rule for a polynomial, one coefficient a replay.
//
//   multiply [0] --> add [0]        multiply [1] --> add [1]      ...      y := y x, y := y + c, for each block
//
// A replay infers nothing: it is the shortest way to run a graph whose shape does not change. Values in it are those of
// the recording, but for a Parameter, which is read anew, and the memory of a vector, which rebind() moves.
// Flow: Runtime::record -> recorded graph -> Runtime::replay -> workers.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

namespace {

constexpr double kCoefficients[] = {2.0, -3.0, 0.0, 5.0};  // 2 x^3 - 3 x^2 + 5

/// The same by plain loops, in the same order of operations.
double expected(double x) {
  double y = 0.0;
  for (const double c : kCoefficients) y = y * x + c;
  return y;
}

}  // namespace

int main() {
  const std::size_t blocks = 16, size = 1'000;
  std::vector<double> first(blocks * size), second(blocks * size), y(blocks * size);
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = static_cast<double>(i % 7);
    second[i] = static_cast<double>(i % 11) - 5.0;
  }

  mitra::Runtime rt;
  std::vector<mitra::Vector<double>> X, Y;
  for (std::size_t b = 0; b < blocks; ++b) {
    X.push_back(rt.vector(first.data() + b * size, size, "x"));
    Y.push_back(rt.vector(y.data() + b * size, size, "y"));
  }
  mitra::Parameter<double> c(0.0);

  // Nothing runs in record(): the submissions become a graph, with the edges that their accesses imply.
  const mitra::RecordedGraph step = rt.record([&] {
    for (std::size_t b = 0; b < blocks; ++b) {
      rt.submit("multiply", [](mitra::View<const double> x, mitra::View<double> v) {
        for (std::size_t i = 0; i < v.size(); ++i) v[i] *= x[i];
      }, X[b].read(), Y[b].readwrite());
      rt.submit("add", [](mitra::View<double> v, double value) {
        for (double& element : v) element += value;
      }, Y[b].readwrite(), c);
    }
  });

  auto evaluate = [&](const std::vector<double>& points) {
    y.assign(y.size(), 0.0);
    for (const double coefficient : kCoefficients) {
      c.set(coefficient);  // no task reads it at this moment: the last replay has been waited for
      rt.replay(step);     // a task like others: ordered by its data, can be waited for
      rt.wait();
    }
    for (std::size_t i = 0; i < y.size(); ++i)
      if (y[i] != expected(points[i])) return false;
    return true;
  };

  const bool right = evaluate(first);
  for (std::size_t b = 0; b < blocks; ++b) rt.rebind(X[b], second.data() + b * size);  // the same graph, other input
  const bool right_again = evaluate(second);

  std::printf("%zu tasks and %zu edges, replayed 8 times: %s\n", step.size(), step.edge_count(),
              right && right_again ? "right" : "wrong");
  return right && right_again && step.size() == 2 * blocks && step.edge_count() == blocks ? 0 : 1;
}
