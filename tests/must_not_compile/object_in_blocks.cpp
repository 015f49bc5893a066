// expect: blocked
#include <mitra/mitra.hpp>

int main() {
  mitra::Runtime rt;
  double number = 0.0;
  rt.data(number, "n").blocked(1);
}
