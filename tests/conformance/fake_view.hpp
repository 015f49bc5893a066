// What a policy under test is told: a machine, a clock that counts calls, seeded randomness, and no models.
// Flow: harness -> [fake view] -> policy. Thread-safety: one thread each.
#pragma once

#include <mitra/scheduling_policy.hpp>
#include <utility>
#include <vector>

#include "support/random.hpp"

namespace mitra::conformance {

class FakeView final : public SchedulerView {
 public:
  FakeView(const Machine& machine, std::uint64_t seed) : machine_(machine), outsider_(seed) {
    for (std::size_t w = 0; w < machine.workers.size(); ++w) randoms_.emplace_back(seed * 1000 + w + 1);
  }

  /// From now on calls come on behalf of this worker; WorkerId(): of a thread that is none.
  void act_as(WorkerId worker) { self_ = worker; }
  /// The workers that the policy woke since the last call.
  std::vector<WorkerId> take_woken() { return std::exchange(woken_, {}); }

  const Machine& machine() const override { return machine_; }
  WorkerId self() const override { return self_; }
  Seconds now() const override { return Seconds(static_cast<double>(ticks_++)); }
  std::uint64_t random() override { return self_.valid() ? randoms_[self_.index()].next() : outsider_.next(); }
  std::optional<Estimate> estimate(TaskRef, ClassId) override { return std::nullopt; }
  Bytes bytes_missing(TaskRef, NodeId) override { return Bytes(0); }
  std::optional<Seconds> transfer_time(TaskRef, NodeId) override { return std::nullopt; }
  void wake(WorkerId worker) override { woken_.push_back(worker); }

 private:
  const Machine& machine_;
  WorkerId self_;
  std::vector<test::Random> randoms_;
  test::Random outsider_;
  std::vector<WorkerId> woken_;
  mutable std::uint64_t ticks_ = 0;
};

}  // namespace mitra::conformance
