// Replicas of wholes and parts: what transitions make current, what they make stale, and the room that a tree takes.
#include "graph/tree_levels.hpp"
#include "memory_rig.hpp"
#include "support/catch.hpp"

using namespace mitra;
using namespace mitra::test;

namespace {

using graph::kBring;
using graph::kEnter;
using graph::kLeave;
using graph::kNothing;
using graph::kPart;

constexpr NodeId kGpu{1}, kOther{2};

/// A transition, as tree_levels.hpp lists them.
class Transition {
 public:
  Transition(detail::DataHeader& whole, AccessMode whole_mode, unsigned whole_bits, const std::vector<detail::DataHeader*>& parts,
             AccessMode part_mode, unsigned part_bits) {
    words_.push_back(word(whole, whole_mode, whole_bits));
    for (detail::DataHeader* part : parts) words_.push_back(word(*part, part_mode, part_bits | kPart));
    header_->block = reinterpret_cast<std::byte*>(words_.data());
    header_->accesses = static_cast<std::uint16_t>(words_.size());
    header_->traits = detail::kInternal;
  }
  std::uint32_t begin(MemoryRig& rig, NodeId node = MemoryRig::host) const {
    const auto ticket = static_cast<std::uint32_t>(rig.ready.size());
    rig.ready.push_back(false);
    if (rig.manager.acquire(*header_, node, ticket)) rig.data_ready(ticket);
    return ticket;
  }
  void end(MemoryRig& rig, NodeId node = MemoryRig::host) const {
    rig.manager.release(*header_, node);
    rig.manager.regrouped(*header_, node);
    rig.manager.check();
  }
  void run(MemoryRig& rig, NodeId node = MemoryRig::host) const {
    const std::uint32_t ticket = begin(rig, node);
    rig.arrive_all();
    REQUIRE(rig.is_ready(ticket));
    end(rig, node);
  }

 private:
  static detail::AccessWord word(detail::DataHeader& datum, AccessMode mode, unsigned bits) {
    detail::AccessWord word(&datum, mode);
    word.set_operation(graph::kTransition | bits);
    return word;
  }
  std::vector<detail::AccessWord> words_;
  std::unique_ptr<detail::TaskHeader> header_ = std::make_unique<detail::TaskHeader>();
};

struct Tree {
  explicit Tree(MemoryRig& rig, bool lent = true) : whole(rig.datum(8, lent)) {
    for (int i = 0; i < 2; ++i) {
      parts.push_back(&rig.datum(4, false));
      rig.manager.join_family(*parts.back(), whole);
    }
  }
  Transition split_to_read() const { return {whole, AccessMode::read, kBring, parts, AccessMode::write, kEnter}; }
  Transition split_to_write() const { return {whole, AccessMode::readwrite, kBring | kLeave, parts, AccessMode::write, kEnter}; }
  Transition gather_to_read() const { return {whole, AccessMode::write, kEnter, parts, AccessMode::read, kBring}; }
  Transition gather_to_write() const { return {whole, AccessMode::write, kEnter, parts, AccessMode::readwrite, kBring | kLeave}; }
  Transition whole_alone() const { return {whole, AccessMode::read, kNothing, parts, AccessMode::readwrite, kLeave}; }

  detail::DataHeader& whole;
  std::vector<detail::DataHeader*> parts;
};

}  // namespace

TEST_CASE("parts of lent memory take no room on the host, and are there at once") {
  MemoryRig rig({100, 10});
  Tree tree(rig);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  rig.manager.enter_fresh(tree.whole, tree.parts, false);
  rig.manager.check();
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  CHECK(rig.manager.holds(*tree.parts[0], MemoryRig::host));
  CHECK(!rig.manager.holds(tree.whole, MemoryRig::host));
}

TEST_CASE("the first part of memory that is Mitra's takes the room of the whole") {
  MemoryRig rig({100, 10});
  Tree tree(rig, false);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(0));
  rig.manager.enter_fresh(tree.whole, tree.parts, false);
  CHECK(!rig.manager.holds(*tree.parts[0], MemoryRig::host));  // nobody has written it
  rig.run(MemoryTask({{tree.parts[0], AccessMode::write}}), MemoryRig::host);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  rig.run(MemoryTask({{tree.parts[1], AccessMode::readwrite}}), MemoryRig::host);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  for (detail::DataHeader* part : tree.parts) rig.manager.forget(*part);
  rig.manager.forget(tree.whole);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(0));
  rig.manager.check();
}

