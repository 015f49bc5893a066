// A task that fails: what still runs, what does not, and what the program is told.
//
//   load a --> parse a  (throws) --> use a       cancelled: its input will never come
//                          +-------> merge       cancelled, too: one of its inputs is missing
//   load b --> parse b ---------------^
//                +-----------------> use b       runs: it does not depend on the failure
//
// Flow: task body throws -> successors are cancelled -> Runtime::wait rethrows.
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>

#include <mitra/mitra.hpp>

namespace {

/// @returns The message of the MisuseError that `call` throws; empty if it throws none.
template <class Call>
std::string misuse(Call call) {
  try {
    call();
  } catch (const mitra::MisuseError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

int main() {
  mitra::Runtime rt;
  int a = 0, b = 0, merged = 0;
  auto A = rt.data(a, "a"), B = rt.data(b, "b"), M = rt.data(merged, "merged");
  std::atomic<int> used_a{0}, used_b{0};

  auto load = [](int& value, int number) { value = number; };
  auto parse = [](int& value) {
    if (value < 0) throw std::invalid_argument("a negative number");
    value *= 10;
  };
  rt.submit("load", load, A.write(), -1);
  rt.submit("load", load, B.write(), 4);
  const unsigned line = __LINE__ + 1;
  const mitra::Task parse_a = rt.submit("parse", parse, A.readwrite());
  rt.submit("parse", parse, B.readwrite());
  const mitra::Task use_a = rt.submit("use", [&](const int&) { ++used_a; }, A.read());
  rt.submit("use", [&](const int&) { ++used_b; }, B.read());
  rt.submit("merge", [](const int& x, const int& y, int& m) { m = x + y; }, A.read(), B.read(), M.write());

  bool told = false;
  try {
    use_a.wait();  // a task's own wait tells, too: this one was cancelled by a failure
  } catch (const mitra::TaskError&) {
    told = parse_a.status() == mitra::TaskStatus::failed && use_a.status() == mitra::TaskStatus::cancelled;
  }
  bool described = false;
  try {
    rt.wait();  // everything has finished or was cancelled; then the first failure is thrown
  } catch (const mitra::TaskError& error) {
    std::printf("%s\n", error.what());
    described = error.name == "parse" && error.where.line == line && error.id == parse_a.id();
    try {
      std::rethrow_exception(error.cause);  // what the body threw, of its own type
    } catch (const std::invalid_argument&) {
    }
  }
  const bool isolated = used_a == 0 && used_b == 1 && b == 40 && merged == 0;

  // The failure has been reported: the Runtime, and the data, are as good as new.
  rt.submit("load", load, A.write(), 2);
  rt.submit("parse", parse, A.readwrite());
  rt.wait();
  const bool recovered = a == 20;

  // A wrong call is an exception at the call. What types can tell is told earlier, by the compiler.
  mitra::Runtime other;
  const std::string message = misuse([&] { other.submit("load", load, A.write(), 1); });
  std::printf("%s\n", message.c_str());
  return told && described && isolated && recovered && !message.empty() ? 0 : 1;
}
