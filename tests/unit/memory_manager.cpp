// Replicas, room and transfers, one step at a time.
#include "memory/memory_manager.hpp"

#include "support/catch.hpp"
#include "unit/memory_rig.hpp"

using namespace mitra;
using memory::ReplicaEvent;
using memory::ReplicaState;
using test::MemoryRig;
using test::MemoryTask;

namespace {

constexpr NodeId kHost{0}, kOne{1}, kTwo{2};

MemoryTask reads(detail::DataHeader& a) { return MemoryTask({{&a, AccessMode::read}}); }
MemoryTask reads(detail::DataHeader& a, detail::DataHeader& b) {
  return MemoryTask({{&a, AccessMode::read}, {&b, AccessMode::read}});
}
MemoryTask writes(detail::DataHeader& a) { return MemoryTask({{&a, AccessMode::write}}); }
MemoryTask updates(detail::DataHeader& a) { return MemoryTask({{&a, AccessMode::readwrite}}); }

}  // namespace

TEST_CASE("the states of a replica are those of the table") {
  using S = ReplicaState;
  constexpr S kTable[3][4] = {{S::shared, S::modified, S::invalid, S::invalid},    // invalid
                              {S::shared, S::modified, S::shared, S::invalid},     // shared
                              {S::modified, S::modified, S::shared, S::invalid}};  // modified
  for (std::size_t state = 0; state < 3; ++state)
    for (std::size_t event = 0; event < 4; ++event)
      CHECK(memory::after(static_cast<S>(state), static_cast<ReplicaEvent>(event)) == kTable[state][event]);
}

TEST_CASE("what a device reads lies there and in the host's memory, what it writes lies there alone") {
  MemoryRig rig({0, 0, 0});
  auto& a = rig.datum(8);
  CHECK(rig.manager.bytes_missing(reads(a), kOne) == Bytes(8));
  CHECK(rig.manager.transfer_time(reads(a), kOne) == Seconds(8.0));
  rig.run(reads(a), kOne);
  CHECK(rig.started == 1);
  CHECK((rig.manager.holds(a, kHost) && rig.manager.holds(a, kOne) && !rig.manager.holds(a, kTwo)));
  CHECK(rig.manager.bytes_missing(reads(a), kOne) == Bytes(0));
  rig.run(reads(a), kOne);
  CHECK(rig.started == 1);  // it was there

  rig.run(updates(a), kOne);
  CHECK((!rig.manager.holds(a, kHost) && rig.manager.holds(a, kOne)));
  CHECK(rig.manager.used(kHost) == Bytes(0));
  rig.run(writes(a), kTwo);
  CHECK(rig.started == 1);  // old content is not fetched
  CHECK((rig.manager.holds(a, kTwo) && !rig.manager.holds(a, kOne)));
}

TEST_CASE("a datum that nobody has written comes to be in the host's memory when it is read") {
  MemoryRig rig({0, 0});
  auto& a = rig.datum(8, false);
  CHECK_FALSE(rig.manager.holds(a, kHost));
  CHECK(rig.manager.bytes_missing(reads(a), kHost) == Bytes(0));
  CHECK(rig.manager.bytes_missing(reads(a), kOne) == Bytes(8));
  rig.run(reads(a), kOne);
  CHECK((rig.manager.holds(a, kHost) && rig.manager.holds(a, kOne)));
}

TEST_CASE("room for all of a task is reserved before anything is fetched, in the order of asking") {
  MemoryRig rig({0, 3});
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum(), &d = rig.datum();
  const auto first = reads(a, b), second = reads(c, d), third = reads(c);
  const auto ticket1 = rig.acquire(first, kOne);
  const auto ticket2 = rig.acquire(second, kOne);
  CHECK(rig.copies.size() == 2);  // the second fetches nothing, though there is room for half of it
  const auto ticket3 = rig.acquire(third, kOne);
  CHECK(rig.copies.size() == 2);  // and the third does not overtake it
  rig.arrive_all();
  CHECK((rig.is_ready(ticket1) && !rig.is_ready(ticket2)));
  CHECK(rig.manager.room(kOne) == Bytes(1));
  rig.manager.release(first, kOne);
  CHECK(rig.copies.size() == 2);
  rig.arrive_all();
  CHECK((rig.is_ready(ticket2) && rig.is_ready(ticket3)));
  CHECK(rig.manager.peak(kOne) == Bytes(3));
}

