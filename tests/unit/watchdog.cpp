// The watchdog: a run in which nothing finishes is described, and goes on.
#include <condition_variable>
#include <mitra/mitra.hpp>
#include <mutex>
#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::contains;

namespace {

/// Keeps the reports, and lets a test wait for one that says what it looks for.
class Reports {
 public:
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    all_ += text;
    ++count_;
    changed_.notify_all();
  }
  /// @returns Everything reported so far, once `text` is in it; or after long patience.
  std::string with(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, test::kPatience, [&] { return all_.find(text) != std::string::npos; });
    return all_;
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string all_;
  int count_ = 0;
};

Config watched(unsigned workers, double seconds, Reports& reports) {
  Config config = test::with_workers(workers);
  config.watchdog = Seconds(seconds);
  config.report = [&reports](std::string_view text) { reports.add(text); };
  return config;
}

}  // namespace

TEST_CASE("a stuck run names the running task, the waiting ones and their data, then goes on") {
  Reports reports;
  test::Gate release;
  Runtime rt(watched(2, 0.2, reports));
  int number = 0;
  auto n = rt.data(number, "pressure");
  rt.submit("stuck_body", [&](int& v) { release.pass(); v = 1; }, n.write());
  rt.submit("waiting_reader", [](const int&) {}, n.read());
  rt.submit("waiting_writer", [](int& v) { v += 10; }, n.readwrite());
  const std::string text = reports.with("waiting_writer");
  CHECK_THAT(text, contains("stuck_body"));
  CHECK_THAT(text, contains("waiting_reader"));
  CHECK_THAT(text, contains("waiting_writer"));
  CHECK_THAT(text, contains("pressure"));
  CHECK_THAT(text, contains("watchdog.cpp"));
  release.open();
  CHECK_NOTHROW(rt.wait());
  CHECK(number == 11);
}

TEST_CASE("a guard that is held too long is reported with its datum") {
  Reports reports;
  Runtime rt(watched(2, 0.2, reports));
  int number = 0;
  auto n = rt.data(number, "velocity");
  {
    const auto guard = rt.acquire(n.write());
    rt.submit("reader", [](const int&) {}, n.read());
    const std::string text = reports.with("velocity");
    CHECK_THAT(text, contains("velocity"));
    CHECK_THAT(text, contains("reader"));
  }
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a stuck replay is reported with its task") {
  Reports reports;
  test::Gate release;
  Runtime rt(watched(2, 0.2, reports));
  const auto graph = rt.record([&] { rt.submit("stuck_node", [&] { release.pass(); }); });
  rt.replay(graph);
  CHECK_THAT(reports.with("stuck_node"), contains("stuck_node"));
  release.open();
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("a task that waits for its children is reported with them") {
  Reports reports;
  test::Gate release;
  Runtime rt(watched(2, 0.2, reports));
  rt.submit("waiting_parent", [&] {
    rt.submit("stuck_child", [&] { release.pass(); });
    rt.wait();
  });
  const std::string text = reports.with("stuck_child");
  CHECK_THAT(text, contains("stuck_child"));
  CHECK_THAT(text, contains("waiting_parent"));
  release.open();
  CHECK_NOTHROW(rt.wait());
}

TEST_CASE("an idle Runtime is not reported") {
  Reports reports;
  Runtime rt(watched(2, 0.05, reports));
  rt.submit("one", [] {});
  rt.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  CHECK(reports.count() == 0);
}

TEST_CASE("a Runtime whose watchdog never speaks ends at once") {
  Reports reports;
  for (int i = 0; i < 20; ++i) {
    Runtime rt(watched(2, 3600.0, reports));
    rt.submit("one", [] {});
    rt.wait();
  }
  CHECK(reports.count() == 0);
}
