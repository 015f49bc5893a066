// expect: mitra: the first parameter of a .hip implementation is mitra::HipStream
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  const auto scale = mitra::codelet("scale").hip([](mitra::View<double>, mitra::View<double>) {});
  rt.submit(scale, x.readwrite());
}
