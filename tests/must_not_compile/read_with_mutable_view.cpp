// expect: mitra: accessed with read(), but the body takes a mutable view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  rt.submit("axpy", [](mitra::View<double>) {}, x.read());
}
