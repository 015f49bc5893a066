// A machine in virtual time: launches, timers, copies and their engines, the clock, and what is counted.
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <mitra/error.hpp>
#include <mitra/sim_driver.hpp>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace mitra;
using Kind = SimCompletion::Kind;
using mitra::test::contains;

namespace {

/// Two compute nodes, each a host (memories 0 and 3) and two GPUs (1, 2 and 4, 5) with two copy engines in each
/// direction. Bytes go at 10/s in and out of a GPU, at 100/s through a host, at 5/s in and out of the network.
MachineDescription two_nodes() {
  constexpr std::uint32_t kMemories = 3;
  MachineDescription machine;
  machine.name = "two nodes";
  machine.compute_nodes = 2;
  machine.memories_per_node = kMemories;
  const auto worker_class = [&](WorkerKind kind, unsigned count, const char* memory) {
    WorkerClassDescription one;
    one.kind = kind;
    one.count = count;
    one.memory = memory;
    one.copy_engines = 2;
    machine.classes.push_back(one);
  };
  worker_class(WorkerKind::cpu, 8, "dram");
  worker_class(WorkerKind::hip, 2, "hbm");
  for (unsigned node = 0; node < 2; ++node) {
    for (unsigned i = 0; i < kMemories; ++i) {
      MemoryDescription memory;
      memory.name = "memory" + std::to_string(node * kMemories + i);
      memory.group = i == 0 ? "dram" : "hbm";
      memory.compute_node = node;
      machine.memories.push_back(memory);
      machine.links.push_back({"in" + std::to_string(i), i == 0 ? 100.0 : 10.0, 2.0});
      machine.links.push_back({"out" + std::to_string(i), i == 0 ? 100.0 : 10.0, 0.5});
    }
    machine.links.push_back({"to network", 5.0, 10.0});
    machine.links.push_back({"from network", 5.0, 10.0});
  }
  machine.links_per_node = 2 * kMemories + 2;
  for (std::uint32_t from = 0; from < kMemories; ++from)
    for (std::uint32_t to = 0; to < kMemories; ++to)
      machine.local_routes.push_back(from == to ? Route{} : Route{{2 * from + 1, 2 * to}, Seconds(1.0)});
  for (std::uint32_t memory = 0; memory < 2 * kMemories; ++memory) {
    const std::uint32_t first = memory / kMemories * machine.links_per_node, local = memory % kMemories;
    machine.to_network.push_back({{first + 2 * local + 1, first + 2 * kMemories}, Seconds(2.0)});
    machine.from_network.push_back({{first + 2 * kMemories + 1, first + 2 * local}, Seconds(3.0)});
  }
  return machine;
}

struct Rig {
  MachineDescription machine = two_nodes();
  SimDriver driver{machine};

  void copy(unsigned from, unsigned to, std::uint64_t size, std::uint64_t token, bool urgent = false) {
    driver.copy(NodeId(from), NodeId(to), Bytes(size), urgent, token);
  }
  SimCompletion next() {
    SimCompletion completion;
    REQUIRE(driver.next(completion));
    REQUIRE(completion.time == driver.now());
    return completion;
  }
  /// The next one is this.
  void expect(Kind kind, std::uint64_t token, double time) {
    const SimCompletion got = next();
    CHECK(got.kind == kind);
    CHECK(got.token == token);
    CHECK(got.time.value == Approx(time));
  }
  void expect_nothing() {
    SimCompletion completion;
    CHECK_FALSE(driver.next(completion));
    CHECK(std::isinf(driver.next_time().value));
  }
};

}  // namespace

TEST_CASE("launches and timers complete in virtual time, at the same time in the order of the calls") {
  Rig rig;
  CHECK(rig.driver.now() == Seconds(0.0));
  rig.expect_nothing();
  rig.driver.launch(Seconds(3.0), 1);
  rig.driver.timer(Seconds(2.0), 2);
  rig.driver.launch(Seconds(2.0), 3);
  rig.driver.launch(Seconds(0.0), 1);  // A token may come twice.
  CHECK(rig.driver.next_time() == Seconds(0.0));
  rig.expect(Kind::launch, 1, 0.0);
  rig.expect(Kind::timer, 2, 2.0);
  rig.driver.launch(Seconds(1.0), 4);
  rig.expect(Kind::launch, 3, 2.0);
  rig.expect(Kind::launch, 1, 3.0);
  rig.expect(Kind::launch, 4, 3.0);
  rig.expect_nothing();
  CHECK(rig.driver.now() == Seconds(3.0));
}