TEST_CASE("what leaves a full memory is dropped if it lies elsewhere, too, and written back if not") {
  MemoryRig rig({0, 2});
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum();
  rig.run(updates(a), kOne);
  rig.run(reads(b), kOne);
  rig.run(updates(a), kOne);  // b is unused for longer now
  rig.run(reads(c), kOne);
  CHECK((rig.manager.holds(a, kOne) && !rig.manager.holds(b, kOne)));
  CHECK(rig.started == 3);
  CHECK(rig.manager.evictions() == 1);

  const auto task = reads(b);
  const auto ticket = rig.acquire(task, kOne);
  REQUIRE(rig.copies.size() == 1);  // back to the host first: there is no room for b before
  const MemoryRig::Copy copy = rig.arrive();
  CHECK((copy.from == kOne && copy.to == kHost));
  CHECK((rig.manager.holds(a, kHost) && !rig.manager.holds(a, kOne)));
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK(rig.manager.peak(kOne) == Bytes(2));
}

TEST_CASE("what a task has on the node does not leave it to make room for the rest of the task") {
  MemoryRig rig({0, 2});
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum();
  rig.run(reads(a), kOne);
  rig.run(reads(b), kOne);
  const auto task = reads(a, c);  // a is unused for longest
  const auto ticket = rig.acquire(task, kOne);
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK((rig.manager.holds(a, kOne) && !rig.manager.holds(b, kOne)));
  CHECK(rig.started == 3);
  CHECK(rig.manager.peak(kOne) == Bytes(2));
}

TEST_CASE("a prefetch that was overtaken by a write brings nothing") {
  MemoryRig rig({0, 4, 4});
  auto& a = rig.datum(2);
  rig.manager.prefetch(reads(a), kOne);
  REQUIRE(rig.copies.size() == 1);
  CHECK_FALSE(rig.copies[0].urgent);
  CHECK(rig.manager.holds(a, kOne));  // it is about to
  const auto task = writes(a);
  rig.acquire(task, kTwo);
  rig.manager.release(task, kTwo);
  CHECK_FALSE(rig.manager.holds(a, kOne));
  rig.arrive_all();
  CHECK_FALSE(rig.manager.holds(a, kOne));
  CHECK(rig.manager.used(kOne) == Bytes(0));
  CHECK(rig.manager.used(kHost) == Bytes(0));
}

TEST_CASE("who waits for a copy that was overtaken by a write gets the new content") {
  MemoryRig rig({0, 4, 4});
  auto& a = rig.datum();
  rig.manager.prefetch(reads(a), kOne);
  const auto write = writes(a), read = reads(a);
  rig.acquire(write, kTwo);
  rig.manager.release(write, kTwo);
  const auto ticket = rig.acquire(read, kOne);
  rig.arrive();
  CHECK_FALSE(rig.is_ready(ticket));
  REQUIRE(rig.copies.size() == 1);
  CHECK(rig.copies[0].from == kTwo);
  rig.arrive();
  CHECK(rig.is_ready(ticket));
}

TEST_CASE("a task that overwrites a datum waits for what is on its way to the same place") {
  MemoryRig rig({0, 4});
  auto& a = rig.datum();
  rig.manager.prefetch(reads(a), kOne);
  const auto task = writes(a);
  const auto ticket = rig.acquire(task, kOne);
  CHECK_FALSE(rig.is_ready(ticket));
  rig.arrive();
  CHECK(rig.is_ready(ticket));
}

TEST_CASE("a task that goes on after its children waits for copies of what it is going to write") {
  MemoryRig rig({0, 4, 4});
  auto& a = rig.datum();
  const auto parent = updates(a);
  const memory::Use uses[] = {{a.replicas, AccessMode::readwrite}};
  const auto ticket = rig.acquire(parent, kOne);
  rig.arrive_all();
  REQUIRE(rig.is_ready(ticket));
  rig.manager.publish(uses, kOne);
  rig.manager.prefetch(reads(a), kTwo);  // for a child, which runs elsewhere in the end
  rig.ready[ticket] = false;
  CHECK_FALSE(rig.manager.acquire_again(uses, kOne, ticket));
  rig.arrive();
  CHECK(rig.is_ready(ticket));
  rig.manager.release(parent, kOne);
  rig.manager.check();
}

