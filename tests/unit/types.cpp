// Units, identities and packed words: what they compute, and what they refuse to mix.
#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/machine.hpp>
#include <mitra/source_location.hpp>
#include <mitra/types.hpp>
#include <unordered_set>

#include "support/catch.hpp"

using namespace mitra;

template <class A, class B>
concept Addable = requires(A a, B b) { a + b; };
template <class A, class B>
concept Comparable = requires(A a, B b) { a < b; };

TEST_CASE("quantities of one unit add, compare, scale and divide") {
  CHECK(Seconds(1.5) + Seconds(2.0) == Seconds(3.5));
  CHECK(Seconds(1.5) - Seconds(2.0) == Seconds(-0.5));
  CHECK(Seconds(1.5) < Seconds(2.0));
  CHECK(Joules(3.0) * 2.0 == Joules(6.0));
  CHECK(2.0 * Joules(3.0) == Joules(6.0));
  CHECK(Joules(3.0) / 2.0 == Joules(1.5));
  CHECK(Watts(3.0) / Watts(2.0) == 1.5);
  Seconds sum{1.0};
  sum += Seconds(2.0);
  sum -= Seconds(0.5);
  CHECK(sum == Seconds(2.5));
  CHECK(Seconds() == Seconds(0.0));
}

TEST_CASE("power, energy and time convert into each other") {
  CHECK(Watts(180.0) * Seconds(2.0) == Joules(360.0));
  CHECK(Seconds(2.0) * Watts(180.0) == Joules(360.0));
  CHECK(Joules(360.0) / Seconds(2.0) == Watts(180.0));
  CHECK(Joules(360.0) / Watts(180.0) == Seconds(2.0));
}

TEST_CASE("different units and plain numbers do not mix") {
  STATIC_REQUIRE(Addable<Seconds, Seconds>);
  STATIC_REQUIRE_FALSE(Addable<Seconds, Joules>);
  STATIC_REQUIRE_FALSE(Addable<Seconds, double>);
  STATIC_REQUIRE_FALSE(Addable<Bytes, Seconds>);
  STATIC_REQUIRE_FALSE(Comparable<Seconds, Watts>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<double, Seconds>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Seconds, double>);
}

TEST_CASE("bytes add and compare") {
  Bytes sum = Bytes(3) + Bytes(4);
  sum += Bytes(1);
  CHECK(sum == Bytes(8));
  CHECK(Bytes(3) < Bytes(4));
}

TEST_CASE("identities compare, hash and index, but are no numbers") {
  CHECK_FALSE(TaskId().valid());
  CHECK(WorkerId(0).valid());
  CHECK(WorkerId(3).index() == 3);
  CHECK(TaskId(3) < TaskId(4));
  const std::unordered_set<TaskId> set{TaskId(1), TaskId(2), TaskId(1)};
  CHECK(set.size() == 2);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<WorkerId, TaskId>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<TaskId, WorkerId>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<int, WorkerId>);
  STATIC_REQUIRE_FALSE(Addable<WorkerId, WorkerId>);
  STATIC_REQUIRE_FALSE(Comparable<WorkerId, TaskId>);
}

TEST_CASE("a packed location gives back the file and the line") {
  const SourceLocation here = SourceLocation::current();
  const SourceLocation unpacked = detail::PackedLocation(here).unpack();
  CHECK(unpacked.file == here.file);
  CHECK(unpacked.line == here.line);
  CHECK(detail::PackedLocation(SourceLocation{"f", 65534}).unpack().line == 65534);
  CHECK(detail::PackedLocation(SourceLocation{"f", 70000}).unpack().line == 65535);
}

TEST_CASE("an access word keeps the datum and the mode apart") {
  detail::DataHeader datum;
  for (const AccessMode mode : {AccessMode::read, AccessMode::write, AccessMode::readwrite, AccessMode::commute,
                                AccessMode::reduce, AccessMode::scratch}) {
    const detail::AccessWord word(&datum, mode);
    CHECK(word.data() == &datum);
    CHECK(word.mode() == mode);
  }
  CHECK(detail::AccessWord(nullptr, AccessMode::scratch).data() == nullptr);
}

TEST_CASE("access modes have the names of the documentation") {
  CHECK(to_string(AccessMode::read) == std::string("read"));
  CHECK(to_string(AccessMode::write) == std::string("write"));
  CHECK(to_string(AccessMode::readwrite) == std::string("readwrite"));
  CHECK(to_string(AccessMode::commute) == std::string("commute"));
  CHECK(to_string(AccessMode::reduce) == std::string("reduce"));
  CHECK(to_string(AccessMode::scratch) == std::string("scratch"));
  CHECK(to_string(WorkerKind::cpu) == std::string("cpu"));
  CHECK(to_string(WorkerKind::hip) == std::string("hip"));
}

TEST_CASE("distances follow core, cache, memory domain and machine") {
  Machine machine;
  const auto add = [&](int processor, int l3, int numa) {
    Worker worker;
    worker.id = WorkerId(static_cast<std::uint32_t>(machine.workers.size()));
    worker.processor = processor;
    worker.l3_domain = l3;
    worker.numa_domain = numa;
    machine.workers.push_back(worker);
    return worker.id;
  };
  const WorkerId a = add(0, 0, 0), same_core = add(0, 0, 0), same_cache = add(1, 0, 0), same_numa = add(2, 1, 0),
                 far = add(3, 2, 1), unbound = add(-1, 3, 1);
  CHECK(machine.distance(a, same_core) == 0);
  CHECK(machine.distance(a, same_cache) == 1);
  CHECK(machine.distance(a, same_numa) == 2);
  CHECK(machine.distance(a, far) == 3);
  CHECK(machine.distance(far, unbound) == 2);
  for (const Worker& x : machine.workers)
    for (const Worker& y : machine.workers) CHECK(machine.distance(x.id, y.id) == machine.distance(y.id, x.id));
}
