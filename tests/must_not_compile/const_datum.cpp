// expect: mitra: register the object itself; read() gives tasks a const view of it
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  const int number = 3;
  auto n = rt.data(number, "n");
}