TEST_CASE("what a memory fetches anew waits for copies of what it held before") {
  MemoryRig rig({0, 4, 4});
  auto& a = rig.datum();
  rig.run(updates(a), kOne);
  rig.manager.prefetch(reads(a), kTwo);
  const auto write = writes(a), read = reads(a);
  rig.acquire(write, kHost);
  rig.manager.release(write, kHost);
  const auto ticket = rig.acquire(read, kOne);
  REQUIRE(rig.copies.size() == 1);
  SECTION("and comes then") {
    CHECK(rig.arrive().to == kTwo);
    REQUIRE(rig.copies.size() == 1);
    CHECK(rig.arrive().to == kOne);
    CHECK(rig.is_ready(ticket));
  }
  SECTION("and ends where it has been overwritten meanwhile") {
    const auto next = writes(a);
    rig.acquire(next, kTwo);
    rig.arrive_all();
    CHECK(rig.is_ready(ticket));
  }
  SECTION("and ends where its memory is gone") {
    rig.manager.lose(kOne);
    rig.arrive_all();
    rig.manager.release_unused(std::span<const memory::Use>(), kOne);
  }
}

TEST_CASE("between memories that do not reach each other, data pass through the host's") {
  MemoryRig rig({0, 4, 4, 4});
  rig.joined = false;
  auto& a = rig.datum(2, false);
  rig.run(writes(a), kOne);
  CHECK(rig.manager.transfer_time(reads(a), kTwo) == Seconds(4.0));  // up, and down again
  const auto read = reads(a);
  const auto ticket = rig.acquire(read, kTwo);
  REQUIRE(rig.copies.size() == 1);
  CHECK((rig.copies[0].from == kOne && rig.copies[0].to == kHost && rig.copies[0].urgent));
  SECTION("one copy after the other") {
    rig.arrive();
    REQUIRE(rig.copies.size() == 1);
    CHECK((rig.copies[0].from == kHost && rig.copies[0].to == kTwo));
    rig.arrive();
    CHECK(rig.is_ready(ticket));
  }
  SECTION("once up for all who wait") {
    const auto also = rig.acquire(read, NodeId(3));
    CHECK(rig.copies.size() == 1);
    rig.arrive();
    CHECK(rig.copies.size() == 2);
    rig.arrive_all();
    CHECK((rig.is_ready(ticket) && rig.is_ready(also)));
  }
  SECTION("unless it is overwritten meanwhile") {
    const auto write = writes(a);
    rig.acquire(write, NodeId(3));
    rig.manager.release(write, NodeId(3));
    rig.arrive_all();
    CHECK(rig.is_ready(ticket));
    CHECK(rig.manager.holds(a, kTwo));
  }
}

TEST_CASE("what is restored while an older copy is on its way to the same place is there when that has ended") {
  MemoryRig rig({0, 4, 4, 4});
  auto& a = rig.datum(1, false);
  rig.run(writes(a), kOne);
  rig.manager.write_back(a);
  REQUIRE(rig.copies.size() == 1);
  const auto update = writes(a);
  rig.acquire(update, kTwo);
  rig.manager.release(update, kTwo);
  REQUIRE(rig.manager.lose(kTwo) == std::vector{a.replicas});
  rig.manager.restore(a.replicas);
  CHECK(rig.put.empty());
  const auto read = reads(a);
  const auto ticket = rig.acquire(read, NodeId(3));
  const auto at_home = rig.acquire(read, kHost);
  CHECK_FALSE((rig.is_ready(ticket) || rig.is_ready(at_home)));
  SECTION("then others fetch it from there") {
    rig.arrive();
    CHECK(rig.is_ready(at_home));
    CHECK(rig.manager.state(a.replicas, kHost) != ReplicaState::invalid);
    rig.arrive_all();
    CHECK(rig.is_ready(ticket));
    CHECK_FALSE(rig.manager.holds(a, kOne));
  }
  SECTION("also if the older copy's source is lost meanwhile") {
    CHECK(rig.manager.lose(kOne).empty());
    CHECK(rig.put.empty());
    rig.arrive_all();
    CHECK((rig.is_ready(ticket) && rig.is_ready(at_home)));
  }
  CHECK(rig.put == std::vector{a.replicas});
}

