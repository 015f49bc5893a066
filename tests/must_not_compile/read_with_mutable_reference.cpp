// expect: mitra: accessed with read(), but the body takes a mutable view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  int number = 0;
  auto n = rt.data(number, "n");
  rt.submit("count", [](int&) {}, n.read());
}
