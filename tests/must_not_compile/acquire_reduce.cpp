// expect: mitra: acquire() takes read(), write() or readwrite()
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  auto x = rt.data(values, "x");
  auto guard = rt.acquire(x.reduce(mitra::Sum{}));
}
