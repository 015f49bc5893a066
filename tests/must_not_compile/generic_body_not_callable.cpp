// expect: mitra: the body cannot be called with the views and values of the submission
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  rt.submit("two", [](auto, auto) {}, x.read());
}
