// Teams of cores: which cores form one, and what the body of a moldable codelet finds in it.
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <mitra/scheduling_policy.hpp>

#include "backends/cpu/team_executor.hpp"
#include "model/teams.hpp"
#include "model/topology.hpp"
#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"
#include "support/scale.hpp"

using namespace mitra;
using model::CorePlace;
using model::TeamChoice;
using test::Variable;

namespace {

/// `caches` L3 domains of `cores` cores, so many of them to a NUMA domain.
std::vector<CorePlace> cores_of(int numa, int caches, int cores) {
  std::vector<CorePlace> places;
  for (int n = 0; n < numa; ++n)
    for (int l = 0; l < caches; ++l)
      for (int c = 0; c < cores; ++c) places.push_back({n * caches + l, n});
  return places;
}

/// "0 1 2-5": the cores of each worker.
std::string dealt(const std::string& teams, const std::vector<CorePlace>& cores) {
  std::string text;
  for (const auto& worker : model::deal_cores(model::parse_teams(teams), cores)) {
    if (!text.empty()) text += ' ';
    text += std::to_string(worker.front());
    for (std::size_t i = 1; i < worker.size(); ++i) REQUIRE(worker[i] == worker[i - 1] + 1);
    if (worker.size() > 1) text.append(1, '-').append(std::to_string(worker.back()));
  }
  return text;
}

std::set<int> processors_now() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);  // called by several threads: no assertion of Catch2 here
  std::set<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(static_cast<std::size_t>(i), &mask)) processors.insert(i);
  return processors;
}

Config with_teams(unsigned workers, std::string teams, std::string scheduler = "locality_ws") {
  Config config = test::with_workers(workers, std::move(scheduler));
  config.teams = std::move(teams);
  return config;
}

/// Two devices beside them, as fast as their bodies are.
Config beside_devices(Config config) {
  config.emu = "2:mem=1 MB,bw=1000 GB/s,latency=0 s,speed=0.01,poison=1";
  return config;
}

/// Gives a task to the worker that its priority names, and notes what is estimated of it on each class when it is ready.
class PlacedByPriority final : public SchedulingPolicy {
 public:
  using Notes = std::vector<std::vector<std::optional<Estimate>>>;
  explicit PlacedByPriority(Notes& notes) : notes_(notes) {}
  void ready(TaskRef task, SchedulerView& view) override {
    notes_.emplace_back();
    for (std::uint32_t c = 0; c < view.machine().classes.size(); ++c) notes_.back().push_back(view.estimate(task, ClassId(c)));
    tasks_.push_back(task);
    view.wake(worker_of(task));
  }
  TaskRef next(WorkerId worker, SchedulerView&) override {
    const auto found = std::ranges::find(tasks_, worker, worker_of);
    if (found == tasks_.end()) return {};
    const TaskRef task = *found;
    tasks_.erase(found);
    return task;
  }

