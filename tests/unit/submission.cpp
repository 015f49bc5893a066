// What submit() stores and hands to the body: values, captures, parameters, closures of every size, many accesses.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mitra/mitra.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/runtimes.hpp"

using namespace mitra;
using test::with_workers;

namespace {

int free_function_sum = 0;
void free_function(View<const int> v, int factor) { free_function_sum = factor * v[0]; }

struct Functor {
  int* out;
  void operator()(const int& in, long add) const { *out = static_cast<int>(in + add); }
};

struct alignas(64) Wide {
  std::array<double, 8> values{};
};

/// Counts its living copies.
struct Counted {
  explicit Counted(int& n) : living(&n) { ++*living; }
  Counted(const Counted& other) : living(other.living) { ++*living; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*living; }
  int* living;
};

}  // namespace

TEST_CASE("values arrive as they were given") {
  Runtime rt(with_workers(2));
  struct Options { int a; double b; };
  std::string text;
  double sum = 0.0;
  rt.submit("values", [&](int i, double d, const std::string& s, const char* literal, const Options& o) {
    text = s + literal;
    sum = i + d + o.a + o.b;
  }, 1, 2.5, std::string(100, 'x'), "y", Options{3, 4.25});
  rt.wait();
  CHECK(text == std::string(100, 'x') + "y");
  CHECK(sum == 10.75);
}

TEST_CASE("values convert to the body's parameters") {
  Runtime rt(with_workers(1));
  double seen = 0.0;
  rt.submit("convert", [&](double d, long l) { seen = d + static_cast<double>(l); }, 1, short{2});
  rt.wait();
  CHECK(seen == 3.0);
}

TEST_CASE("values are those of the submission, not of the execution") {
  Runtime rt(with_workers(1));
  std::vector<int> values{1, 2, 3};
  int number = 7;
  std::size_t size = 0;
  int seen = 0;
  rt.submit("look", [&](const std::vector<int>& v, int n) { size = v.size(); seen = n; }, values, number);
  values.clear();
  number = 8;
  rt.wait();
  CHECK(size == 3);
  CHECK(seen == 7);
}

TEST_CASE("a reference wrapper passes the object itself") {
  Runtime rt(with_workers(1));
  int number = 0;
  rt.submit("set", [](int& n) { n = 5; }, std::ref(number));
  rt.wait();
  CHECK(number == 5);
}

TEST_CASE("values and captures may be movable only") {
  Runtime rt(with_workers(2));
  int sum = 0;
  auto captured = std::make_unique<int>(40);
  rt.submit("move", [&sum, captured = std::move(captured)](const std::unique_ptr<int>& given) { sum = *captured + *given; },
            std::make_unique<int>(2));
  rt.wait();
  CHECK(sum == 42);
}

TEST_CASE("a body may change its own captures") {
  Runtime rt(with_workers(1));
  int seen = 0;
  rt.submit("mutable", [&seen, n = 1]() mutable { seen = ++n; });
  rt.wait();
  CHECK(seen == 2);
}

TEST_CASE("functions and function objects are bodies") {
  Runtime rt(with_workers(1));
  std::vector<int> values{6};
  int number = 5, out = 0;
  auto v = rt.data(values, "v");
  auto n = rt.data(number, "n");
  rt.submit("function", free_function, v.read(), 7);
  rt.submit("functor", Functor{&out}, n.read(), 10L);
  rt.submit("std::function", std::function<void(View<int>)>([](View<int> x) { x[0] = 1; }), v.write());
  rt.wait();
  CHECK(free_function_sum == 42);
  CHECK(out == 15);
  CHECK(values[0] == 1);
}

TEST_CASE("generic bodies receive the same views") {
  Runtime rt(with_workers(1));
  std::vector<int> values{1, 2};
  auto v = rt.data(values, "v");
  rt.submit("generic", [](auto view, auto factor) { for (auto& e : view) e *= factor; }, v.readwrite(), 3);
  rt.wait();
  CHECK(values == std::vector<int>{3, 6});
}

