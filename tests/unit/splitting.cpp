// Tasks that become finer ones when their policy says so: live, in virtual time, in recorded graphs, with failures.
#include <atomic>
#include <chrono>
#include <memory>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <mitra/simulation_report.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "engine/task_engine.hpp"
#include "support/catch.hpp"
#include "support/machines.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::with_workers;

namespace {

/// A queue that splits what is called so.
class SplitsByPriority final : public SchedulingPolicy {
 public:
  explicit SplitsByPriority(std::atomic<int>& asked) : asked_(asked) {}
  bool may_split() const override { return true; }
  bool splits(TaskRef task, SchedulerView&) override {
    if (!task.can_split()) throw std::logic_error("asked for a task that cannot be split");
    ++asked_;
    return task.priority() > 0;
  }
  void ready(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const WorkerKind kind = view.machine().classes[view.machine().workers[worker.index()].worker_class.index()].kind;
    for (std::size_t i = 0; i < tasks_.size(); ++i)
      if (const TaskRef task = tasks_[i]; task.runs_on(kind)) {
        tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(i));
        return task;
      }
    return {};
  }

 private:
  std::atomic<int>& asked_;
  std::vector<TaskRef> tasks_;
};

void add(Tile<double> t, double value) {
  for (std::size_t j = 0; j < t.cols(); ++j)
    for (std::size_t i = 0; i < t.rows(); ++i) t(i, j) += value;
}
mitra::Work add_cost(Tile<const double> t, double) { return {.flops = 1e6 * static_cast<double>(t.rows() * t.cols())}; }

/// Fine tasks where the policy says so, two deep.
auto splittable(std::atomic<int>& coarse, std::atomic<int>& fine) {
  const auto finest = codelet("add").cpu([&fine](Tile<double> t, double v) { ++fine, add(t, v); }).hip_modelled().cost(add_cost);
  const auto medium = codelet("add")
                          .cpu([&coarse](Tile<double> t, double v) { ++coarse, add(t, v); })
                          .hip_modelled()
                          .cost(add_cost)
                          .split([finest](Runtime& rt, TileRef<double> t, double v) {
                            auto parts = t.tiled(1, t.cols());
                            for (std::size_t i = 0; i < parts.grid_rows(); ++i) rt.submit(finest, parts(i, 0).readwrite(), v);
                          });
  return codelet("add")
      .cpu([&coarse](Tile<double> t, double v) { ++coarse, add(t, v); })
      .hip_modelled()
      .cost(add_cost)
      .split([medium](Runtime& rt, TileRef<double> t, double v) {
        auto parts = t.tiled(2, 2);
        for (std::size_t j = 0; j < parts.grid_cols(); ++j)
          for (std::size_t i = 0; i < parts.grid_rows(); ++i)
            rt.submit({.priority = i == j ? 1 : 0}, medium, parts(i, j).readwrite(), v);
      });
}

Config with_policy(Config config, std::atomic<int>& asked) {
  config.policy = [&asked] { return std::make_unique<SplitsByPriority>(asked); };
  return config;
}
std::vector<Config> everywhere() {
  std::vector<Config> configs{with_workers(1), with_workers(2), with_workers(8)};
  for (const char* machine : {"identical-3", "mirage"}) {
    Config config;
    config.backend = "sim";
    config.machine = machine;
    config.execute = true;
    config.unknown = Seconds(1e-3);
    configs.push_back(config);
  }
  return configs;
}

}  // namespace

TEST_CASE("tasks run whole or split, as the policy says, and what follows sees the same") {
  for (const Config& config : everywhere()) {
    std::atomic<int> asked{0}, coarse{0}, fine{0};
    Runtime rt(with_policy(config, asked));
    std::vector<double> memory(64, 0.0);
    auto A = rt.matrix(memory.data(), 8, 8, 8, "A");
    auto T = A.tiled(4, 4);
    const auto codelet = splittable(coarse, fine);
    for (int round = 0; round < 3; ++round) {
      for (int j = 0; j < 2; ++j)
        for (int i = 0; i < 2; ++i) rt.submit({.priority = i == j ? 1 : 0}, codelet, T(i, j).readwrite(), 1.0);
      rt.submit("twice", [](Tile<double> a) { for (std::size_t j = 0; j < 8; ++j) for (std::size_t i = 0; i < 8; ++i) a(i, j) *= 2.0; },
                A.readwrite());
    }
    rt.wait();
    for (const double value : memory) REQUIRE(value == 14.0);
    CHECK(asked == 3 * (4 + 8));           // four tiles, and the four parts of two of them
    CHECK(coarse == 3 * (2 + 4));          // two whole tiles, two whole parts of each of the others
    CHECK(fine == 3 * 2 * 2 * 2);
    CHECK(rt.statistics().split == 3 * (2 + 4));
  }
}