TEST_CASE("a launch that is taken back does not complete") {
  Rig rig;
  const SimEventId first = rig.driver.launch(Seconds(1.0), 1);
  const SimEventId second = rig.driver.launch(Seconds(2.0), 2);
  CHECK(rig.driver.take_back(first));
  CHECK_FALSE(rig.driver.take_back(first));
  rig.expect(Kind::launch, 2, 2.0);
  CHECK_FALSE(rig.driver.take_back(second));
  CHECK_FALSE(rig.driver.take_back(SimEventId{}));
  rig.expect_nothing();
}

TEST_CASE("copies overlap with launches, and share links") {
  Rig rig;
  rig.driver.launch(Seconds(2.5), 1);
  rig.copy(0, 1, 20, 2);  // 1 s of latency; alone: 2 s.
  rig.copy(0, 1, 10, 3);
  rig.copy(1, 0, 30, 4);  // The other direction.
  CHECK(rig.driver.backlog(NodeId(0), NodeId(1)).value == Approx(3.0));  // 30 bytes at 10 a second
  CHECK(rig.driver.next_time() == Seconds(1.0));
  rig.expect(Kind::launch, 1, 2.5);
  CHECK(rig.driver.link_bytes()[2] == Approx(15.0));  // Into memory 1.
  rig.expect(Kind::copy, 3, 3.0);
  CHECK(rig.driver.backlog(NodeId(0), NodeId(1)).value == Approx(2.0));
  rig.expect(Kind::copy, 2, 4.0);
  rig.expect(Kind::copy, 4, 4.0);
  CHECK(rig.driver.backlog(NodeId(0), NodeId(1)) == Seconds(0.0));
  CHECK(rig.driver.backlog(NodeId(1), NodeId(0)) == Seconds(0.0));
  CHECK(rig.driver.backlog(NodeId(1), NodeId(1)) == Seconds(0.0));
  rig.expect_nothing();
}

TEST_CASE("at the same time, copies come before launches") {
  Rig rig;
  rig.driver.launch(Seconds(2.0), 1);
  rig.copy(0, 1, 10, 2);
  rig.expect(Kind::copy, 2, 2.0);
  rig.expect(Kind::launch, 1, 2.0);
}

TEST_CASE("a GPU's copy engines are a limit, urgent copies go first") {
  Rig rig;
  for (std::uint64_t i = 0; i < 5; ++i) rig.copy(0, 1, 10, i);
  rig.copy(0, 1, 10, 10, true);
  rig.copy(0, 1, 10, 11, true);
  rig.copy(1, 0, 10, 20);  // Engines in the other direction are others.
  rig.copy(0, 2, 10, 30);  // So are those of another GPU.
  CHECK(rig.driver.waiting_copies() == 5);
  rig.expect(Kind::copy, 20, 2.0);
  rig.expect(Kind::copy, 30, 2.0);
  rig.expect(Kind::copy, 0, 3.0);  // Two at a time share the link: 1 s of latency and 2 s of bytes.
  rig.expect(Kind::copy, 1, 3.0);
  CHECK(rig.driver.waiting_copies() == 3);
  rig.expect(Kind::copy, 10, 6.0);
  rig.expect(Kind::copy, 11, 6.0);
  rig.expect(Kind::copy, 2, 9.0);
  rig.expect(Kind::copy, 3, 9.0);
  CHECK(rig.driver.waiting_copies() == 0);
  rig.expect(Kind::copy, 4, 11.0);
  rig.expect_nothing();
}

