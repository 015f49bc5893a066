// Configurations that cannot be: what the message says, and that it names what is known.
#include <limits>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>

#include "support/catch.hpp"
#include "support/environment.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::contains;
using test::Variable;

namespace {

void expect_refused(const Config& config, const std::string& a, const std::string& b = "") {
  CHECK_THROWS_AS(Runtime(config), ConfigError);
  CHECK_THROWS_WITH(Runtime(config), contains(a) && contains(b));
}

void expect_scheduler_refused(const std::string& scheduler, const std::string& a, const std::string& b = "") {
  INFO(scheduler);
  expect_refused(test::with_workers(1, scheduler), a, b);
  CHECK_THROWS_WITH(make_scheduler(scheduler), contains(a) && contains(b));
}

void expect_environment_refused(const char* name, const char* value, const std::string& a, const std::string& b = "") {
  const Variable variable(name, value);
  INFO(name << "=" << value);
  CHECK_THROWS_AS(Config::from_environment(), ConfigError);
  CHECK_THROWS_WITH(Config::from_environment(), contains(a) && contains(b));
}

}  // namespace

TEST_CASE("an unknown scheduler is refused with the list of the known ones") {
  expect_scheduler_refused("dmdas2", "dmdas2", "eager");
  expect_scheduler_refused("dmdas2", "locality_ws", "MITRA_SCHEDULER");
  expect_scheduler_refused("", "known", "eager");
  expect_scheduler_refused("Eager", "Eager", "eager");
}

TEST_CASE("an unknown parameter of a scheduler is refused with the list of its own") {
  expect_scheduler_refused("eager:depth=3", "depth", "eager");
  expect_scheduler_refused("work_stealing:depth=3", "depth", "capacity");
}

TEST_CASE("an ill-formed parameter of a scheduler is refused") {
  expect_scheduler_refused("eager:depth", "depth", "key=value");
  expect_scheduler_refused("eager:", "key=value");
  expect_scheduler_refused("work_stealing:capacity=many", "capacity=many", "whole number");
  expect_scheduler_refused("work_stealing:capacity=1", "capacity=1", "64");
  expect_scheduler_refused("work_stealing:capacity=-5", "capacity=-5");
  expect_scheduler_refused("work_stealing:capacity=100x", "capacity=100x");
  expect_scheduler_refused("work_stealing:capacity=99999999999999999999", "capacity=99999999999999999999");
}

TEST_CASE("a parameter that would need all memory is refused, not tried") {
  expect_scheduler_refused("work_stealing:capacity=4000000000000000000", "capacity");
  expect_scheduler_refused("locality_ws:capacity=4000000000000000000", "capacity");
}

TEST_CASE("a shared object that cannot be loaded is refused with the loader's reason") {
  expect_scheduler_refused("./no_such_file.so:policy", "no_such_file.so", "No such file");
  expect_scheduler_refused(MITRA_TEST_DATA_DIR "/misuse/configuration.cpp.so:policy", "configuration.cpp.so");
  expect_scheduler_refused("./no_such_file.so", "no_such_file.so:NAME");
  expect_scheduler_refused(MITRA_TEST_PLUGIN_DIR "/libnewest_first.so:other", "other", "MITRA_SCHEDULER");
}

TEST_CASE("a file that is no shared object is refused with the loader's reason") {
  // The loader decides by content: a text file has no ELF header.
  const std::string text = std::string(MITRA_TEST_DATA_DIR) + "/misuse/not_an_object.so";
  expect_scheduler_refused(text + ":policy", "not_an_object.so", "ELF");
}

TEST_CASE("an unknown backend is refused with the known ones") {
  Config config = test::with_workers(1);
  config.backend = "quantum";
  expect_refused(config, "quantum", "native");
}

TEST_CASE("more workers than Mitra can have are refused with the limit") {
  expect_refused(test::with_workers(4097), "4097", "4096");
}

TEST_CASE("a watchdog with a negative or senseless time is refused") {
  Config config = test::with_workers(1);
  config.watchdog = Seconds(-1.0);
  expect_refused(config, "watchdog", "-1");
  config.watchdog = Seconds(std::numeric_limits<double>::quiet_NaN());
  expect_refused(config, "watchdog");
}

TEST_CASE("an unknown variable is refused with the list of the known ones") {
  expect_environment_refused("MITRA_WORKER", "2", "MITRA_WORKER", "MITRA_WORKERS");
  expect_environment_refused("MITRA_SCHED", "eager", "MITRA_SCHED", "MITRA_SCHEDULER");
  const Variable variable("MITRA_WORKER", "2");
  CHECK_THROWS_AS(Runtime(), ConfigError);
}

TEST_CASE("values of variables that cannot be are refused") {
  expect_environment_refused("MITRA_WORKERS", "many", "MITRA_WORKERS=many");
  expect_environment_refused("MITRA_WORKERS", "-1", "MITRA_WORKERS=-1");
  expect_environment_refused("MITRA_WORKERS", "2x", "MITRA_WORKERS=2x");
  expect_environment_refused("MITRA_WORKERS", "", "MITRA_WORKERS=");
  expect_environment_refused("MITRA_WORKERS", "0", "MITRA_WORKERS=0");
  expect_environment_refused("MITRA_WORKERS", "99999999999999999999", "MITRA_WORKERS=");
  expect_environment_refused("MITRA_WINDOW", "-3", "MITRA_WINDOW=-3");
  expect_environment_refused("MITRA_SEED", "one", "MITRA_SEED=one");
  expect_environment_refused("MITRA_SEED", "1.5", "MITRA_SEED=1.5");
  expect_environment_refused("MITRA_BIND", "2", "MITRA_BIND=2");
  expect_environment_refused("MITRA_BIND", "yes", "MITRA_BIND=yes");
  expect_environment_refused("MITRA_WATCHDOG", "-1", "MITRA_WATCHDOG=-1");
  expect_environment_refused("MITRA_WATCHDOG", "nan", "MITRA_WATCHDOG=nan");
  expect_environment_refused("MITRA_WATCHDOG", "soon", "MITRA_WATCHDOG=soon");
}

TEST_CASE("what a variable names but does not exist is refused when a Runtime is made") {
  const Variable scheduler("MITRA_SCHEDULER", "dmdas2");
  CHECK_THROWS_WITH(Runtime(), contains("dmdas2"));
}

TEST_CASE("teams and placements of memory that cannot be are refused with what can be") {
  Config config = test::with_workers(4);
  config.teams = "l2";
  expect_refused(config, "teams=l2: expected 0 (no teams), l3", "KxN");
  config.teams = "2x3";
  expect_refused(config, "teams=2x3: there is room for 1 teams of 3 cores; 4 cores are used", "MITRA_TEAMS and MITRA_WORKERS");
  config.teams = "";
  config.numa = "far";
  expect_refused(config, "numa=far: expected first_touch, interleave or nodes", "MITRA_NUMA");
  Config simulated;
  simulated.backend = "sim";
  simulated.machine = "mirage";
  simulated.teams = "l3";
  expect_refused(simulated, "teams=l3: machine 'mirage' has its workers from its file", "unset MITRA_TEAMS");
}

TEST_CASE("a refused construction leaves the process as it was") {
  for (int i = 0; i < 20; ++i) CHECK_THROWS_AS(Runtime(test::with_workers(2, "nobody")), ConfigError);
  Runtime rt(test::with_workers(2));
  int ran = 0;
  rt.submit("fine", [&] { ++ran; });
  rt.wait();
  CHECK(ran == 1);
}