TEST_CASE("closures of any size are kept whole") {
  Runtime rt(with_workers(2));
  const auto sum_of = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
    std::array<std::uint64_t, N> numbers;
    for (std::size_t i = 0; i < N; ++i) numbers[i] = i;
    std::uint64_t sum = 0;
    rt.submit("sum", [numbers, &sum] { for (const std::uint64_t n : numbers) sum += n; });
    rt.wait();
    return sum;
  };
  CHECK(sum_of(std::integral_constant<std::size_t, 1>{}) == 0);
  CHECK(sum_of(std::integral_constant<std::size_t, 8>{}) == 28);
  CHECK(sum_of(std::integral_constant<std::size_t, 24>{}) == 276);
  CHECK(sum_of(std::integral_constant<std::size_t, 100>{}) == 4950);
  CHECK(sum_of(std::integral_constant<std::size_t, 4096>{}) == 8386560);
}

TEST_CASE("closures of every size are mixed in one run") {
  Runtime rt(with_workers(2));
  int number = 0;
  auto n = rt.data(number, "n");
  for (int round = 0; round < 300; ++round) {
    rt.submit("small", [](int& v) { ++v; }, n.readwrite());
    rt.submit("medium", [a = std::array<int, 30>{1}](int& v) { v += a[0]; }, n.readwrite());
    rt.submit("large", [a = std::array<int, 3000>{1}](int& v) { v += a[0]; }, n.readwrite());
  }
  rt.wait();
  CHECK(number == 900);
}

TEST_CASE("over-aligned captures and values are aligned when the body runs") {
  Runtime rt(with_workers(2));
  Wide wide;
  wide.values[7] = 1.5;
  std::uintptr_t captured = 1, given = 1;
  double sum = 0.0;
  rt.submit("wide", [&captured, &given, &sum, wide](const Wide& value) {
    captured = reinterpret_cast<std::uintptr_t>(&wide);
    given = reinterpret_cast<std::uintptr_t>(&value);
    sum = wide.values[7] + value.values[7];
  }, wide);
  rt.wait();
  CHECK(captured % 64 == 0);
  CHECK(given % 64 == 0);
  CHECK(sum == 3.0);
}

TEST_CASE("closures and values are destroyed once, however the task ends") {
  int captured = 0, given = 0;
  {
    Runtime rt(test::foreseeable());
    long number = 0;
    auto n = rt.data(number, "n");
    const auto submit = [&](auto body) {
      return rt.submit("task", [c = Counted(captured), body](long& v, const Counted&) { body(v); }, n.readwrite(),
                       Counted(given));
    };
    submit([](long& v) { ++v; });
    CHECK(captured == 1);
    CHECK(given == 1);
    rt.wait();
    CHECK(captured == 0);
    CHECK(given == 0);

    submit([](long&) { throw std::runtime_error("no"); });
    submit([](long& v) { ++v; });  // cancelled by the failure
    CHECK_THROWS_AS(rt.wait(), TaskError);
    CHECK(captured == 0);
    CHECK(given == 0);

    submit([](long& v) { ++v; }).cancel();
    rt.wait();
    CHECK(captured == 0);
    CHECK(given == 0);
    CHECK(number == 1);

    Object<long> nothing;
    CHECK_THROWS_AS(rt.submit("refused", [c = Counted(captured)](long&, const Counted&) {}, nothing.write(), Counted(given)),
                    MisuseError);
    CHECK(captured == 0);
    CHECK(given == 0);
    submit([](long& v) { ++v; });
  }
  CHECK(captured == 0);
  CHECK(given == 0);
}

TEST_CASE("what a value's constructor throws leaves submit(), and the Runtime goes on") {
  struct Grumpy {
    Grumpy() = default;
    Grumpy(const Grumpy&) { throw std::runtime_error("copy refused"); }
    int state = 0;
  };
  Runtime rt(with_workers(2));
  Grumpy grumpy;
  CHECK_THROWS_WITH(rt.submit("never", [](const Grumpy&) {}, grumpy), test::contains("copy refused"));
  int ran = 0;
  rt.submit("next", [&] { ++ran; });
  rt.wait();
  CHECK(ran == 1);
}

namespace {

template <std::size_t... I>
void many_typed_accesses(std::index_sequence<I...>) {
  Runtime rt(with_workers(2));
  constexpr std::size_t n = sizeof...(I);
  std::array<int, n> values{};
  std::vector<Object<int>> data;
  for (int& v : values) data.push_back(rt.data(v));
  for (int round = 0; round < 3; ++round)
    rt.submit("all", [](auto&... v) { ((v += 1), ...); }, data[I].readwrite()...);
  rt.wait();
  for (const int v : values) CHECK(v == 3);
}

}  // namespace

