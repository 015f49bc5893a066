// expect: operator+
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  auto sum = mitra::Seconds(1.0) + mitra::Joules(2.0);
}
