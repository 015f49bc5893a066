// Types of the application's own, lent through DataTraits: read, written, reduced, in the shape of the original.
#include <cstddef>
#include <cstdint>
#include <mitra/mitra.hpp>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

namespace {

/// A sparse vector: its pattern stays with the object, its values are what tasks read and write.
struct Sparse {
  std::vector<int> columns;
  std::vector<double> values;
};

template <class T>
struct SparseView {
  const std::vector<int>* columns;
  T* values;
  std::size_t size() const { return columns->size(); }
};

/// A fixed-size counter table, reduced by its own rule.
struct Histogram {
  std::vector<std::uint32_t> bins;
};

struct MergeHistograms {
  static void initialise(std::span<std::uint32_t> copy) {
    for (auto& bin : copy) bin = 0;
  }
  static void fold(std::span<std::uint32_t> into, std::span<const std::uint32_t> from) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] += from[i];
  }
};

}  // namespace

template <>
struct mitra::DataTraits<Sparse> {
  using view = SparseView<double>;
  using const_view = SparseView<const double>;
  static std::span<std::byte> storage(Sparse& s) { return std::as_writable_bytes(std::span(s.values)); }
  static view make(std::byte* base, const Sparse& original) { return {&original.columns, reinterpret_cast<double*>(base)}; }
  static const_view make(const std::byte* base, const Sparse& original) {
    return {&original.columns, reinterpret_cast<const double*>(base)};
  }
};

template <>
struct mitra::DataTraits<Histogram> {
  using view = std::span<std::uint32_t>;
  using const_view = std::span<const std::uint32_t>;
  static std::span<std::byte> storage(Histogram& h) { return std::as_writable_bytes(std::span(h.bins)); }
  static view make(std::byte* base, const Histogram& original) {
    return {reinterpret_cast<std::uint32_t*>(base), original.bins.size()};
  }
  static const_view make(const std::byte* base, const Histogram& original) {
    return {reinterpret_cast<const std::uint32_t*>(base), original.bins.size()};
  }
};

using namespace mitra;

TEST_CASE("a custom type is read and written through its own views") {
  Runtime rt(test::with_workers(2));
  Sparse sparse{{3, 5, 8}, {1.0, 2.0, 3.0}};
  auto s = rt.data(sparse, "s");
  CHECK(s.bytes() == Bytes(3 * sizeof(double)));
  double sum = 0.0;
  rt.submit("scale", [](SparseView<double> v, double factor) {
    for (std::size_t i = 0; i < v.size(); ++i) v.values[i] *= factor * (*v.columns)[i];
  }, s.readwrite(), 2.0);
  rt.submit("sum", [&](SparseView<const double> v) {
    for (std::size_t i = 0; i < v.size(); ++i) sum += v.values[i];
  }, s.read());
  rt.wait();
  CHECK(sparse.values == std::vector<double>{6.0, 20.0, 48.0});
  CHECK(sum == 74.0);
}

TEST_CASE("a custom type is acquired through its own views") {
  Runtime rt(test::with_workers(1));
  Sparse sparse{{1}, {1.0}};
  auto s = rt.data(sparse, "s");
  rt.submit("set", [](SparseView<double> v) { v.values[0] = 9.0; }, s.write());
  const auto guard = rt.acquire(s.read());
  CHECK(guard.view().values[0] == 9.0);
}

TEST_CASE("a custom type is reduced by an operation on whole views, and keeps what it held") {
  for (const unsigned workers : {1U, 2U, 8U}) {
    Runtime rt(test::with_workers(workers));
    Histogram histogram{std::vector<std::uint32_t>(7, 100)};
    auto h = rt.data(histogram, "h");
    const std::uint32_t tasks = 700;
    for (std::uint32_t i = 0; i < tasks; ++i)
      rt.submit("count", [](std::span<std::uint32_t> bins, std::uint32_t n) { ++bins[n % bins.size()]; },
                h.reduce(MergeHistograms{}), i);
    rt.wait();
    CHECK(histogram.bins == std::vector<std::uint32_t>(7, 200));
  }
}