 private:
  static WorkerId worker_of(TaskRef task) { return WorkerId(static_cast<std::uint32_t>(task.priority())); }
  Notes& notes_;
  std::vector<TaskRef> tasks_;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

// ------------------------------------------------------------------------------------------------ which cores

TEST_CASE("the texts for teams are read") {
  CHECK(model::parse_teams("").kind == TeamChoice::Kind::none);
  CHECK(model::parse_teams("0").kind == TeamChoice::Kind::none);
  CHECK(model::parse_teams("l3").kind == TeamChoice::Kind::l3);
  const TeamChoice as_many = model::parse_teams("4"), three = model::parse_teams("3x16");
  CHECK(as_many.kind == TeamChoice::Kind::size);
  CHECK(as_many.cores == 4);
  CHECK(as_many.count == 0);
  CHECK(three.cores == 16);
  CHECK(three.count == 3);
  for (const char* wrong : {"1", "x", "2x", "x2", "0x4", "2x1", "l2", "-4", "4 ", "2x4x8", "4097", "99999999999"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(model::parse_teams(wrong),
                      test::contains("teams=" + std::string(wrong) + ": expected 0 (no teams), l3 (each last-level cache is a team), N"));
  }
}

TEST_CASE("cores are dealt to teams") {
  const auto two_by_two = cores_of(2, 2, 4);  // NUMA domains of two caches of four cores
  CHECK(dealt("", cores_of(1, 1, 3)) == "0 1 2");
  CHECK(dealt("l3", two_by_two) == "0-3 4-7 8-11 12-15");
  CHECK(dealt("4", two_by_two) == "0-3 4-7 8-11 12-15");
  CHECK(dealt("2", two_by_two) == "0-1 2-3 4-5 6-7 8-9 10-11 12-13 14-15");
  // What does not divide a cache stays single, its first cores: a team that fits into a cache does not straddle two.
  CHECK(dealt("3", two_by_two) == "0 4 8 12 1-3 5-7 9-11 13-15");
  // One that fits into no cache takes neighbours, and never cores of two NUMA domains.
  CHECK(dealt("6", two_by_two) == "0 1 8 9 2-7 10-15");
  CHECK(dealt("8", two_by_two) == "0-7 8-15");
  // Of a given number of teams, the last cores.
  CHECK(dealt("1x4", two_by_two) == "0 1 2 3 4 5 6 7 8 9 10 11 12-15");
  CHECK(dealt("3x4", two_by_two) == "0 1 2 3 4-7 8-11 12-15");
  CHECK(dealt("3x2", cores_of(1, 1, 8)) == "0 1 2-3 4-5 6-7");
  // A cache of one core is no team.
  CHECK(dealt("l3", {{0, 0}, {1, 0}, {1, 0}}) == "0 1-2");
}

TEST_CASE("teams without room are refused, with what there is room for") {
  const auto cores = cores_of(2, 2, 4);
  CHECK_THROWS_WITH(dealt("9", cores), test::contains("teams=9: there is room for 0 teams of 9 cores; 16 cores are used, and no NUMA domain has more than 8"));
  CHECK_THROWS_WITH(dealt("3x6", cores), test::contains("teams=3x6: there is room for 2 teams of 6 cores"));
  CHECK_THROWS_AS(Runtime(with_teams(4, "8")), ConfigError);
  CHECK_THROWS_AS(Runtime(with_teams(4, "many")), ConfigError);
}

TEST_CASE("hwloc's caches become teams, and their classes are called after their size") {
  // Not this machine: nobody is bound.
  const Variable topology("HWLOC_SYNTHETIC", "pack:1 numa:2 l3:2 core:3 pu:2"), off("HWLOC_THISSYSTEM", nullptr);
  const Machine l3 = model::discover_machine(0, true, "l3");
  REQUIRE(l3.workers.size() == 4);
  REQUIRE(l3.classes.size() == 1);
  CHECK(l3.classes[0].name == "cpu-x3");
  CHECK(l3.classes[0].cores == 3);
  for (int i = 0; i < 4; ++i) {
    const Worker& worker = l3.workers[static_cast<std::size_t>(i)];
    CHECK(worker.cores == 3);
    CHECK(worker.l3_domain == i);
    CHECK(worker.numa_domain == i / 2);
    CHECK(worker.bound_to.empty());
    CHECK(worker.processor == -1);
  }
  const Machine mixed = model::discover_machine(0, true, "2x2");
  REQUIRE(mixed.workers.size() == 10);
  REQUIRE(mixed.classes.size() == 2);
  CHECK(mixed.classes[0].name == "cpu");
  CHECK(mixed.classes[0].workers.size() == 8);
  CHECK(mixed.classes[1].name == "cpu-x2");
  CHECK(mixed.workers[8].l3_domain == 2);
  CHECK(mixed.workers[9].l3_domain == 3);
  CHECK(mixed.workers[0].cores == 1);  // the application's thread
}

TEST_CASE("a team is bound to its cores, and single cores to those of their cache that are in no team") {
  const std::set<int> allowed = processors_now();
  if (allowed.size() < 2) return;
  const unsigned count = static_cast<unsigned>(allowed.size());
  const Machine machine = model::discover_machine(count, true, "1x2");
  if (machine.classes.back().cores != 2 || machine.workers.back().bound_to.empty()) return;  // hyper-threads
  const std::set<int> team(machine.workers.back().bound_to.begin(), machine.workers.back().bound_to.end());
  CHECK(team.size() >= 2);
  for (const Worker& worker : machine.workers)
    if (worker.cores == 1)
      for (const int processor : worker.bound_to) CHECK(team.count(processor) == 0);
  for (const Worker& worker : model::discover_machine(count, false, "1x2").workers) CHECK(worker.bound_to.empty());
}

TEST_CASE("single cores keep to their cache, and off the processors of teams") {
  Machine machine;
  machine.workers.resize(3);
  machine.workers[1].l3_domain = 1;
  machine.workers[2].cores = 2;
  machine.workers[2].bound_to = {2, 3};
  model::bind_single_cores(machine, {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 1}});
  CHECK((machine.workers[0].bound_to == std::vector{0, 1}));
  CHECK((machine.workers[1].bound_to == std::vector{4, 5}));
  CHECK((machine.workers[2].bound_to == std::vector{2, 3}));
}

TEST_CASE("the environment names the teams") {
  const Variable teams("MITRA_TEAMS", "1x2"), workers("MITRA_WORKERS", "4");
  const Runtime rt;
  CHECK(rt.config().teams == "1x2");
  REQUIRE(rt.machine().workers.size() == 3);
  CHECK(rt.machine().workers[2].cores == 2);
}

// ------------------------------------------------------------------------------------------------ what bodies find

TEST_CASE("a moldable body runs with the cores of its worker, any other one with one") {
  Runtime rt(with_teams(7, "2x3"));
  REQUIRE(rt.machine().workers.size() == 3);
  std::mutex mutex;
  std::set<unsigned> sizes;
  int wrong = 0;
  const auto moldable = codelet("moldable").cpu([&] {
    const std::scoped_lock lock(mutex);
    sizes.insert(this_team().size);
    wrong += this_team().size != 1 && this_team().size != 3;
  }).moldable();
  const auto sequential = codelet("sequential").cpu([&] {
    const std::scoped_lock lock(mutex);
    wrong += this_team().size != 1;
  });
  for (int i = 0; i < 200; ++i) {
    rt.submit(moldable);
    rt.submit(sequential);
  }
  rt.wait();
  CHECK(wrong == 0);
  CHECK(this_team().size == 1);
  Runtime no_teams(test::with_workers(2));
  std::atomic<unsigned> size{0};
  no_teams.submit(codelet("alone").moldable().cpu([&](int) { size = this_team().size; }), 1);
  no_teams.wait();
  CHECK(size == 1);
}

TEST_CASE("all threads of a team work on a loop at the same time") {
  // More than this machine has processors, perhaps: oneTBB starts so many only when it is told to.
  for (const unsigned size : {2U, 4U, 9U}) {
    Runtime rt(with_teams(size, std::to_string(size)));
    REQUIRE(rt.machine().workers.size() == 1);
    for (int round = 0; round < 3; ++round) {
      test::Rendezvous all(static_cast<int>(size));
      std::mutex mutex;
      std::set<std::thread::id> threads;
      rt.submit(codelet("meet").cpu([&] {
        team_for(size, [&](std::size_t) {
          all.meet();
          const std::scoped_lock lock(mutex);
          threads.insert(std::this_thread::get_id());
        });
      }).moldable());
      CHECK_NOTHROW(rt.wait());
      CHECK(threads.size() == size);
    }
  }
}

TEST_CASE("a loop calls its body once for each number, also inside of a loop, and without a team") {
  Runtime rt(with_teams(6, "2x3"));
  std::atomic<int> wrong{0};
  const auto count = codelet("count").cpu([&](std::size_t n) {
    std::vector<std::atomic<int>> calls(n);
    team_for(n, [&](std::size_t i) { ++calls[i]; });
    for (const auto& c : calls) wrong += c != 1;
    std::vector<std::atomic<int>> nested(n);
    team_for(n / 7, [&](std::size_t i) { team_for(7, [&](std::size_t j) { ++nested[7 * i + j]; }); });
    for (std::size_t i = 0; i < n / 7 * 7; ++i) wrong += nested[i] != 1;
  }).moldable();
  for (const std::size_t n : {0U, 1U, 2U, 7U, 100U, 2000U})
    for (int i = 0; i < 6; ++i) rt.submit(count, n);
  rt.wait();
  CHECK(wrong == 0);
  std::vector<int> order;
  team_for(5, [&](std::size_t i) { order.push_back(static_cast<int>(i)); });
  CHECK((order == std::vector{0, 1, 2, 3, 4}));
}

TEST_CASE("bodies and loops of a team run on its processors alone") {
  const std::set<int> allowed = processors_now();
  if (allowed.size() < 2) return;
  Runtime rt(with_teams(2, "2"));
  const Worker& team = rt.machine().workers.front();
  if (team.bound_to.empty()) return;
  const std::set<int> expected(team.bound_to.begin(), team.bound_to.end());
  // Narrower than the machine, if it has more than two processors; and in any case not where this thread was before.
  std::atomic<int> wrong{0};
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(*expected.begin()), &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  rt.submit(codelet("look").cpu([&] {
    wrong += processors_now() != expected;
    wrong += std::set<int>(this_team().processors.begin(), this_team().processors.end()) != expected;
    team_for(64, [&](std::size_t) {
      wrong += processors_now() != expected;
      wrong += this_team().size != 2;
    });
  }).moldable());
  rt.wait();
  CHECK(wrong == 0);
  CHECK(processors_now().size() == 1);  // the application's thread has back what it had
  sched_setaffinity(0, sizeof before, &before);
}

TEST_CASE("exceptions leave a loop and its body, and the team goes on") {
  Runtime rt(with_teams(3, "3"));
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> calls{0};
    rt.submit(codelet("fail").cpu([&] {
      team_for(1000, [&](std::size_t i) {
        ++calls;
        if (i == 500) throw std::runtime_error("broken at 500");
      });
    }).moldable());
    CHECK_THROWS_WITH(rt.wait(), test::contains("task 'fail'") && test::contains("broken at 500"));
    CHECK(calls >= 1);
    CHECK(this_team().size == 1);
    std::atomic<int> after{0};
    rt.submit(codelet("fine").cpu([&] { team_for(100, [&](std::size_t) { ++after; }); }).moldable());
    rt.wait();
    CHECK(after == 100);
  }
}

