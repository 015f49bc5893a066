// expect: specialisation of mitra::DataTraits
#include <mitra/mitra.hpp>
#include <vector>

int main() {
  mitra::Runtime rt;
  struct Node { std::vector<int> children; } node;
  auto n = rt.data(node, "node");
}
