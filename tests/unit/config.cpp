// Config: what the environment says, and which values are accepted. The messages of refusals are in tests/misuse.
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::Variable;

TEST_CASE("without variables the environment gives the defaults") {
  const Variable none[] = {{"MITRA_WORKERS", nullptr}, {"MITRA_SCHEDULER", nullptr}, {"MITRA_WINDOW", nullptr},
                           {"MITRA_SEED", nullptr},    {"MITRA_BIND", nullptr},      {"MITRA_WATCHDOG", nullptr},
                           {"MITRA_BACKEND", nullptr}, {"MITRA_RECORD_GRAPH", nullptr}, {"MITRA_TEAMS", nullptr},
                           {"MITRA_NUMA", nullptr}, {"MITRA_TEST_SEED", nullptr}, {"MITRA_TEST_SEEDS", nullptr},
                           {"MITRA_TEST_SCALE", nullptr}};
  const Config config = Config::from_environment();
  CHECK(config.backend == "native");
  CHECK(config.scheduler == "auto");
  CHECK(config.workers == 0);
  CHECK(config.window == 0);
  CHECK(config.seed == 1);
  CHECK(config.bind);
  CHECK(config.watchdog == Seconds(0.0));
  CHECK(config.record_graph.empty());
  CHECK(config.teams.empty());
  CHECK(config.numa == "first_touch");
}

TEST_CASE("each variable sets its option") {
  const Variable set[] = {{"MITRA_WORKERS", "3"},  {"MITRA_SCHEDULER", "eager"}, {"MITRA_WINDOW", "123"},
                          {"MITRA_SEED", "18446744073709551615"}, {"MITRA_BIND", "0"}, {"MITRA_WATCHDOG", "2.5"},
                          {"MITRA_BACKEND", "native"}, {"MITRA_RECORD_GRAPH", "run.mgraph"}};
  const Config config = Config::from_environment();
  CHECK(config.workers == 3);
  CHECK(config.scheduler == "eager");
  CHECK(config.window == 123);
  CHECK(config.seed == 18446744073709551615U);
  CHECK_FALSE(config.bind);
  CHECK(config.watchdog == Seconds(2.5));
  CHECK(config.record_graph == "run.mgraph");
  CHECK(config.backend == "native");
}

TEST_CASE("a Runtime without a Config asks the environment, one with a Config does not") {
  const Variable workers("MITRA_WORKERS", "3"), scheduler("MITRA_SCHEDULER", "eager");
  Runtime from_environment;
  CHECK(from_environment.machine().workers.size() == 3);
  CHECK(from_environment.config().scheduler == "eager");
  Runtime explicitly(test::with_workers(2));
  CHECK(explicitly.machine().workers.size() == 2);
  CHECK(explicitly.config().scheduler == "locality_ws");
}

TEST_CASE("a scheduler that is not named depends on the machine, and is named then") {
  const auto chosen = [](const std::string& emu, const std::string& machine = "", const std::string& scheduler = "auto") {
    Config config;
    config.workers = machine.empty() ? 2 : 0;
    config.emu = emu;
    config.scheduler = scheduler;
    if (!machine.empty()) {
      config.backend = "sim";
      config.machine = machine;
    }
    return Runtime(config).config().scheduler;
  };
  CHECK(chosen("") == "locality_ws");
  CHECK(chosen("0") == "locality_ws");
  CHECK(chosen("2") == "dmdas");
  CHECK(chosen("2", "", "locality_ws") == "locality_ws");
  CHECK(chosen("2", "identical-4") == "locality_ws");  // what stands beside this machine's cores is not there in virtual time
  CHECK(chosen("", "mirage") == "dmdas");
  CHECK(chosen("", "mirage", "eager") == "eager");
}

TEST_CASE("devices get tasks without anybody naming a scheduler") {
  Config config = test::with_workers(2, Config{}.scheduler);
  config.emu = "2:latency=0 s,speed=100";
  Runtime rt(config);
  std::vector<Vector<double>> data;
  for (int i = 0; i < 50; ++i) data.push_back(rt.vector<double>(1000));
  const auto work = codelet("work").cpu([](View<double> v) {
    for (int i = 0; i < 300; ++i)
      for (double& e : v) e = 0.5 * e + 1.0;
  });
  for (int round = 0; round < 4; ++round)
    for (auto& x : data) rt.submit(work, x.readwrite());
  rt.wait();
  const auto executed = rt.statistics().executed_by_worker;
  CHECK(executed.at(2) + executed.at(3) > 100);
}

