// expect-ok
// The control: what the other files do wrong, done right.
#include <mitra/mitra.hpp>
#include <vector>

struct Plain {
  int number;
};

int main() {
  mitra::Runtime rt;
  std::vector<double> values(3);
  Plain plain{1};
  auto x = rt.data(values, "x");
  auto p = rt.data(plain, "p");
  auto tiles = rt.matrix<double>(4, 4).tiled(2, 2);
  auto token = rt.token();
  auto buffer = rt.scratch<double>(8);
  rt.submit("read", [](mitra::View<const double>) {}, x.read());
  rt.submit("read object", [](Plain) {}, p.read());
  rt.submit("write", [](mitra::View<double>, const Plain&, double) {}, x.write(), p.read(), 2);
  rt.submit("tile", [](mitra::Tile<double>) {}, tiles(0, 0).commute());
  rt.submit("token", [] {}, token.readwrite());
  rt.submit("private", [](mitra::View<double>, mitra::View<double>) {}, buffer.scratch(), x.reduce(mitra::Sum{}));
  rt.submit("list", [](auto views) { return views.size(); }, mitra::read_all(std::vector{x, x}));
  rt.submit({.priority = 1}, mitra::codelet("gpu").cpu([](int) {}).hip([](mitra::HipStream, int) {}), 1);
  auto blocks = x.blocked(2);
  auto windows = x.windows(2, 1);
  rt.submit("parts", [](mitra::View<const double>, mitra::View<double>) {}, windows(0).read(), rt.data(values).blocked(2)(0).write());
  const auto whole_or_split = mitra::codelet("either").cpu([](mitra::View<double>, int) {}).split(
      [](mitra::Runtime& sub, mitra::VectorRef<double> v, int) { sub.submit("part", [](mitra::View<double>) {}, v.blocked(1)(0).write()); });
  rt.submit(whole_or_split, blocks(1).readwrite(), 1);
  auto guard = rt.acquire(x.read());
  const mitra::Seconds sum = mitra::Seconds(1.0) + mitra::Seconds(2.0);
  return sum.value > 0.0 && guard.view().size() == 3 ? 0 : 1;
}
