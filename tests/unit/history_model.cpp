// The history model: keys, beliefs, sizes in between, and what it hands to the store.
#include "model/history_model.hpp"

#include <cmath>
#include <thread>

#include "support/catch.hpp"

using namespace mitra;
using model::HistoryModel;

namespace {

constexpr ClassId kCpu{0}, kGpu{1};
const std::vector<std::string> kClasses{"cpu", "gpu"};

TaskFootprint task(std::size_t n, std::size_t element = 8, double flops = 0.0) {
  return {"gemm", std::vector<AccessFootprint>(3, AccessFootprint{n, n, element, AccessMode::read}),
          {flops, 0.0, 0.0, flops > 0.0}};
}
void measure(HistoryModel& model, const TaskFootprint& footprint, ClassId c, double seconds, int times = 10) {
  for (int i = 0; i < times; ++i) model.add(footprint, c, Seconds(seconds));
}

}  // namespace

TEST_CASE("history tells codelet, shapes, element sizes, flops and class apart") {
  HistoryModel model(kClasses);
  measure(model, task(100), kCpu, 1.0);
  measure(model, task(100, 4), kCpu, 0.5);
  measure(model, task(100), kGpu, 0.1);
  measure(model, task(100, 8, 1e6), kCpu, 7.0);
  CHECK(model.predict(task(100), kCpu)->seconds == Seconds(1.0));
  CHECK(model.predict(task(100), kCpu)->source == std::string("history"));
  CHECK(model.predict(task(100, 4), kCpu)->seconds == Seconds(0.5));
  CHECK(model.predict(task(100), kGpu)->seconds.value == Approx(0.1));
  CHECK(model.predict(task(100, 8, 1e6), kCpu)->seconds == Seconds(7.0));
  TaskFootprint other = task(100);
  other.codelet = "syrk";
  CHECK_FALSE(model.predict(other, kCpu).has_value());
  other = task(100);
  other.accesses.pop_back();
  CHECK_FALSE(model.predict(other, kCpu).has_value());
  other = task(100);
  other.accesses[1].rows = 99;
  CHECK_FALSE(model.measured(other, kCpu).has_value());
}

TEST_CASE("history of one power state says nothing of another") {
  HistoryModel low(kClasses, "cap 200 W"), normal(kClasses);
  measure(low, task(100), kCpu, 2.0);
  const auto records = low.take_new();
  normal.add(records);
  CHECK_FALSE(normal.predict(task(100), kCpu).has_value());
  HistoryModel again(kClasses, "cap 200 W");
  again.add(records);
  CHECK(again.predict(task(100), kCpu)->seconds == Seconds(2.0));
}

TEST_CASE("an import without flops answers for every amount of them, after the very one") {
  HistoryModel model(kClasses);
  TimingRecord imported{timing_key(task(100), "cpu"), 0, {}, ImportedTime{Seconds(3.0), 0.1, 50, 2e6, "gemm.host"}};
  model.add({imported});
  CHECK(model.predict(task(100, 8, 2e6), kCpu)->seconds == Seconds(3.0));
  CHECK(model.predict(task(100, 8, 2e6), kCpu)->uncertainty == 0.1);
  measure(model, task(100, 8, 2e6), kCpu, 4.0);
  CHECK(model.predict(task(100, 8, 2e6), kCpu)->seconds == Seconds(4.0));
}

TEST_CASE("history of two sizes gives those between them") {
  HistoryModel model(kClasses);
  const auto seconds = [](double n) { return 1e-9 * n * n * n; };
  measure(model, task(100), kCpu, seconds(100));
  CHECK_FALSE(model.predict(task(101), kCpu).has_value());
  measure(model, task(400), kCpu, seconds(400));
  CHECK(model.predict(task(200), kCpu)->seconds.value == Approx(seconds(200)));
  CHECK(model.predict(task(200), kCpu)->source == std::string("regression"));
  CHECK_FALSE(model.predict(task(90), kCpu).has_value());
  CHECK_FALSE(model.predict(task(450), kCpu).has_value());
  CHECK_FALSE(model.predict(task(200, 4), kCpu).has_value());
  CHECK_FALSE(model.predict(task(200), kGpu).has_value());
}

TEST_CASE("flops make sizes, too: equal shapes with more or less to compute") {
  HistoryModel model(kClasses);
  measure(model, task(8, 8, 1e6), kCpu, 1e-3);
  measure(model, task(8, 8, 4e6), kCpu, 4e-3);
  CHECK(model.predict(task(8, 8, 2e6), kCpu)->seconds.value == Approx(2e-3));
  CHECK_FALSE(model.predict(task(8, 8, 9e6), kCpu).has_value());
}

TEST_CASE("what is new is handed out once, and what a store had never") {
  HistoryModel model(kClasses);
  TimingRecord stored{timing_key(task(100), "cpu"), 0, {}, {}};
  for (int i = 0; i < 6; ++i) add_sample(stored, Seconds(1.0));
  model.add({stored});
  CHECK(model.take_new().empty());
  measure(model, task(100), kCpu, 1.0, 2);
  measure(model, task(200), kCpu, 5.0, 1);
  const auto fresh = model.take_new();
  REQUIRE(fresh.size() == 2);
  CHECK(fresh[0].count == 2);
  CHECK(fresh[0].samples == std::vector<double>{1.0, 1.0});
  CHECK(fresh[1].key.shapes[0].rows == 200);
  CHECK(model.take_new().empty());
  CHECK(model.predict(task(100), kCpu)->seconds == Seconds(1.0));
}

TEST_CASE("threads add to and ask one history") {
  HistoryModel model(kClasses);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < 2000; ++i) {
        model.add(task(1 + i % 20), kCpu, Seconds(1.0));
        static_cast<void>(model.predict(task(1 + i % 20), kCpu));
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::uint64_t count = 0;
  for (const TimingRecord& record : model.take_new()) count += record.count;
  CHECK(count == 8000);
}
