// expect: mitra: the body has another number of parameters than the submission gives views and values
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  auto token = rt.token();
  rt.submit("turn", [](int) {}, token.write());
}
