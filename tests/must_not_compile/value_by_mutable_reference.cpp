// expect: mitra: a value of the submission cannot be passed to the body's parameter
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  int number = 0;
  rt.submit("count", [](int&) {}, number);
}
