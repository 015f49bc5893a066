// Rehearsals: what a policy hears of others before it decides, and what mitra makes of it.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <mitra/any_accesses.hpp>
#include <mitra/registry.hpp>

#include "support/catch.hpp"
#include "unit/simulated_run.hpp"

using namespace mitra;
using test::SimulatedRun;

namespace {

struct Heard {
  std::vector<std::vector<Seconds>> answers;  // one a question
};

/// Asks once in each phase, before the first task begins, or when `late` tasks have; then it is the first candidate.
class Asking final : public SchedulingPolicy {
 public:
  Asking(std::vector<std::string> candidates, Heard& heard, unsigned late = 0)
      : candidates_(std::move(candidates)), heard_(heard), late_(late), policy_(make_scheduler(candidates_[0])) {}
  void start(SchedulerView& view) override { policy_->start(view); }
  void submitted(TaskRef task, SchedulerView& view) override {
    ++open_;
    if (policy_->watches_submissions()) policy_->submitted(task, view);
  }
  void ready(TaskRef task, SchedulerView& view) override { policy_->ready(task, view); }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    if (!asked_ && open_ > 0 && given_ >= late_) {
      asked_ = true;
      std::vector<PolicyMaker> makers;
      for (const std::string& name : candidates_) makers.push_back([name] { return make_scheduler(name); });
      heard_.answers.push_back(view.rehearse(makers));
    }
    const TaskRef task = policy_->next(worker, view);
    if (task) ++given_;
    return task;
  }
  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override {
    if (policy_->watches_completions()) policy_->finished(task, measured, view);
    if (--open_ == 0) asked_ = false, given_ = 0;
  }
  bool watches_submissions() const override { return true; }
  bool watches_completions() const override { return true; }
  bool rehearses() const override { return true; }

 private:
  const std::vector<std::string> candidates_;
  Heard& heard_;
  const unsigned late_;
  std::unique_ptr<SchedulingPolicy> policy_;
  std::size_t open_ = 0;
  unsigned given_ = 0;
  bool asked_ = false;
};

Config config_for(const std::string& machine, std::vector<std::string> candidates, Heard& heard, unsigned late = 0) {
  Config config;
  config.backend = "sim";
  config.machine = machine;
  config.policy = [=, &heard] { return std::make_unique<Asking>(candidates, heard, late); };
  return config;
}

/// Chains of products over vectors that lie in Mitra's memory.
class Chains {
 public:
  Chains(Runtime& rt, std::size_t width) : rt_(rt) {
    for (std::size_t i = 0; i < width; ++i) data_.push_back(rt.vector<double>(1 << 20));
  }
  void submit(std::size_t length) {
    for (std::size_t step = 0; step < length; ++step)
      for (std::size_t i = 0; i < data_.size(); ++i)
        rt_.submit(product_, data_[(i + step) % data_.size()].read(), data_[(i + 3 * step + 1) % data_.size()].readwrite());
  }

 private:
  static void body(View<const double>, View<double>) {}
  static Work cost(View<const double> a, View<const double>) { return {.flops = 1e4 * static_cast<double>(a.size())}; }
  Runtime& rt_;
  Codelet<decltype(&body), detail::Modelled, decltype(&cost)> product_{"product", &body, {}, &cost};
  std::vector<Vector<double>> data_;
};

double makespan(const Runtime& rt) { return rt.simulation()->makespan.value; }

}  // namespace

TEST_CASE("a rehearsal says what a run of that policy then takes") {
  for (const char* machine : {"mirage", "sirocco", "mi300a-node"})
    for (const char* policy : {"dmda", "dmdas", "heft", "lookahead", "darts"}) {
      INFO(policy << " on " << machine);
      Heard heard;
      Runtime rt(config_for(machine, {policy}, heard));
      const auto run = workloads::run(rt, "cholesky", {{"n", "7680"}, {"tile", "960"}});
      REQUIRE(heard.answers.size() == 1);
      REQUIRE(heard.answers[0].size() == 1);
      CHECK(heard.answers[0][0].value == Approx(run.makespan.value).epsilon(1e-9));
    }
}

TEST_CASE("the second graph is rehearsed with data where the first has left them") {
  Heard heard;
  Runtime rt(config_for("mirage", {"dmda"}, heard));
  Chains chains(rt, 12);
  chains.submit(8);
  rt.wait();
  const double first = makespan(rt);
  chains.submit(8);
  rt.wait();
  const double second = makespan(rt) - first;
  REQUIRE(heard.answers.size() == 2);
  CHECK(heard.answers[0][0].value == Approx(first).epsilon(1e-9));
  CHECK(heard.answers[1][0].value == Approx(second).epsilon(1e-9));
  CHECK(second < 0.99 * first);  // nothing has to leave the host's memory any more
}