TEST_CASE("a moldable body has data, values, costs and children like any other") {
  Runtime rt(with_teams(5, "2x2"));
  std::vector<double> x(1000);
  std::iota(x.begin(), x.end(), 0.0);
  auto X = rt.data(x, "x");
  const auto scale = codelet("scale").moldable().cost([](View<const double> v, double) { return Work{.flops = static_cast<double>(v.size())}; })
                         .cpu([](View<double> v, double by) { team_for(v.size(), [&](std::size_t i) { v[i] *= by; }); });
  for (int i = 0; i < 4; ++i) rt.submit(scale, X.readwrite(), 2.0);
  std::atomic<int> children{0};
  rt.submit(codelet("parent").cpu([&] {
    for (int i = 0; i < 10; ++i) rt.submit(codelet("child").cpu([&] { team_for(10, [&](std::size_t) { ++children; }); }).moldable());
    rt.wait();
    if (children != 100) throw std::logic_error("children are missing");
  }).moldable());
  rt.wait();
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(x[i] == 16.0 * static_cast<double>(i));
}

TEST_CASE("recorded moldable tasks find their team in each replay") {
  Runtime rt(with_teams(4, "2"));
  std::atomic<int> sum{0};
  const auto add = codelet("add").cpu([&] {
    const unsigned size = this_team().size;
    team_for(10, [&](std::size_t) { sum += static_cast<int>(size); });
  }).moldable();
  auto graph = rt.record([&] {
    for (int i = 0; i < 10; ++i) rt.submit(add);
  });
  for (int i = 0; i < 3; ++i) rt.replay(graph);
  rt.wait();
  CHECK(sum == 3 * 10 * 10 * 2);
}