TEST_CASE("a policy that does not split is not asked") {
  Runtime rt(with_workers(2));
  std::atomic<int> coarse{0}, fine{0};
  std::vector<double> memory(16, 0.0);
  auto A = rt.matrix(memory.data(), 4, 4, 4, "A");
  rt.submit({.priority = 1}, splittable(coarse, fine), A.readwrite(), 1.0);
  rt.wait();
  CHECK(coarse == 1);
  CHECK(fine == 0);
}

TEST_CASE("split functions receive references to data, values, lists, and nothing for tokens and scratch") {
  std::atomic<int> asked{0};
  Runtime rt(with_policy(with_workers(2), asked));
  std::vector<double> values(8, 1.0), more(8, 2.0);
  double number = 3.0;
  auto x = rt.data(values, "x"), y = rt.data(more, "y");
  auto n = rt.data(number, "n");
  auto token = rt.token("t");
  auto buffer = rt.scratch<double>(4, "buffer");
  const auto body = [](View<double>, View<double>, const double&, Views<VectorKind<double>, AccessMode::read>, int, const double&) {};
  const auto sum = codelet("sum").cpu(body).split(
      [](Runtime& sub, VectorRef<double> to, DataRef<ObjectKind<double>> one, std::vector<VectorRef<double>> from, int twice, double p) {
        CHECK(twice == 2);
        CHECK(p == 0.5);
        CHECK(from.size() == 1);
        auto parts = to.blocked(4), sources = from[0].blocked(4);
        for (int i = 0; i < 2; ++i)
          sub.submit("part", [](View<double> into, View<const double> in, const double& v) {
            for (std::size_t e = 0; e < into.size(); ++e) into[e] += in[e] + v;
          }, parts(i).readwrite(), sources(i).read(), one.read());
      });
  Parameter<double> half(0.5);
  rt.submit({.priority = 1}, sum, x.readwrite(), token.readwrite(), buffer.scratch(), n.read(), read_all(std::vector{y}), 2, half);
  rt.submit("look", [](View<const double> v) { for (const double e : v) CHECK(e == 6.0); }, x.read());
  rt.wait();
  CHECK(rt.statistics().split == 1);
}

TEST_CASE("a split function may wait for its tasks, submit nothing, or throw") {
  for (const Config& config : everywhere()) {
    std::atomic<int> asked{0};
    Runtime rt(with_policy(config, asked));
    std::vector<double> values(8, 1.0);
    auto x = rt.data(values, "x");
    const auto cost = [](View<const double>) { return Work{.flops = 1e6}; };
    int rounds = 0;
    const auto waits = codelet("waits").cpu([](View<double>) {}).cost(cost).split([&](Runtime& sub, VectorRef<double> v) {
      for (int i = 0; i < 2; ++i) {
        sub.submit(codelet("one").cpu([](View<double> w) { w[0] += 1.0; }).cost(cost), v.blocked(4)(i).readwrite());
        sub.wait();
        ++rounds;
      }
    });
    rt.submit({.priority = 1}, waits, x.readwrite());
    rt.wait();
    CHECK(rounds == 2);
    CHECK(values[4] == 2.0);
    bool ran = false;
    const auto follows = codelet("follows").cpu([&](View<const double>) { ran = true; }).cost(cost);
    rt.submit({.priority = 1}, codelet("idle").cpu([](View<double>) {}).cost(cost).split([](Runtime&, VectorRef<double>) {}), x.readwrite());
    rt.submit(follows, x.read());
    rt.wait();
    CHECK(ran);
    ran = false;
    const auto bad = codelet("bad").cpu([](View<double>) {}).cost(cost).split([](Runtime&, VectorRef<double>) { throw std::runtime_error("on purpose"); });
    rt.submit({.priority = 1}, bad, x.readwrite());
    rt.submit(follows, x.read());
    CHECK_THROWS_WITH(rt.wait(), test::contains("bad") && test::contains("on purpose"));
    CHECK(!ran);
    const auto worse = codelet("worse").cpu([](View<double>) {}).cost(cost).split([&](Runtime& sub, VectorRef<double> v) {
      sub.submit(codelet("child").cpu([](View<double>) { throw std::runtime_error("a child"); }).cost(cost), v.blocked(4)(1).readwrite());
    });
    rt.submit({.priority = 1}, worse, x.readwrite());
    rt.submit(follows, x.read());
    CHECK_THROWS_WITH(rt.wait(), test::contains("a child"));
    CHECK(!ran);
    rt.submit(follows, x.read());
    rt.wait();
    CHECK(ran);
  }
}

