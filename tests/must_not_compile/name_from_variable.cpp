// expect: not a constant expression
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  const char name[] = {0};
  rt.submit(name, [] {});  // the name is kept by address: only a literal lives long enough
}
