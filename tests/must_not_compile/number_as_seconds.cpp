// expect: Quantity
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  mitra::Config config;
  config.watchdog = 3.0;
}