TEST_CASE("split functions that wait, of workers that were about to sleep, leave nobody asleep") {
  const auto pause = [](int microseconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
    while (std::chrono::steady_clock::now() < until) {}
  };
  for (const unsigned workers : {2U, 3U}) {
    std::atomic<int> asked{0}, runs{0};
    Runtime rt(with_policy(with_workers(workers), asked));
    std::vector<double> values(8, 1.0);
    auto x = rt.data(values, "x");
    const auto waits = codelet("waits").cpu([](View<double>) {}).split([&](Runtime& sub, VectorRef<double> v) {
      for (int i = 0; i < 2; ++i)
        sub.submit("part", [&, i](View<double>) { pause(i == 0 ? 100 : 10), ++runs; }, v.blocked(4)(i).readwrite());
      sub.wait();
    });
    // A worker falls asleep some time after it has had work last: pauses of all lengths around that.
    const int rounds = test::kSanitized ? 300 : 3000;
    for (int round = 0; round < rounds; ++round) {
      rt.submit({.priority = 1}, waits, x.readwrite());
      pause(round % 300);
      rt.wait();
    }
    CHECK(runs == rounds * 2);
  }
}

TEST_CASE("a cancelled task is not split") {
  std::atomic<int> asked{0}, coarse{0}, fine{0};
  Runtime rt(with_policy(with_workers(1), asked));
  std::vector<double> memory(16, 0.0);
  auto A = rt.matrix(memory.data(), 4, 4, 4, "A");
  rt.submit({.priority = 1}, splittable(coarse, fine), A.readwrite(), 1.0).cancel();
  rt.wait();
  CHECK(coarse + fine == 0);
  CHECK(rt.statistics().split == 0);
}

TEST_CASE("nodes of recorded graphs are split at each replay anew") {
  for (const Config& config : everywhere()) {
    std::atomic<int> asked{0}, coarse{0}, fine{0};
    Runtime rt(with_policy(config, asked));
    std::vector<double> memory(16, 0.0);
    auto A = rt.matrix(memory.data(), 4, 4, 4, "A");
    const auto codelet = splittable(coarse, fine);
    const RecordedGraph graph = rt.record([&] {
      rt.submit({.priority = 1}, codelet, A.readwrite(), 1.0);
      rt.submit(codelet, A.readwrite(), 2.0);
    });
    for (int i = 0; i < 3; ++i) rt.replay(graph);
    rt.wait();
    for (const double value : memory) REQUIRE(value == 9.0);
    CHECK(coarse == 3 * (1 + 2));
    CHECK(rt.statistics().split == 3 * (1 + 2));
  }
}

TEST_CASE("in virtual time, what is split takes no time itself, is split without execution, and bounds hold") {
  std::atomic<int> asked{0}, coarse{0}, fine{0};
  Config config;
  config.backend = "sim";
  config.machine = "identical-4";
  Runtime rt(with_policy(config, asked));
  rt.keep_graph();
  Matrix<double> A = rt.matrix<double>(8, 8, "A");
  const auto cost = [](auto t) { return Work{.seconds = static_cast<double>(t.rows() * t.cols())}; };
  const auto fine_one = codelet("one").cpu([](Tile<double>) {}).cost(cost);
  const auto one = codelet("one").cpu([](Tile<double>) {}).cost(cost).split([fine_one](Runtime& sub, TileRef<double> t) {
    for (int i = 0; i < 4; ++i) sub.submit(fine_one, t.tiled(2, 8)(i, 0).readwrite());
  });
  rt.submit({.priority = 1}, one, A.readwrite());
  rt.submit({.priority = 1}, one, A.readwrite());
  rt.wait();
  CHECK(rt.simulation()->makespan == Seconds(32.0));  // four parts of 16 s at a time
  CHECK(rt.statistics().split == 2);
  rt.submit(one, A.readwrite());
  rt.wait();
  CHECK(rt.simulation()->makespan == Seconds(96.0));
}
