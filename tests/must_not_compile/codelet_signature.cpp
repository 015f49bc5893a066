// expect: mitra: accessed with read(), but the body takes a mutable view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  const auto scale = mitra::codelet("scale").cpu([](mitra::View<double>, double) {});
  rt.submit(scale, x.read(), 2.0);
}