TEST_CASE("a gather brings the parts home and makes the whole current, and parts stay current for readers") {
  MemoryRig rig({0, 100, 100});
  Tree tree(rig);
  rig.manager.enter_fresh(tree.whole, tree.parts, false);
  rig.run(MemoryTask({{tree.parts[0], AccessMode::readwrite}}), kGpu);
  rig.run(MemoryTask({{tree.parts[1], AccessMode::readwrite}}), kOther);
  rig.started = 0;
  tree.gather_to_read().run(rig);
  CHECK(rig.started == 2);
  CHECK(rig.manager.holds(tree.whole, MemoryRig::host));
  CHECK(rig.manager.holds(*tree.parts[0], kGpu));
  CHECK(rig.manager.holds(*tree.parts[0], MemoryRig::host));
  tree.whole_alone().run(rig);
  CHECK(rig.started == 2);
  CHECK(!rig.manager.holds(*tree.parts[0], kGpu));
  CHECK(!rig.manager.holds(*tree.parts[0], MemoryRig::host));
  CHECK(rig.manager.used(kGpu) == Bytes(0));
}

TEST_CASE("a split brings the whole home and makes the parts current") {
  MemoryRig rig({0, 100});
  Tree tree(rig);
  rig.run(MemoryTask({{&tree.whole, AccessMode::readwrite}}), kGpu);
  tree.split_to_write().run(rig);
  CHECK(rig.manager.used(kGpu) == Bytes(0));
  CHECK(rig.manager.holds(*tree.parts[1], MemoryRig::host));
  CHECK(!rig.manager.holds(tree.whole, MemoryRig::host));
  rig.run(MemoryTask({{tree.parts[1], AccessMode::read}}), kGpu);
  tree.gather_to_write().run(rig);
  CHECK(rig.manager.holds(tree.whole, MemoryRig::host));
  CHECK(!rig.manager.holds(*tree.parts[1], kGpu));
}

TEST_CASE("what is stale is not taken for what nobody has written") {
  MemoryRig rig({0, 100});
  Tree tree(rig, false);
  rig.manager.enter_fresh(tree.whole, tree.parts, false);
  CHECK_THROWS_AS(rig.run(MemoryTask({{&tree.whole, AccessMode::read}}), kGpu), InternalError);
}

TEST_CASE("what leaves a home that others share leaves no copy behind that is on its way there") {
  MemoryRig rig({0, 100});
  Tree tree(rig);
  tree.split_to_write().run(rig);
  rig.run(MemoryTask({{tree.parts[0], AccessMode::write}}), kGpu);
  rig.manager.write_back(*tree.parts[0]);
  REQUIRE(rig.copies.size() == 1);
  const Transition overwritten{tree.whole, AccessMode::write, kEnter | kNothing, tree.parts, AccessMode::write, kLeave};
  const std::uint32_t ticket = overwritten.begin(rig);
  CHECK_FALSE(rig.is_ready(ticket));  // it would land on what is written next
  rig.arrive_all();
  CHECK(rig.is_ready(ticket));
  overwritten.end(rig);
}

TEST_CASE("a part that two domains read stays until both have left it") {
  MemoryRig rig({0, 100});
  Tree tree(rig);
  tree.split_to_read().run(rig);
  rig.run(MemoryTask({{tree.parts[0], AccessMode::read}}), kGpu);
  tree.split_to_read().run(rig);
  CHECK(rig.manager.holds(*tree.parts[0], kGpu));
  tree.whole_alone().run(rig);
  CHECK(rig.manager.holds(*tree.parts[0], kGpu));
  CHECK(rig.manager.holds(tree.whole, MemoryRig::host));
  tree.whole_alone().run(rig);
  CHECK(!rig.manager.holds(*tree.parts[0], kGpu));
  CHECK(!rig.manager.holds(*tree.parts[0], MemoryRig::host));
}

TEST_CASE("a part leaves a full device for its place in the whole, where no room is needed") {
  MemoryRig rig({8, 4});
  Tree tree(rig);
  rig.manager.enter_fresh(tree.whole, tree.parts, false);
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  rig.run(MemoryTask({{tree.parts[0], AccessMode::readwrite}}), kGpu);
  rig.run(MemoryTask({{tree.parts[1], AccessMode::readwrite}}), kGpu);
  CHECK(rig.manager.holds(*tree.parts[0], MemoryRig::host));
  CHECK(rig.manager.used(MemoryRig::host) == Bytes(8));
  tree.gather_to_write().run(rig);
  CHECK(rig.manager.used(kGpu) == Bytes(0));
}

TEST_CASE("what arrives after its datum became stale is stale") {
  MemoryRig rig({0, 100});
  Tree tree(rig);
  rig.manager.enter_fresh(tree.whole, tree.parts, true);
  const MemoryTask reader({{tree.parts[0], AccessMode::read}});
  rig.manager.prefetch(reader, kGpu);
  CHECK(rig.copies.size() == 1);
  tree.whole_alone().run(rig);  // the copy arrives meanwhile, or later
  rig.arrive_all();
  CHECK(!rig.manager.holds(*tree.parts[0], kGpu));
  CHECK(rig.manager.used(kGpu) == Bytes(0));
}
