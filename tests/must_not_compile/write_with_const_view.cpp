// expect: mitra: accessed for writing, but the body takes a read-only view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  rt.submit("axpy", [](mitra::View<const double>) {}, x.write());
}