TEST_CASE("of several rehearsals, the shortest says how long it is, and the others that they are longer") {
  Heard heard;
  Runtime rt(config_for("mirage", {"dmda", "eager", "heft", "random"}, heard));
  workloads::run(rt, "cholesky", {{"n", "7680"}, {"tile", "960"}});
  const std::vector<Seconds>& answers = heard.answers.at(0);
  REQUIRE(answers.size() == 4);
  const double heft = SimulatedRun{"mirage", "heft"}().makespan.value, dmda = SimulatedRun{"mirage", "dmda"}().makespan.value;
  CHECK(std::isinf(answers[heft < dmda ? 0 : 2].value));
  CHECK(answers[heft < dmda ? 2 : 0].value == Approx(std::min(heft, dmda)).epsilon(1e-9));
  CHECK(std::isinf(answers[1].value));
  CHECK(std::isinf(answers[3].value));
}

TEST_CASE("a rehearsal knows what the policy is told, and not the truth") {
  Heard told, exact;
  for (Heard* heard : {&told, &exact}) {
    Config config = config_for("mirage", {"dmda"}, *heard);
    config.noise = 0.2;
    config.information = heard == &told ? "mean" : "exact";
    Runtime rt(config);
    const double real = workloads::run(rt, "cholesky", {{"n", "7680"}, {"tile", "960"}}).makespan.value;
    const double heard_of = heard->answers.at(0).at(0).value;
    if (heard == &exact) CHECK(heard_of == Approx(real).epsilon(1e-9));
    if (heard == &told) CHECK(heard_of == Approx(SimulatedRun{"mirage", "dmda"}().makespan.value).epsilon(1e-9));
  }
  CHECK(told.answers[0][0] != exact.answers[0][0]);
}

TEST_CASE("what cannot be rehearsed has no answer") {
  Heard heard;
  SECTION("a task has begun") {
    Runtime rt(config_for("mirage", {"dmda"}, heard, 5));
    Chains chains(rt, 12);
    chains.submit(8);
    rt.wait();
  }
  SECTION("no model knows the tasks") {
    Config config = config_for("mirage", {"eager"}, heard);
    config.information = "blind";
    Runtime rt(config);
    Chains chains(rt, 12);
    chains.submit(8);
    rt.wait();
  }
  SECTION("a replay") {
    Runtime rt(config_for("mirage", {"dmda"}, heard));
    Chains chains(rt, 12);
    const RecordedGraph graph = rt.record([&] { chains.submit(2); });
    rt.replay(graph);
    rt.wait();
  }
  SECTION("a live run") {
    Config config = config_for("", {"eager"}, heard);
    config.backend = "native";
    Runtime rt(config);
    for (int i = 0; i < 20; ++i) rt.submit("task", [] {});
    rt.wait();
  }
  REQUIRE(!heard.answers.empty());
  for (const std::vector<Seconds>& answer : heard.answers) CHECK(answer.empty());
}

TEST_CASE("edges, commuting tasks, reductions and unknown tasks are rehearsed as they run") {
  Heard heard;
  Config config = config_for("mirage", {"dmda"}, heard);
  config.unknown = Seconds(0.003);
  Runtime rt(config);
  auto sum = rt.vector<double>(1 << 18);
  auto shared = rt.vector<double>(1 << 18);
  const auto known = codelet("known").cpu([](View<double>) {}).hip_modelled().cost(
      [](auto v) { return Work{.flops = 1e3 * static_cast<double>(v.size())}; });
  std::vector<Task> tasks;
  for (int i = 0; i < 30; ++i) {
    TaskOptions options{.priority = i % 3};
    if (i >= 10) options.after = {tasks[static_cast<std::size_t>(i) - 10]};
    if (i % 3 == 0)
      tasks.push_back(rt.submit(options, known, sum.reduce(Sum{})));
    else if (i % 3 == 1)
      tasks.push_back(rt.submit(options, known, shared.commute()));
    else
      tasks.push_back(rt.submit(options, [](View<double>) {}, shared.readwrite()));
  }
  rt.submit(known, sum.readwrite());
  rt.wait();
  CHECK(heard.answers.at(0).at(0).value == Approx(makespan(rt)).epsilon(1e-9));
}

