// expect: mitra: accessed for writing, but the body takes a read-only view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  int number = 0;
  auto n = rt.data(number, "n");
  rt.submit("count", [](int) {}, n.write());  // the change would be lost
}
