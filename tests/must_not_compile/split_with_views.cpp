// expect: mitra: the function given to .split() takes mitra::Runtime&, then a TileRef, VectorRef or DataRef for each access
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(10);
  auto x = rt.data(values, "x");
  const auto scale = mitra::codelet("scale").cpu([](mitra::View<double>) {}).split([](mitra::Runtime&, mitra::View<double>) {});
  rt.submit(scale, x.readwrite());
}
