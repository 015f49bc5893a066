// Policies in shared objects: found, checked, parameterised, and run by a Runtime like those of the library.
#include <atomic>
#include <chrono>
#include <memory>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"

using namespace mitra;
using test::contains;

namespace {

const std::string kPlugin = MITRA_TEST_PLUGIN_DIR "/libnewest_first.so";

std::vector<int> order_of_run(const std::string& scheduler) {
  Config config;
  config.workers = 1;
  config.scheduler = scheduler;
  Runtime rt(config);
  std::vector<int> ran;
  for (int i = 0; i < 5; ++i) rt.submit("note", [&ran, i] { ran.push_back(i); });
  rt.wait();
  return ran;
}

}  // namespace

TEST_CASE("a Runtime runs a policy from a shared object") {
  CHECK(order_of_run(kPlugin + ":newest_first") == std::vector<int>{4, 3, 2, 1, 0});
  CHECK(order_of_run("eager") == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a policy from a shared object takes parameters") {
  CHECK(order_of_run(kPlugin + ":newest_first:keep=2") == std::vector<int>{4, 3, 0, 1, 2});
  CHECK_THROWS_WITH(make_scheduler(kPlugin + ":newest_first:keep=-1"), contains("keep=-1"));
  CHECK_THROWS_WITH(make_scheduler(kPlugin + ":newest_first:depth=1"), contains("depth") && contains("keep"));
}

TEST_CASE("a shared object may hold several policies") {
  CHECK_NOTHROW(make_scheduler(kPlugin + ":newest_first"));
  CHECK_NOTHROW(make_scheduler(kPlugin + ":oldest_first"));
  CHECK(order_of_run(kPlugin + ":oldest_first") == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a policy that the object does not have is refused by name") {
  CHECK_THROWS_WITH(make_scheduler(kPlugin + ":missing"), contains("missing") && contains("libnewest_first.so"));
}

TEST_CASE("a policy built for another interface is refused with both numbers") {
  CHECK_THROWS_AS(make_scheduler(MITRA_TEST_PLUGIN_DIR "/libother_abi.so:other_abi"), ConfigError);
  CHECK_THROWS_WITH(make_scheduler(MITRA_TEST_PLUGIN_DIR "/libother_abi.so:other_abi"),
                    contains("4294967295") && contains(std::to_string(kPolicyAbi)));
}

TEST_CASE("a policy that throws while it works fails the wait, not the process") {
  for (const unsigned workers : {1U, 2U, 4U}) {
    INFO(workers << " workers");
    Config config;
    config.workers = workers;
    config.scheduler = MITRA_TEST_PLUGIN_DIR "/libthrows_at_work.so:throws_at_work";
    Runtime rt(config);
    std::atomic<int> ran{0};
    for (int i = 0; i < 20; ++i) rt.submit("task", [&] { ++ran; });
    CHECK_THROWS_WITH(rt.wait(), contains("tired"));
    CHECK_NOTHROW(rt.wait());
    CHECK(ran == 20);
  }
}

TEST_CASE("a policy that throws while a task or a datum is waited for fails the next wait of the Runtime") {
  for (const unsigned workers : {1U, 3U}) {
    INFO(workers << " workers");
    Config config;
    config.workers = workers;
    config.scheduler = MITRA_TEST_PLUGIN_DIR "/libthrows_at_work.so:throws_at_work";
    for (const bool acquires : {false, true}) {
      Runtime rt(config);
      int sum = 0;
      auto n = rt.data(sum, "sum");
      Task last;
      for (int i = 0; i < 20; ++i) last = rt.submit("add", [](int& v) { ++v; }, n.readwrite());
      for (int i = 0; i < 20; ++i) rt.submit("independent", [] {});
      if (acquires)
        CHECK_NOTHROW(rt.acquire(n.read()));
      else
        CHECK_NOTHROW(last.wait());
      CHECK(sum == 20);
      CHECK_THROWS_WITH(rt.wait(), contains("tired"));
      CHECK_NOTHROW(rt.wait());
    }
  }
}

TEST_CASE("a Runtime whose policy throws ends after its tasks") {
  Config config;
  config.workers = 1;
  config.scheduler = MITRA_TEST_PLUGIN_DIR "/libthrows_at_work.so:throws_at_work";
  int ran = 0;
  {
    Runtime rt(config);
    for (int i = 0; i < 20; ++i) rt.submit("task", [&] { ++ran; });
  }
  CHECK(ran == 20);
}

TEST_CASE("a policy that throws at workers who find nothing does not keep them asleep afterwards") {
  for (const unsigned workers : {2U, 4U}) {
    INFO(workers << " workers");
    Config config;
    config.workers = workers;
    config.scheduler = MITRA_TEST_PLUGIN_DIR "/libthrows_when_idle.so:throws_when_idle";
    Runtime rt(config);
    std::this_thread::sleep_for(std::chrono::milliseconds(400));  // it throws about once in a millisecond
    for (int i = 0; i < 20; ++i) {
      const auto gate = std::make_shared<test::Gate>();
      rt.submit("unattended", [gate] { gate->open(); });
      REQUIRE_NOTHROW(gate->pass());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the workers go to sleep
    }
    CHECK_THROWS_WITH(rt.wait(), contains("bored"));
  }
}

TEST_CASE("a policy that throws when it is made fails the construction") {
  CHECK_THROWS_WITH(order_of_run(MITRA_TEST_PLUGIN_DIR "/libthrows_in_make.so:throws_in_make"), contains("not today"));
}
