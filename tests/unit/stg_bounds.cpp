// Lower bounds against proven optima: no bound of any of the 320 cases exceeds the optimum.
#include <mitra/lower_bounds.hpp>

#include "support/catch.hpp"
#include "unit/stg_optima.hpp"

using namespace mitra;

TEST_CASE("bounds never exceed the proven optima of the Standard Task Graph set") {
  std::size_t tight = 0;
  const bool any = test::for_each_stg_optimum([&](const TaskGraph& graph, unsigned processors, double proven) {
    const Bounds bounds = lower_bounds(identical_processors(graph, processors));
    CHECK(bounds.area.value <= proven);
    CHECK(bounds.critical_path.value <= proven);
    CHECK(bounds.iterated.value <= proven);
    CHECK(bounds.best.value <= proven);
    CHECK(bounds.best >= bounds.critical_path);
    tight += bounds.best.value > proven - 1.0 ? 1 : 0;  // durations are whole numbers
  });
  if (any) CHECK(tight > 250);  // so the graphs were read as they are: most of these optima are known by their bounds
}