TEST_CASE("what is restored while older content is on its way from there is put there when that has ended") {
  MemoryRig rig({0, 4, 4});
  auto& a = rig.datum();
  const auto read = reads(a);
  rig.manager.prefetch(read, kTwo);  // slow: it is overtaken by a task that writes
  REQUIRE(rig.copies.size() == 1);
  const auto update = MemoryTask({{&a, AccessMode::readwrite}});
  const auto updated = rig.acquire(update, kOne);
  rig.arrive(1);
  REQUIRE(rig.is_ready(updated));
  rig.manager.release(update, kOne);
  REQUIRE(rig.manager.lose(kOne) == std::vector{a.replicas});
  rig.manager.restore(a.replicas);
  rig.manager.check();
  CHECK(rig.put.empty());
  CHECK(rig.manager.is_written(a.replicas));
  SECTION("readers wait for it") {
    const auto at_home = rig.acquire(read, kHost), there = rig.acquire(read, kTwo);
    CHECK_FALSE((rig.is_ready(at_home) || rig.is_ready(there)));
    rig.arrive();
    CHECK(rig.put == std::vector{a.replicas});
    CHECK(rig.is_ready(at_home));
    rig.arrive_all();
    CHECK(rig.is_ready(there));
  }
  SECTION("nobody waits for it") {
    rig.arrive_all();
    CHECK(rig.put == std::vector{a.replicas});
    CHECK(rig.manager.state(a.replicas, kHost) == ReplicaState::modified);
  }
  SECTION("who replaces it makes it needless") {
    const auto write = writes(a);
    const auto ticket = rig.acquire(write, kHost);
    CHECK_FALSE(rig.is_ready(ticket));  // the copy still reads there
    rig.arrive_all();
    REQUIRE(rig.is_ready(ticket));
    rig.manager.release(write, kHost);
    CHECK(rig.manager.state(a.replicas, kHost) == ReplicaState::modified);
  }
  SECTION("it may be forgotten") {
    rig.manager.forget(a);
    rig.arrive_all();
    CHECK(rig.put.empty());
  }
  rig.manager.check();
}

TEST_CASE("what a task is overwriting is not restored under its hands") {
  MemoryRig rig({0, 4});
  auto& a = rig.datum(1, false);
  rig.run(writes(a), kOne);
  const auto write = writes(a);
  REQUIRE(rig.is_ready(rig.acquire(write, kHost)));
  REQUIRE(rig.manager.lose(kOne) == std::vector{a.replicas});
  rig.manager.restore(a.replicas);
  CHECK(rig.put.empty());
  rig.manager.release(write, kHost);
  rig.manager.check();
  CHECK(rig.manager.holds(a, kHost));
}

TEST_CASE("who waits for a copy of what is lost for good is refused") {
  MemoryRig rig({0, 4});
  auto& a = rig.datum(1, false);
  rig.run(writes(a), kOne);
  const auto read = reads(a);
  const auto ticket = rig.acquire(read, kHost);
  REQUIRE(rig.copies.size() == 1);
  REQUIRE(rig.manager.lose(kOne) == std::vector{a.replicas});
  rig.manager.give_up(a.replicas);
  rig.arrive_all();
  CHECK_FALSE(rig.is_ready(ticket));
  CHECK(rig.refused == std::vector{ticket});
}

TEST_CASE("who replaces what is lost for good is not refused") {
  MemoryRig rig({0, 4});
  auto& a = rig.datum(1, false);
  rig.run(writes(a), kOne);
  rig.manager.write_back(a);
  REQUIRE(rig.copies.size() == 1);
  const auto write = writes(a);
  const auto ticket = rig.acquire(write, kHost);  // it waits for the copy, which would land on top of what it writes
  REQUIRE_FALSE(rig.is_ready(ticket));
  REQUIRE(rig.manager.lose(kOne) == std::vector{a.replicas});
  rig.manager.give_up(a.replicas);
  rig.arrive_all();
  CHECK(rig.refused.empty());
  REQUIRE(rig.is_ready(ticket));
  rig.manager.release(write, kHost);
  CHECK(rig.manager.holds(a, kHost));
}

