// A program out of the tree: one task on this machine, then three under a policy of its own from a shared object.
#include <cstdio>
#include <exception>
#include <mitra/mitra.hpp>
#include <vector>

namespace {

bool axpy_is_right() {
  mitra::Runtime rt;
  std::vector<double> x(1000, 1.0), y(1000, 2.0);
  auto X = rt.data(x, "x"), Y = rt.data(y, "y");
  rt.submit(
      "axpy",
      [](mitra::View<const double> from, mitra::View<double> to, double a) {
        for (std::size_t i = 0; i < from.size(); ++i) to[i] += a * from[i];
      },
      X.read(), Y.readwrite(), 3.0);
  rt.wait();
  return y.front() == 5.0 && y.back() == 5.0;
}

// One thread executes what it has submitted when it waits: the order of execution is that of the policy.
bool policy_decides() {
  mitra::Config config;
  config.scheduler = "./libmy_policy.so:my_policy";
  config.workers = 1;
  mitra::Runtime rt(config);
  std::vector<int> order;
  for (int task = 0; task < 3; ++task) rt.submit("note", [&order, task] { order.push_back(task); });
  rt.wait();
  return order == std::vector{2, 1, 0};
}

}  // namespace

int main() {
  try {
    const bool axpy = axpy_is_right(), policy = policy_decides();
    std::printf("axpy: %s\npolicy from a shared object: %s\n", axpy ? "ok" : "wrong", policy ? "ok" : "wrong order");
    return axpy && policy ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