TEST_CASE("a copy to a GPU takes an engine of the target, else one of the source, between hosts none") {
  Rig rig;
  rig.copy(1, 2, 10, 1);
  rig.copy(1, 2, 10, 2);
  rig.copy(0, 2, 10, 3);
  rig.copy(1, 0, 10, 4);
  CHECK(rig.driver.waiting_copies() == 1);
  rig.copy(1, 0, 10, 5);
  rig.copy(1, 0, 10, 6);  // To a host: an engine of the source.
  CHECK(rig.driver.waiting_copies() == 2);
  for (std::uint64_t i = 0; i < 9; ++i) rig.copy(0, 3, 10, 100 + i);
  CHECK(rig.driver.waiting_copies() == 2);
  for (int i = 0; i < 15; ++i) rig.next();
  rig.expect_nothing();
}

TEST_CASE("GPUs that share a memory bring all their engines, and a memory without GPUs has no limit") {
  MachineDescription machine = two_nodes();
  machine.classes[1].count = 6;  // Three a memory, two engines each.
  SimDriver driver(machine);
  for (std::uint64_t i = 0; i < 7; ++i) driver.copy(NodeId(0), NodeId(1), Bytes(10), false, i);
  CHECK(driver.waiting_copies() == 1);
}

TEST_CASE("what is copied is counted by kind, and links draw energy") {
  Rig rig;
  rig.copy(0, 1, 100, 1);
  rig.copy(1, 0, 200, 2);
  rig.copy(1, 2, 300, 3);
  rig.copy(2, 4, 400, 4);
  rig.copy(0, 3, 0, 5);
  rig.expect(Kind::copy, 5, 5.0);
  CHECK(rig.driver.traffic().network == Bytes(0));
  for (int i = 0; i < 4; ++i) rig.next();
  CHECK(rig.driver.traffic().host_to_device == Bytes(100));
  CHECK(rig.driver.traffic().device_to_host == Bytes(200));
  CHECK(rig.driver.traffic().device_to_device == Bytes(300));
  CHECK(rig.driver.traffic().host_to_host == Bytes(0));
  CHECK(rig.driver.traffic().network == Bytes(400));
  const std::vector<double> bytes = rig.driver.link_bytes();
  REQUIRE(bytes.size() == 16);
  CHECK(bytes[0] == 200.0);   // Into memory 0.
  CHECK(bytes[3] == 500.0);   // Out of memory 1.
  CHECK(bytes[6] == 400.0);   // To the network.
  CHECK(bytes[15] == 400.0);  // From it, at the other compute node.
  CHECK(bytes[14] == 0.0);
  CHECK(rig.driver.link_energy().value == Approx(600 * 2.5 + 400 * (0.5 + 10.0 + 10.0 + 2.0)));
}

TEST_CASE("the time of a transfer on idle links is what a copy alone takes") {
  for (std::uint32_t from = 0; from < 6; ++from)
    for (std::uint32_t to = 0; to < 6; ++to) {
      Rig rig;
      const Seconds expected = rig.driver.transfer_time(NodeId(from), NodeId(to), Bytes(1000));
      if (from == to) {
        CHECK(expected == Seconds(0.0));
        continue;
      }
      rig.copy(from, to, 1000, 1);
      rig.expect(Kind::copy, 1, expected.value);
    }
  Rig rig;
  CHECK(rig.driver.transfer_time(NodeId(0), NodeId(1), Bytes(50)) == Seconds(6.0));
  CHECK(rig.driver.transfer_time(NodeId(0), NodeId(4), Bytes(50)) == Seconds(15.0));
}

TEST_CASE("the clock goes no further than to the first completion") {
  Rig rig;
  CHECK(rig.driver.advance_to(Seconds(4.0)) == Seconds(4.0));
  CHECK(rig.driver.now() == Seconds(4.0));
  rig.driver.launch(Seconds(10.0), 1);
  rig.copy(0, 1, 20, 2);  // Arrives at 7.
  CHECK(rig.driver.advance_to(Seconds(6.0)) == Seconds(6.0));
  rig.copy(0, 2, 10, 3);  // At 8.
  CHECK(rig.driver.advance_to(Seconds(20.0)) == Seconds(7.0));
  CHECK(rig.driver.advance_to(Seconds(20.0)) == Seconds(7.0));
  rig.expect(Kind::copy, 2, 7.0);
  rig.expect(Kind::copy, 3, 8.0);
  CHECK(rig.driver.advance_to(Seconds(20.0)) == Seconds(14.0));
  rig.expect(Kind::launch, 1, 14.0);
  CHECK(rig.driver.advance_to(Seconds(20.0)) == Seconds(20.0));
  CHECK_THROWS_WITH(rig.driver.advance_to(Seconds(19.0)), contains("cannot go to 19 s; it is 20 s"));
}