TEST_CASE("what is used last leaves a full memory first, what nobody will use before that") {
  MemoryRig rig({0, 3});
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum(), &d = rig.datum();
  REQUIRE(rig.manager.is_tight());
  rig.run(reads(a), kOne);
  rig.run(reads(b), kOne);
  rig.run(reads(c), kOne);
  std::vector<MemoryTask> future;
  std::uint64_t id = 0;
  const auto submit = [&](detail::DataHeader& datum) {
    future.push_back(reads(datum));
    future.back().header().id.store(++id);
    future.back().header().successors.store(detail::generation_of(id));
    rig.manager.will_use(future.back());
  };
  SECTION("the farthest next use") {
    submit(a), submit(c), submit(b), submit(a), submit(c);
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(b, kOne));
  }
  SECTION("no use at all") {
    submit(a), submit(b);
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(c, kOne));
  }
  SECTION("tasks that may run come before others, in the order in which they became ready") {
    submit(a), submit(b), submit(c), submit(a);
    rig.manager.may_run(future[2]);
    rig.manager.may_run(future[1]);
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(a, kOne));
  }
  SECTION("and among themselves by that order") {
    submit(a), submit(b), submit(c);
    for (const std::size_t next : {2U, 0U, 1U}) rig.manager.may_run(future[next]);
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(b, kOne));
  }
  SECTION("uses that are over do not count") {
    submit(b), submit(a), submit(c);
    future[0].header().successors.store(detail::generation_of(1) | detail::kClosed);
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(b, kOne));
  }
  SECTION("without any, the least recently used") {
    rig.run(reads(d), kOne);
    CHECK_FALSE(rig.manager.holds(a, kOne));
  }
  rig.manager.check();
}

TEST_CASE("a prefetch takes free room only, and none from those who wait") {
  MemoryRig rig({0, 2});
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum();
  rig.run(reads(a, b), kOne);
  rig.manager.prefetch(reads(c), kOne);
  CHECK(rig.copies.empty());
  CHECK(rig.manager.evictions() == 0);
}

TEST_CASE("where the host's memory is full, a device's data find refuge in that of another") {
  MemoryRig rig({2, 1, 1});
  auto &a = rig.datum(1, false), &b = rig.datum(2), &c = rig.datum(1, false);
  rig.run(writes(a), kOne);
  const auto task = writes(c);
  const auto ticket = rig.acquire(task, kOne);
  REQUIRE(rig.copies.size() == 1);
  CHECK(rig.copies[0].to == kTwo);
  rig.arrive();
  CHECK(rig.is_ready(ticket));
  CHECK((rig.manager.holds(a, kTwo) && rig.manager.holds(b, kHost)));
}

TEST_CASE("data that lie elsewhere, too, leave the host's memory for those that have no other place") {
  MemoryRig rig({1, 2});
  auto &a = rig.datum(1), &b = rig.datum(1, false), &c = rig.datum(1, false);
  rig.run(reads(a), kOne);  // a lies in both
  rig.run(writes(b), kOne);
  rig.run(reads(a), kOne);  // b is unused for longer than a
  const auto task = writes(c);
  const auto ticket = rig.acquire(task, kOne);
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK((rig.manager.holds(b, kHost) && !rig.manager.holds(a, kHost) && rig.manager.holds(a, kOne)));
  CHECK((rig.manager.used(kHost) <= Bytes(1) && rig.manager.used(kOne) <= Bytes(2)));
}

TEST_CASE("where the longest unused cannot leave, another one does") {
  MemoryRig rig({1, 3});
  auto &a = rig.datum(2, false), &b = rig.datum(1), &c = rig.datum(1, false);
  rig.run(writes(a), kOne);  // no other memory has room for it
  rig.run(reads(b), kOne);
  const auto task = writes(c);
  const auto ticket = rig.acquire(task, kOne);
  CHECK(rig.is_ready(ticket));
  CHECK((rig.manager.holds(a, kOne) && !rig.manager.holds(b, kOne)));
}

TEST_CASE("what leaves a full device takes the place that a task holds at home if that waits for others, and not if it may be writing there") {
  MemoryRig rig({0, 2});
  auto &a = rig.datum(2), &b = rig.datum(2);
  const auto next = reads(b);
  SECTION("it waits: its child has written on the device") {
    const auto parent = updates(a);
    const memory::Use uses[] = {{a.replicas, AccessMode::readwrite}};
    REQUIRE(rig.is_ready(rig.acquire(parent, kHost)));
    rig.manager.publish(uses, kHost);
    rig.run(updates(a), kOne);
    const auto ticket = rig.acquire(next, kOne);
    REQUIRE(rig.copies.size() == 1);
    CHECK(rig.copies[0].to == kHost);
    rig.arrive_all();
    CHECK(rig.is_ready(ticket));
    rig.manager.resume(uses, kHost);
    rig.manager.release_unused(uses, kHost);
  }
  SECTION("it overwrites") {
    rig.run(updates(a), kOne);
    const auto write = writes(a);
    REQUIRE(rig.is_ready(rig.acquire(write, kHost)));
    const auto ticket = rig.acquire(next, kOne);
    CHECK(rig.copies.empty());
    rig.manager.release(write, kHost);
    rig.arrive_all();
    CHECK(rig.is_ready(ticket));
  }
  rig.manager.release(next, kOne);
  rig.manager.check();
}

