// expect: TaskId
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  const mitra::TaskId id = mitra::WorkerId(3);
}