TEST_CASE("the same calls complete at the same times to the last bit") {
  const auto history = [] {
    Rig rig;
    test::Random random(5);
    std::vector<SimCompletion> all;
    const auto act = [&](std::uint64_t token) {
      if (random.chance(0.4)) {
        rig.driver.launch(Seconds(0.01 * static_cast<double>(random.below(1000))), token);
        return;
      }
      const auto from = static_cast<unsigned>(random.below(6));
      rig.copy(from, (from + 1 + static_cast<unsigned>(random.below(5))) % 6, random.below(500), token, random.chance(0.3));
    };
    for (std::uint64_t i = 0; i < 40; ++i) act(i);
    for (std::uint64_t i = 40; i < 2000; ++i) {
      all.push_back(rig.next());
      act(i);
    }
    return all;
  };
  const auto first = history(), second = history();
  for (std::size_t i = 0; i < first.size(); ++i) {
    REQUIRE(first[i].token == second[i].token);
    REQUIRE(first[i].time == second[i].time);
    if (i > 0) REQUIRE(first[i].time >= first[i - 1].time);
  }
}

TEST_CASE("the simulated machine is a driver") {
  Rig rig;
  Driver& driver = rig.driver;
  CHECK(driver.name() == "sim");
  CHECK(driver.attach(Worker{}));
  void* memory = driver.allocate(NodeId(0), Bytes(100));
  REQUIRE(memory != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 64 == 0);
  driver.release(NodeId(0), memory, Bytes(100));
  CHECK(driver.allocate(NodeId(1), Bytes(100)) == nullptr);
}

TEST_CASE("impossible calls and machines are refused with what is wrong") {
  Rig rig;
  CHECK_THROWS_WITH(rig.driver.launch(Seconds(-1.0), 0), contains("a launch cannot take -1 s"));
  CHECK_THROWS_WITH(rig.driver.timer(Seconds(-1.0), 0), contains("a timer cannot be set to -1 s"));
  CHECK_THROWS_WITH(rig.driver.timer(Seconds(std::nan("")), 0), contains("a timer cannot be set to"));
  CHECK_THROWS_WITH(rig.copy(2, 2, 1, 0), contains("from memory node 2 to itself"));
  CHECK_THROWS_WITH(rig.copy(0, 6, 1, 0), contains("no memory node 6 in machine 'two nodes'"));
  CHECK_THROWS_WITH(rig.driver.transfer_time(NodeId(9), NodeId(0), Bytes(1)), contains("no memory node 9"));
  rig.expect_nothing();

  MachineDescription machine = two_nodes();
  machine.links[3].bandwidth = 0.0;
  CHECK_THROWS_WITH(SimDriver(machine), contains("machine 'two nodes': link 'out1' has a bandwidth of 0"));
  machine = two_nodes();
  machine.local_routes.pop_back();
  CHECK_THROWS_WITH(SimDriver(machine), contains("8 routes among the 3 memories"));
  machine = two_nodes();
  machine.to_network.clear();
  CHECK_THROWS_WITH(SimDriver(machine), contains("0 routes to the network"));
  machine = two_nodes();
  machine.memories.pop_back();
  CHECK_THROWS_WITH(SimDriver(machine), contains("5 memories are not 2 compute nodes of 3 each"));
  machine = two_nodes();
  machine.local_routes[1].links.push_back(99);
  SimDriver driver(machine);
  CHECK_THROWS_WITH(driver.copy(NodeId(0), NodeId(1), Bytes(1), false, 0),
                    contains("from memory 'memory0' to 'memory1': a route names link 99"));
}