TEST_CASE("every policy runs moldable and sequential tasks on teams and cores") {
  for (const PolicyInfo* policy : schedulers())
    for (const char* teams : {"2", "1x3", "l3", "2x2"}) {
      INFO(policy->name << ", teams " << teams);
      Runtime rt(with_teams(6, teams, policy->name));
      std::vector<long> values(8, 0);
      std::vector<Object<long>> data;
      for (long& value : values) data.push_back(rt.data(value, "v"));
      std::atomic<long> loops{0};
      const auto moldable = codelet("moldable").cpu([&](long& v) {
        ++v;
        team_for(5, [&](std::size_t) { ++loops; });
      }).moldable();
      const std::size_t rounds = test::scaled(50);
      for (std::size_t i = 0; i < rounds; ++i)
        for (auto& datum : data) {
          rt.submit(moldable, datum.readwrite());
          rt.submit("sequential", [](long& v) { v += 2; }, datum.readwrite());
        }
      rt.wait();
      for (const long value : values) CHECK(value == static_cast<long>(3 * rounds));
      CHECK(loops == static_cast<long>(5 * 8 * rounds));
    }
}

TEST_CASE("beside devices, teams are workers of the host's memory, and a body on a device has one core") {
  PlacedByPriority::Notes notes;
  Config config = beside_devices(with_teams(5, "2x2"));
  config.policy = [&notes] { return std::make_unique<PlacedByPriority>(notes); };
  Runtime rt(config);
  const Machine& machine = rt.machine();
  REQUIRE(machine.workers.size() == 5);
  const unsigned cores[] = {1, 2, 2, 1, 1}, nodes[] = {0, 0, 0, 1, 2};
  const char* const classes[] = {"cpu", "cpu-x2", "cpu-x2", "emu", "emu"};
  for (std::size_t w = 0; w < 5; ++w) {
    CHECK(machine.workers[w].cores == cores[w]);
    CHECK(machine.workers[w].node == NodeId(nodes[w]));
    CHECK(machine.classes[machine.workers[w].worker_class.index()].name == classes[w]);
  }

  std::vector<double> values(1000, 0.0);
  auto data = rt.data(values, "values");
  std::array<std::atomic<unsigned>, 5> sizes{};
  const auto add = codelet("add").cpu([&](View<double> v, int worker) {
    sizes[static_cast<std::size_t>(worker)] = this_team().size;
    team_for(v.size(), [&](std::size_t i) { v[i] += 1.0; });
  }).moldable();
  for (int round = 0; round < 20; ++round)
    for (int worker = 0; worker < 5; ++worker) rt.submit({.priority = worker}, add, data.readwrite(), worker);
  rt.wait();
  for (std::size_t w = 1; w < 5; ++w) {  // what worker 0 has asked for, others may execute
    INFO("worker " << w);
    CHECK(sizes[w] == cores[w]);
  }
  CHECK(values == std::vector<double>(1000, 100.0));
}

