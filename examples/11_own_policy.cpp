// A scheduling policy of your own, loaded from a shared object: the program is not rebuilt, and not changed.
//
//   task 0   task 1   task 2   task 3        all ready: the policy alone decides who is first
//
// The policy is examples/policies/lifo.cpp. Out of the tree, it is a shared object made from the public headers, which
// a Config names as FILE.so:NAME[:key=value,...]. In the tree, the same file lies in schedulers/, is called like the
// policy, and is known by its name alone; nothing else has to be edited. docs/policies.md has the whole contract.
// Flow: shared object -> registry -> Runtime.
#include <cstdio>
#include <string>

#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>

namespace {

/// With one worker the tasks run when this thread waits, in the order that the policy chooses.
std::string order_of_execution(const std::string& scheduler) {
  mitra::Config config;
  config.workers = 1;
  config.scheduler = scheduler;
  mitra::Runtime rt(config);
  std::string order;
  for (int task = 0; task < 4; ++task)
    rt.submit("task", [&order, task] { order += static_cast<char>('0' + task); });
  rt.wait();
  return order;
}

/// Dependencies hold under every policy: it only chooses among tasks that are ready.
long chain(const std::string& scheduler) {
  mitra::Config config = mitra::Config::from_environment();
  config.scheduler = scheduler;
  mitra::Runtime rt(config);
  long value = 0;
  auto v = rt.data(value, "v");
  for (long i = 1; i <= 10; ++i) rt.submit("step", [i](long& x) { x = 3 * x + i; }, v.readwrite());
  rt.wait();
  return value;
}

}  // namespace

int main() {
  std::printf("built in:");
  for (const mitra::PolicyInfo* policy : mitra::schedulers()) std::printf(" %s", policy->name);
  std::printf("\n");

  long expected = 0;
  for (long i = 1; i <= 10; ++i) expected = 3 * expected + i;

  // The build puts liblifo.so beside the programs; the path is relative to the working directory.
  const std::string newest = order_of_execution("./liblifo.so:lifo");
  const std::string oldest = order_of_execution("./liblifo.so:lifo:newest=0");
  const bool kept = chain("./liblifo.so:lifo") == expected;

  std::string refusal;
  try {
    mitra::make_scheduler("./liblifo.so:lifo:colour=red");
  } catch (const mitra::ConfigError& error) {
    refusal = error.what();
  }
  std::printf("newest first: %s, oldest first: %s, dependencies %s\n%s\n", newest.c_str(), oldest.c_str(),
              kept ? "kept" : "broken", refusal.c_str());
  return newest == "3210" && oldest == "0123" && kept && !refusal.empty() ? 0 : 1;
}