TEST_CASE("what a policy throws in a rehearsal, the wait throws") {
  struct Broken final : SchedulingPolicy {
    void ready(TaskRef, SchedulerView&) override { throw std::runtime_error("not today"); }
    TaskRef next(WorkerId, SchedulerView&) override { return {}; }
  };
  struct Careless final : SchedulingPolicy {
    std::unique_ptr<SchedulingPolicy> policy = make_scheduler("eager");
    void ready(TaskRef task, SchedulerView& view) override { policy->ready(task, view); }
    TaskRef next(WorkerId worker, SchedulerView& view) override {
      const std::vector<PolicyMaker> makers{[] { return make_scheduler("eager"); }, [] { return std::make_unique<Broken>(); }};
      if (!std::exchange(asked, true)) view.rehearse(makers);
      return policy->next(worker, view);
    }
    bool rehearses() const override { return true; }
    bool asked = false;
  };
  Config config;
  config.backend = "sim";
  config.machine = "mirage";
  config.policy = [] { return std::make_unique<Careless>(); };
  Runtime rt(config);
  Chains chains(rt, 12);
  chains.submit(1);
  CHECK_THROWS_WITH(rt.wait(), Catch::Contains("not today"));
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("mitra is as good as the best of its candidates, if it may think") {
  const std::vector<std::string> candidates{"lookahead", "heft", "peft", "dmdas", "heteroprio"};
  std::string list;
  for (const std::string& name : candidates) list += (list.empty() ? "" : "+") + name;
  for (const char* machine : {"mirage", "sirocco", "mi300a-node"})
    for (const std::size_t tiles : {6, 12}) {
      double best = 1e300;
      for (const std::string& name : candidates)
        best = std::min(best, SimulatedRun{machine, name, "cholesky", tiles}().makespan.value);
      INFO(machine << ", " << tiles << " tiles");
      const double mitra = SimulatedRun{machine, "mitra:think=1e6,candidates=" + list, "cholesky", tiles}().makespan.value;
      CHECK(mitra == Approx(best).epsilon(1e-9));
    }
}

TEST_CASE("mitra takes parameters, and says what is wrong with them") {
  CHECK_THROWS_WITH(make_scheduler("mitra:candidates=mitra"), Catch::Contains("not itself"));
  CHECK_THROWS_WITH(make_scheduler("mitra:candidates=lookahead+locality_ws"), Catch::Contains("locality_ws"));
  CHECK_THROWS_WITH(make_scheduler("mitra:candidates=heft@soon"), Catch::Contains("NAME@SECONDS"));
  CHECK_THROWS_WITH(make_scheduler("mitra:candidates=nobody"), Catch::Contains("nobody"));
  CHECK_THROWS_WITH(make_scheduler("mitra:think=-1"), Catch::Contains("think"));
  // Without time to think, or with nobody to ask, it is its first candidate.
  const double first = SimulatedRun{"sirocco", "dmda"}().makespan.value;
  CHECK(SimulatedRun{"sirocco", "mitra:candidates=dmda"}().makespan.value == Approx(first).epsilon(1e-9));
  CHECK(SimulatedRun{"sirocco", "mitra:think=0,candidates=dmda+lookahead+heft"}().makespan.value == Approx(first).epsilon(1e-9));
  CHECK(SimulatedRun{"sirocco", "mitra:tasks=20,candidates=dmda+lookahead+heft"}().makespan.value == Approx(first).epsilon(1e-9));
}

TEST_CASE("mitra rehearses each graph that comes, not the first one alone") {
  const auto two_graphs = [](const std::string& scheduler) {
    Config config;
    config.backend = "sim";
    config.machine = "mirage";
    config.scheduler = scheduler;
    Runtime rt(config);
    Chains wide(rt, 24), narrow(rt, 5);
    wide.submit(4);
    rt.wait();
    narrow.submit(20);
    rt.wait();
    return makespan(rt);
  };
  const double good = two_graphs("dmda"), bad = two_graphs("eager");
  REQUIRE(bad > 1.5 * good);
  CHECK(two_graphs("mitra:think=1e6,candidates=eager+dmda") < 1.05 * good);
}

TEST_CASE("mitra goes on with other policies from graph to graph, and a graph that comes again takes as long") {
  Config config;
  config.backend = "sim";
  config.machine = "mirage";
  config.scheduler = "mitra:think=1e6";
  Runtime rt(config);
  Chains wide(rt, 24), narrow(rt, 3);
  double last = 0.0, narrow_took = 0.0, wide_took = 0.0;
  for (int round = 0; round < 6; ++round) {
    wide.submit(4);
    rt.wait();
    const double now = makespan(rt);
    if (round >= 3) CHECK(now - last == Approx(wide_took).epsilon(0.2));
    wide_took = now - last;
    narrow.submit(9);
    rt.wait();
    narrow_took = makespan(rt) - now;
    last = makespan(rt);
  }
  CHECK(narrow_took > 0.0);
  CHECK(rt.simulation()->tasks == 6 * (24 * 4 + 3 * 9));
}
