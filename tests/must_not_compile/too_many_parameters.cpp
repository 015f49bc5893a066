// expect: mitra: the body has another number of parameters than the submission gives views and values
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  rt.submit("axpy", [](mitra::View<double>, double) {}, x.readwrite());
}