TEST_CASE("a task may have any number of accesses") {
  many_typed_accesses(std::make_index_sequence<1>{});
  many_typed_accesses(std::make_index_sequence<4>{});
  many_typed_accesses(std::make_index_sequence<5>{});
  many_typed_accesses(std::make_index_sequence<9>{});
  many_typed_accesses(std::make_index_sequence<33>{});
  many_typed_accesses(std::make_index_sequence<100>{});
}

TEST_CASE("read_all gives the views of as many handles as there are") {
  Runtime rt(with_workers(2));
  for (const std::size_t count : {0U, 1U, 3U, 4U, 5U, 100U, 1000U}) {
    std::vector<long> values(count);
    std::vector<Object<long>> handles;
    for (long& v : values) handles.push_back(rt.data(v));
    for (std::size_t i = 0; i < count; ++i)
      rt.submit("set", [](long& v, std::size_t n) { v = static_cast<long>(n); }, handles[i].write(), i);
    long sum = 0;
    std::size_t size = 0;
    rt.submit("sum", [&](Views<ObjectKind<long>, AccessMode::read> views) {
      size = views.size();
      for (std::size_t i = 0; i < views.size(); ++i) sum += views[i];
    }, read_all(handles));
    rt.wait();
    CHECK(size == count);
    CHECK(sum == static_cast<long>(count * (count + 1) / 2 - count));
  }
}

TEST_CASE("access lists, accesses and values mix in any order") {
  Runtime rt(with_workers(2));
  auto tiles = rt.matrix<int>(4, 4, "A").tiled(2, 2);
  std::vector<TileRef<int>> column{tiles(0, 0), tiles(1, 0)}, row{tiles(0, 1), tiles(1, 1)};
  int base = 100, result = 0;
  auto b = rt.data(base, "b");
  auto token = rt.token("t");
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 2; ++i)
      rt.submit("fill", [](Tile<int> t, int v) { t(1, 1) = v; }, tiles(i, j).write(), 1 + i + 2 * j);
  rt.submit("mix", [&](int first, auto left, const int& number, auto right, int last) {
    result = first + left[0](1, 1) + 10 * left[1](1, 1) + number + 100 * right[0](1, 1) + 1000 * right[1](1, 1) + last;
  }, 1'000'000, read_all(column), token.read(), b.read(), read_all(row), 2'000'000);
  rt.wait();
  CHECK(result == 3'000'000 + 1 + 20 + 100 + 300 + 4000);
}

TEST_CASE("an access list and a reduction in one task") {
  Runtime rt(with_workers(2));
  std::vector<long> values{1, 2, 3, 4, 5};
  std::vector<Object<long>> handles;
  for (long& v : values) handles.push_back(rt.data(v));
  long sum = 1000;
  auto s = rt.data(sum, "s");
  for (int round = 0; round < 20; ++round)
    rt.submit("add", [](auto in, long& into) {
      for (std::size_t i = 0; i < in.size(); ++i) into += in[i];
    }, read_all(handles), s.reduce(Sum{}));
  rt.wait();
  CHECK(sum == 1300);
}

TEST_CASE("a list of tokens orders, and gives no argument") {
  Runtime rt(test::foreseeable());
  const std::vector<Token> tokens{rt.token(), rt.token(), rt.token()};
  std::vector<int> ran;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    rt.submit("before", [&ran, i] { ran.push_back(static_cast<int>(i)); }, tokens[i].write());
  rt.submit({.priority = 5}, [&] { ran.push_back(9); }, read_all(tokens));
  rt.wait();
  CHECK(ran == std::vector<int>{0, 1, 2, 9});
}

TEST_CASE("a Parameter is read when the task runs") {
  Runtime rt(with_workers(1));
  Parameter<double> alpha(1.0);
  CHECK(alpha.get() == 1.0);
  double seen = 0.0;
  rt.submit("look", [&](double a) { seen = a; }, alpha);
  Parameter<double> copy = alpha;
  copy.set(2.5);
  rt.wait();
  CHECK(seen == 2.5);
}

TEST_CASE("ids grow in the order of submission") {
  Runtime rt(with_workers(2));
  TaskId last = rt.submit("first", [] {}).id();
  CHECK(last.valid());
  for (int i = 0; i < 1000; ++i) {
    const TaskId id = rt.submit("next", [] {}).id();
    REQUIRE(last < id);
    last = id;
    if (i % 100 == 0) rt.wait();
  }
}
