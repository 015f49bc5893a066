// expect: mitra: the body's parameter is not the view of the datum accessed for writing
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  rt.submit("axpy", [](mitra::View<int>) {}, x.readwrite());
}
