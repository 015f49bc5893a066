// expect: mitra: data move between memories byte by byte: the type must be trivially copyable
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  std::vector<std::vector<int>> rows(3);
  auto r = rt.data(rows, "rows");
}
