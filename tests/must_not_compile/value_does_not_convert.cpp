// expect: mitra: a value of the submission cannot be passed to the body's parameter
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  rt.submit("print", [](const char*) {}, 3.5);
}
