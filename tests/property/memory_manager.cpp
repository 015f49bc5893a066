// The memory manager under random acquires, releases, prefetches, evictions and copies that arrive in any order: its books
// add up after every step, what a task reads is there, what it wrote is nowhere else, no device's memory is ever overfull,
// and everybody's turn comes.
#include "memory/memory_manager.hpp"

#include <deque>
#include <set>

#include "support/catch.hpp"
#include "unit/memory_rig.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

using namespace mitra;
using test::MemoryRig;
using test::MemoryTask;

namespace {

class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : random_(seed), devices_(1 + random_.below(4)), equal_(random_.chance(0.5)),
        rig_(capacities(), random_.chance(0.3)) {
    rig_.joined = equal_ || random_.chance(0.7);  // through the host: it has room
    for (std::size_t i = 0; i < kData; ++i) data_.push_back({&new_datum()});
  }

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
      step();
      check();
    }
    // What is under way arrives, what is ready ends: in the end, everybody has had a turn.
    while (!rig_.copies.empty() || finish_one()) {
      if (!rig_.copies.empty()) rig_.arrive(random_.below(rig_.copies.size()));
      check();
    }
    REQUIRE(open_.empty());
    for (const Datum& datum : data_) rig_.manager.forget(*datum.header);
    check();
    for (std::uint32_t n = 0; n <= devices_; ++n) REQUIRE(rig_.manager.used(NodeId(n)) == Bytes(0));
  }
  std::uint64_t evictions() const { return rig_.manager.evictions(); }

 private:
  static constexpr std::size_t kData = 12, kLargest = 4, kAccesses = 3, kOpen = 8;
  using Uses = std::vector<std::pair<std::size_t, AccessMode>>;

  struct Datum {
    detail::DataHeader* header;
    int readers = 0;       // open tasks
    bool written = false;  // by an open task
  };
  struct Open {
    MemoryTask task;
    NodeId node;
    std::uint32_t ticket;
    Uses uses;
  };

  /// Either the host has no limit, or every memory's data have room in the others, so that what is there can always leave.
  std::vector<std::uint64_t> capacities() {
    constexpr std::uint64_t kLeast = kAccesses * kLargest;
    std::vector<std::uint64_t> all{equal_ ? kData * kLargest : 0};
    for (std::size_t i = 0; i < devices_; ++i)
      all.push_back(!equal_ ? kLeast + random_.below(2 * kLargest) : i == 0 ? kData * kLargest : kLeast);
    return all;
  }
  detail::DataHeader& new_datum() { return rig_.datum(equal_ ? kLargest : 1 + random_.below(kLargest), random_.chance(0.7)); }
  NodeId random_node() { return NodeId(static_cast<std::uint32_t>(random_.below(devices_ + 1))); }

  void check() const {
    rig_.manager.check();
    for (std::uint32_t n = 1; n <= devices_; ++n)
      REQUIRE(rig_.manager.used(NodeId(n)) <= rig_.machine.memory_nodes[n].capacity);
  }

  void step() {
    const std::size_t dice = random_.below(10);
    if (dice < 3)
      begin();
    else if (dice < 6 && !rig_.copies.empty())
      rig_.arrive(random_.below(rig_.copies.size()));
    else if (dice < 8)
      finish_one();
    else if (dice == 8)
      rig_.manager.prefetch(task_of(random_uses(false)), random_node());
    else
      renew();
  }

  /// @param allowed  Only what no open task forbids: one writer, or any number of readers.
  Uses random_uses(bool allowed) {
    static constexpr AccessMode kModes[] = {AccessMode::read, AccessMode::read, AccessMode::readwrite, AccessMode::write,
                                            AccessMode::commute};
    Uses uses;
    std::set<std::size_t> seen;
    for (std::size_t a = 1 + random_.below(kAccesses); a > 0; --a) {
      const std::size_t i = random_.below(kData);
      const AccessMode mode = kModes[random_.below(5)];
      if (allowed && (data_[i].written || (mode != AccessMode::read && data_[i].readers > 0))) continue;
      if (seen.insert(i).second) uses.emplace_back(i, mode);
    }
    return uses;
  }
  MemoryTask task_of(const Uses& uses) const {
    std::vector<MemoryTask::Use> accesses;
    for (const auto& [i, mode] : uses) accesses.emplace_back(data_[i].header, mode);
    return MemoryTask(accesses);
  }

  void begin() {
    const Uses uses = random_uses(true);
    if (uses.empty() || open_.size() == kOpen) return;
    for (const auto& [i, mode] : uses) {
      data_[i].readers += mode == AccessMode::read;
      data_[i].written |= mode != AccessMode::read;
    }
    open_.push_back({task_of(uses), random_node(), 0, uses});
    detail::TaskHeader& header = open_.back().task.header();
    header.id.store(++last_id_);
    header.successors.store(detail::generation_of(last_id_));
    if (random_.chance(0.5)) rig_.manager.will_use(header);
    if (random_.chance(0.5)) rig_.manager.may_run(header);
    open_.back().ticket = rig_.acquire(open_.back().task, open_.back().node);
  }

  /// Ends a task whose data are there. @returns False if there is none.
  bool finish_one() {
    std::vector<std::size_t> can_end;
    for (std::size_t i = 0; i < open_.size(); ++i)
      if (rig_.is_ready(open_[i].ticket)) can_end.push_back(i);
    if (can_end.empty()) return false;
    const bool nobody_waits = can_end.size() == open_.size();
    const std::size_t which = random_.pick(can_end);
    ended_.push_back(std::move(open_[which]));  // it has been told of
    const Open& open = ended_.back();
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
    for (const auto& [i, mode] : open.uses)
      if (mode != AccessMode::write) REQUIRE(rig_.manager.holds(*data_[i].header, open.node));
    const bool ran = random_.chance(0.9);
    if (ran)
      rig_.manager.release(open.task, open.node);
    else
      rig_.manager.release_unused(open.task, open.node);
    open.task.header().successors.fetch_or(detail::kClosed);
    for (const auto& [i, mode] : open.uses) {
      Datum& datum = data_[i];
      datum.readers -= mode == AccessMode::read;
      if (mode == AccessMode::read) continue;
      datum.written = false;
      if (!ran || !nobody_waits) continue;  // who waited may have pushed it out already
      for (std::uint32_t n = 0; n <= devices_; ++n)
        REQUIRE(rig_.manager.holds(*datum.header, NodeId(n)) == (NodeId(n) == open.node));
    }
    return true;
  }

  /// Forgets a datum that nobody uses, and registers another.
  void renew() {
    Datum& datum = data_[random_.below(kData)];
    if (datum.readers != 0 || datum.written) return;
    rig_.manager.forget(*datum.header);
    datum.header = &new_datum();
  }

  test::Random random_;
  const std::size_t devices_;
  const bool equal_;  // sizes; then the host's memory has a limit
  MemoryRig rig_;
  std::vector<Datum> data_;
  std::vector<Open> open_;
  std::deque<Open> ended_;
  std::uint64_t last_id_ = 0;
};

}  // namespace

TEST_CASE("memory manager: books add up, what is read is there, nothing is overfull, and everybody's turn comes") {
  std::uint64_t evictions = 0;
  for (const std::uint64_t seed : test::seeds(test::kSanitized ? 60 : 1000)) {
    MITRA_INFO_SEED(seed);
    Storm storm(seed);
    storm.run(400);
    evictions += storm.evictions();
  }
  CHECK(evictions > 0);
}