TEST_CASE("what a run learns of teams is said of teams, and of no single core or device") {
  using namespace std::chrono_literals;
  PlacedByPriority::Notes notes;
  Config config = beside_devices(with_teams(5, "2x2"));
  config.policy = [&notes] { return std::make_unique<PlacedByPriority>(notes); };
  Runtime rt(config);
  auto datum = rt.vector<double>(10, "v");
  const auto nap = codelet("nap").cpu([](View<double>) {
    std::this_thread::sleep_for(this_team().size > 1 ? 30ms : 1ms);
  }).moldable();
  const int a_core = 0, a_team = 1, a_device = 3;
  for (const int worker : {a_team, a_core, a_device, a_core}) {
    rt.submit({.priority = worker}, nap, datum.write());
    rt.wait();
  }
  REQUIRE(notes.size() == 4);
  const bool known[4][3] = {{false, false, false}, {false, true, false}, {true, true, false}, {true, true, true}};  // core, team, device
  for (std::size_t task = 0; task < 4; ++task)
    for (std::size_t c = 0; c < 3; ++c) {
      INFO("task " << task << ", class " << c);
      CHECK(notes[task][c].has_value() == known[task][c]);
    }
  CHECK(notes[3][1].value().seconds >= Seconds(0.03));
}

TEST_CASE("teams sleep when there is nothing to do") {
  Runtime rt(with_teams(8, "2x4"));
  for (int i = 0; i < 20; ++i)
    rt.submit(codelet("loop").cpu([] { team_for(100, [](std::size_t) {}); }).moldable());
  rt.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(cpu_seconds() - before < 0.1);
}

TEST_CASE("Runtimes with teams of different sizes live side by side, and come and go") {
  for (int round = 0; round < static_cast<int>(test::scaled(20)); ++round) {
    Runtime small(with_teams(2, "2")), large(with_teams(5, "5"));
    test::Rendezvous two(2), five(5);
    small.submit(codelet("two").cpu([&] { team_for(2, [&](std::size_t) { two.meet(); }); }).moldable());
    large.submit(codelet("five").cpu([&] { team_for(5, [&](std::size_t) { five.meet(); }); }).moldable());
    small.wait();
    large.wait();
  }
  CHECK(processors_now().size() >= 1);
}

// ------------------------------------------------------------------------------------------------ both executors

TEST_CASE("teams of plain threads do the same as those of the build") {
  // Where Mitra is built with oneTBB, no Runtime uses these threads.
  static constexpr unsigned kSize = 4;
  const Team team{kSize, 0, 0, {}};
  const cpu::ThreadLibraries none;
  const auto executor = cpu::make_thread_executor(team, none);
  struct Call {
    test::Rendezvous* all;
    std::atomic<int> calls{0};
    cpu::TeamExecutor* executor;
  };
  for (int round = 0; round < 20; ++round) {
    test::Rendezvous all(kSize);
    Call call{&all, {}, executor.get()};
    executor->loop(kSize, [](void* argument, std::size_t first, std::size_t last) {
      auto& c = *static_cast<Call*>(argument);
      for (; first != last; ++first) {
        c.all->meet();
        ++c.calls;
      }
    }, &call);
    CHECK(call.calls == kSize);
    Call nested{nullptr, {}, executor.get()};
    executor->loop(100, [](void* argument, std::size_t first, std::size_t last) {
      auto& c = *static_cast<Call*>(argument);
      for (; first != last; ++first)
        c.executor->loop(10, [](void* inner, std::size_t from, std::size_t to) {
          static_cast<Call*>(inner)->calls += static_cast<int>(to - from);
        }, &c);
    }, &nested);
    CHECK(nested.calls == 1000);
    CHECK_THROWS_WITH(executor->loop(50, [](void*, std::size_t first, std::size_t last) {
      for (; first != last; ++first)
        if (first == 20) throw std::runtime_error("at 20");
    }, nullptr), "at 20");
  }
}
