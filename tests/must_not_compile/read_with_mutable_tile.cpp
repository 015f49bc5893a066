// expect: mitra: accessed with read(), but the body takes a mutable view
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  auto a = rt.matrix<float>(4, 4).tiled(2, 2);
  rt.submit("gemm", [](mitra::Tile<float>) {}, a(0, 0).read());
}