TEST_CASE("where a node turns out to be smaller than it says, what is unused there leaves for the task that found out") {
  MemoryRig rig({0, 6});
  auto &a = rig.datum(2), &b = rig.datum(2), &c = rig.datum(2), &d = rig.datum(2);
  const MemoryTask first({{&a, AccessMode::read}, {&b, AccessMode::read}}), second({{&c, AccessMode::read}, {&d, AccessMode::read}});
  REQUIRE_FALSE(rig.is_ready(rig.acquire(first, kOne)));
  rig.arrive_all();
  const auto ticket = rig.acquire(second, kOne);  // waits for room
  rig.full_node = kOne;
  rig.until_full = 2;
  rig.manager.release(first, kOne);  // with one of these there is room for one of the others
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK(rig.manager.capacity(kOne) == Bytes(4));
  CHECK(rig.manager.used(kOne) == Bytes(4));
}

TEST_CASE("a device without a limit has one when an allocation has failed") {
  MemoryRig rig({0, 0});
  auto &a = rig.datum(2), &b = rig.datum(2);
  rig.run(reads(a), kOne);
  rig.full_node = kOne;
  rig.until_full = 1;
  rig.run(reads(b), kOne);
  CHECK(rig.manager.capacity(kOne) == Bytes(2));
  CHECK_FALSE(rig.manager.holds(a, kOne));
}