TEST_CASE("no number of workers means one a core") {
  Runtime rt{Config{}};
  CHECK(rt.machine().workers.size() == static_cast<std::size_t>(rt.machine().processors));
  CHECK(rt.machine().processors >= 1);
  CHECK(static_cast<unsigned>(rt.machine().processors) <= std::thread::hardware_concurrency());
}

TEST_CASE("the machine lists its workers, their class and the host's memory") {
  for (const unsigned n : {1U, 2U, 5U}) {
    Runtime rt(test::with_workers(n));
    const Machine& machine = rt.machine();
    REQUIRE(machine.workers.size() == n);
    REQUIRE_FALSE(machine.classes.empty());
    REQUIRE_FALSE(machine.memory_nodes.empty());
    std::set<std::uint32_t> listed;
    for (std::size_t c = 0; c < machine.classes.size(); ++c) {
      CHECK(machine.classes[c].kind == WorkerKind::cpu);
      for (const WorkerId id : machine.classes[c].workers) {
        CHECK(listed.insert(id.value).second);
        CHECK(machine.workers[id.index()].worker_class == ClassId(static_cast<std::uint32_t>(c)));
      }
    }
    CHECK(listed.size() == n);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(machine.workers[i].id == WorkerId(static_cast<std::uint32_t>(i)));
      CHECK(machine.workers[i].node == NodeId(0));
    }
  }
}

TEST_CASE("workers are bound to different processors, unless there are too many of them or nobody wants it") {
  Config config = test::with_workers(0);
  config.bind = false;
  Runtime unbound(config);
  for (const Worker& w : unbound.machine().workers) CHECK(w.processor == -1);

  Runtime bound{Config{}};
  std::set<int> processors;
  for (const Worker& w : bound.machine().workers)
    if (w.processor >= 0) CHECK(processors.insert(w.processor).second);

  Runtime crowded(test::with_workers(static_cast<unsigned>(bound.machine().processors) + 1));
  for (const Worker& w : crowded.machine().workers) CHECK(w.processor == -1);
}

TEST_CASE("the policies of the library are listed by name, once each, with their parameters") {
  std::set<std::string> names;
  std::string last;
  for (const PolicyInfo* policy : schedulers()) {
    CHECK(policy->abi == kPolicyAbi);
    CHECK(last < policy->name);
    last = policy->name;
    names.insert(policy->name);
    CHECK_FALSE(std::string(policy->summary).empty());
    for (const PolicyParameter& parameter : policy->parameters) {
      CHECK_FALSE(std::string(parameter.name).empty());
      CHECK_FALSE(std::string(parameter.summary).empty());
    }
  }
  for (const char* expected : {"eager", "priority", "random", "work_stealing", "locality_ws"})
    CHECK(names.count(expected) == 1);
}

TEST_CASE("each policy runs under its name, and with its parameters' defaults given") {
  for (const PolicyInfo* policy : schedulers()) {
    std::string description = policy->name;
    char separator = ':';
    for (const PolicyParameter& parameter : policy->parameters) {
      description += separator + std::string(parameter.name) + '=' + parameter.value;
      separator = ',';
    }
    INFO(description);
    for (const std::string& name : {std::string(policy->name), description}) {
      Runtime rt(test::with_workers(2, name));
      int number = 0;
      auto n = rt.data(number, "n");
      for (int i = 0; i < 100; ++i) rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      rt.wait();
      CHECK(number == 100);
    }
  }
}

TEST_CASE("whole numbers among a policy's arguments are checked") {
  const PolicyArguments arguments({{"count", "12"}, {"word", "abc"}, {"mixed", "3x"}, {"negative", "-4"}, {"empty", ""}});
  CHECK(arguments.integer("count") == 12);
  CHECK(arguments.integer("negative", -10) == -4);
  CHECK(arguments.text("word") == "abc");
  for (const char* name : {"word", "mixed", "negative", "empty"}) CHECK_THROWS_AS(arguments.integer(name), ConfigError);
  CHECK_THROWS_AS(arguments.integer("count", 13), ConfigError);
  CHECK_THROWS_WITH(arguments.integer("mixed"), test::contains("mixed=3x"));
}
