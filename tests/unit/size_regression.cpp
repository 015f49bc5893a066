// Times between measured sizes: exact for powers, nothing far outside, and how wrong it is on real kernels.
#include "model/size_regression.hpp"

#include <mitra/starpu_import.hpp>

#include <cmath>
#include <filesystem>
#include <map>

#include "support/catch.hpp"
#include "support/shared_data.hpp"

using namespace mitra;
using model::interpolate;
using model::SizePoint;

TEST_CASE("a power law is met exactly, between the sizes and a tenth beyond them") {
  const auto law = [](double size) { return 3e-9 * std::pow(size, 1.4); };
  const std::vector<SizePoint> points{{1000, law(1000)}, {8000, law(8000)}, {2000, law(2000)}};
  for (const double size : {900.0, 1000.0, 1500.0, 2000.0, 5000.0, 8000.0, 8800.0}) {
    INFO(size);
    REQUIRE(interpolate(points, size).has_value());
    CHECK(interpolate(points, size)->value == Approx(law(size)).epsilon(1e-12));
  }
  for (const double size : {899.0, 8801.0, 0.0, -1.0, 1e30}) CHECK_FALSE(interpolate(points, size).has_value());
}

TEST_CASE("one size is none, however often it was measured") {
  CHECK_FALSE(interpolate({}, 10).has_value());
  CHECK_FALSE(interpolate({{10, 1}}, 10).has_value());
  CHECK_FALSE(interpolate({{10, 1}, {10, 2}, {10.001, 3}}, 10).has_value());
  CHECK_FALSE(interpolate({{10, 1}, {20, 0.0}}, 15).has_value());  // a time of 0 says nothing
}

TEST_CASE("several times of one size count as their geometric mean") {
  CHECK(interpolate({{10, 1}, {10, 4}, {20, 8}}, 10)->value == Approx(2.0));
}

TEST_CASE("real kernels between their neighbouring sizes are within the stated uncertainty") {
  const std::string directory = test::shared_data("starpu/codelets/45");
  if (directory.empty()) return;
  double squares = 0, worst = 0;
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::map<std::string, std::map<double, double>> times;  // class -> flops -> seconds
    for (const TimingRecord& record : convert_starpu_sampling(read_starpu_sampling(file.path().string())).records)
      if (record.key.shapes.front().rows >= 320)
        times[record.key.worker_class][record.imported->flops] = record.imported->seconds.value;
    for (const auto& [name, curve] : times)
      for (auto middle = std::next(curve.begin()); std::next(middle) != curve.end(); ++middle) {
        std::vector<SizePoint> others;
        for (const auto& [size, seconds] : curve)
          if (size != middle->first) others.push_back({size, seconds});
        const double error = interpolate(others, middle->first)->value / middle->second - 1;
        squares += error * error;
        worst = std::max(worst, std::abs(error));
        ++count;
      }
  }
  INFO("root mean square " << std::sqrt(squares / count) << ", worst " << worst << " of " << count);
  CHECK(count >= 20);
  CHECK(std::sqrt(squares / count) <= model::kRegressionUncertainty);
  CHECK(worst < 4 * model::kRegressionUncertainty);
}