TEST_CASE("a transition whose data are lost is refused when what is under way of its other data has ended") {
  MemoryRig rig({0, 0, 0});
  auto &a = rig.datum(), &b = rig.datum();
  rig.run(MemoryTask({{&a, AccessMode::readwrite}}), kOne);
  rig.run(MemoryTask({{&b, AccessMode::readwrite}}), kTwo);
  rig.manager.write_back(b);
  REQUIRE(rig.copies.size() == 1);
  REQUIRE(rig.manager.lose(kOne) == std::vector{a.replicas});
  rig.manager.give_up(a.replicas);
  const std::vector<memory::Use> uses{{a.replicas, AccessMode::read}, {b.replicas, AccessMode::scratch}};
  rig.ready.push_back(false);
  CHECK_FALSE(rig.manager.acquire(uses, rig.host, 0));
  CHECK(rig.refused.empty());
  rig.arrive();
  CHECK(rig.refused == std::vector<std::uint32_t>{0});
  // At once, where nothing is under way.
  rig.ready.push_back(false);
  CHECK_FALSE(rig.manager.acquire(uses, rig.host, 1));
  CHECK(rig.refused == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("who finds no room elsewhere for what is to leave goes on when there is some") {
  MemoryRig rig({1, 1, 1});
  auto &a = rig.datum(1, false), &b = rig.datum(1), &c = rig.datum(1, false), &d = rig.datum(1, false);
  rig.run(writes(a), kOne);
  const auto holder = writes(d);
  rig.acquire(holder, kTwo);  // b fills the host, d the other device
  const auto task = writes(c);
  const auto ticket = rig.acquire(task, kOne);
  CHECK_FALSE(rig.is_ready(ticket));
  CHECK(rig.copies.empty());
  rig.manager.release_unused(holder, kTwo);
  REQUIRE(rig.copies.size() == 1);
  rig.arrive();
  CHECK(rig.is_ready(ticket));
  CHECK((rig.manager.holds(a, kTwo) && rig.manager.holds(b, kHost)));
}

TEST_CASE("a datum that was fetched while it was written back lies in both places, modified in none") {
  MemoryRig rig({0, 1, 1});
  auto &a = rig.datum(1, false), &b = rig.datum(1, false);
  rig.run(writes(a), kOne);
  const auto next = writes(b), read = reads(a);
  rig.acquire(next, kOne);
  const auto ticket = rig.acquire(read, kTwo);
  REQUIRE(rig.copies.size() == 2);
  rig.arrive(1);  // the reader's comes first
  CHECK(rig.is_ready(ticket));
  rig.arrive();   // check() would tell of a modified replica beside another
  CHECK((rig.manager.holds(a, kHost) && rig.manager.holds(a, kTwo) && !rig.manager.holds(a, kOne)));
}

TEST_CASE("what is used again while it is written back stays") {
  MemoryRig rig({0, 2});
  auto &a = rig.datum(1, false), &b = rig.datum(1), &c = rig.datum(2);
  rig.run(writes(a), kOne);
  rig.run(reads(b), kOne);
  const auto large = reads(c), again = updates(a);
  const auto waiting = rig.acquire(large, kOne);
  const auto ticket = rig.acquire(again, kOne);
  CHECK_FALSE(rig.is_ready(ticket));  // nothing is written while it is copied
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK_FALSE(rig.is_ready(waiting));
  rig.manager.release(again, kOne);
  rig.manager.check();
  rig.arrive_all();
  CHECK(rig.is_ready(waiting));
  CHECK((rig.manager.holds(a, kHost) && !rig.manager.holds(a, kOne)));
}

TEST_CASE("a task that did not run gives back what it would have written") {
  MemoryRig rig({0, 2});
  auto& a = rig.datum(2);
  const auto task = writes(a);
  rig.acquire(task, kOne);
  CHECK(rig.manager.used(kOne) == Bytes(2));
  rig.manager.release_unused(task, kOne);
  CHECK(rig.manager.used(kOne) == Bytes(0));
  CHECK(rig.manager.holds(a, kHost));
}

TEST_CASE("the client chooses victims among what is unused, the longest unused first") {
  MemoryRig rig({0, 3}, true);
  auto &a = rig.datum(), &b = rig.datum(), &c = rig.datum(), &d = rig.datum();
  rig.run(reads(a), kOne);
  rig.run(reads(b), kOne);
  const auto holder = reads(c);
  rig.acquire(holder, kOne);
  rig.arrive_all();
  rig.wanted_victim = &b;
  const auto ticket = rig.acquire(reads(d), kOne);
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  CHECK((rig.offered == std::vector<const void*>{&a, &b}));
  CHECK((rig.manager.holds(a, kOne) && !rig.manager.holds(b, kOne)));
}

TEST_CASE("contributions to a reduction are fetched by the task that folds them, and their room is not counted") {
  MemoryRig rig({0, 4, 4});
  auto& sum = rig.datum(2);
  const MemoryTask part({{&sum, AccessMode::reduce}});
  rig.run(part, kOne);
  rig.run(part, kTwo);
  rig.run(part, kTwo);
  CHECK((rig.manager.used(kOne) == Bytes(0) && rig.manager.used(kTwo) == Bytes(0)));
  const MemoryTask fold({{&sum, AccessMode::readwrite}});
  fold.header().traits = detail::kInternal;
  const auto ticket = rig.acquire(fold, kHost);
  CHECK(rig.copies.size() == 2);
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  rig.manager.release(fold, kHost);
  CHECK((rig.manager.used(kOne) == Bytes(0) && rig.manager.used(kTwo) == Bytes(0)));
}

TEST_CASE("a datum may be forgotten while copies of it are under way") {
  MemoryRig rig({0, 4});
  for (int round = 0; round < 3; ++round) {
    auto& a = rig.datum(2);
    rig.manager.prefetch(reads(a), kOne);
    rig.manager.forget(a);
    auto& b = rig.datum(1);  // must not get the number of a, which copies still name
    rig.arrive_all();
    CHECK(rig.manager.used(kOne) == Bytes(0));
    CHECK(rig.manager.used(kHost) == Bytes(1));
    CHECK(b.replicas <= 2);  // numbers are used again
    rig.manager.forget(b);
  }
  CHECK(rig.manager.used(kHost) == Bytes(0));
}

TEST_CASE("the working set of a task counts each datum once") {
  MemoryRig rig({0, 0});
  auto &a = rig.datum(3), &b = rig.datum(4);
  const MemoryTask task({{&a, AccessMode::read}, {&b, AccessMode::write}, {&a, AccessMode::write}});
  CHECK(memory::MemoryManager::working_set(task) == Bytes(7));
  rig.run(task, kOne);
  CHECK((rig.manager.holds(a, kOne) && !rig.manager.holds(a, kHost)));
}
