// expect: mitra: the codelet has no implementation: add .cpu(body) or .hip(body)
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  rt.submit(mitra::codelet("nothing"));
}
