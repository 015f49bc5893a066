// expect: no member named 'read'
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  auto buffer = rt.scratch<double>(8);
  rt.submit("use", [](mitra::View<const double>) {}, buffer.read());
}
