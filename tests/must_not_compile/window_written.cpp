// expect: mitra: windows overlap, and can only be accessed with read(); write to blocked() or tiled() parts, or to the whole
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<double> values(10);
  auto windows = rt.data(values, "x").windows(5, 1);
  rt.submit("smooth", [](mitra::View<double>) {}, windows(0).readwrite());
}
