// expect: mitra: register the object itself; read() gives tasks a const view of it
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  const double values[3] = {1.0, 2.0, 3.0};
  auto v = rt.vector(values, 3, "v");
}
