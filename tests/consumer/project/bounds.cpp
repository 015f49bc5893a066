// A program out of the tree that asks for lower bounds: 10 tasks of 3 s on 4 processors take 7.5 s at least.
#include <cstdio>
#include <mitra/lower_bounds.hpp>

int main() {
  mitra::TaskGraph graph;
  graph.tasks.assign(10, {.name = "task", .seconds = 3.0});
  const mitra::Bounds bounds = mitra::lower_bounds(mitra::identical_processors(graph, 4));
  const bool right = bounds.best == mitra::Seconds(7.5);
  std::printf("bounds: %s\n", right ? "ok" : "wrong");
  return right ? 0 : 1;
}
