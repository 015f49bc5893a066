// expect: mitra: a task that can be split accesses its data with read(), write(), readwrite() or commute()
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(10);
  auto x = rt.data(values, "x");
  const auto add = mitra::codelet("add").cpu([](mitra::View<double>) {}).split([](mitra::Runtime&, mitra::VectorRef<double>) {});
  rt.submit(add, x.reduce(mitra::Sum{}));
}
