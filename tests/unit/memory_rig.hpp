// A memory manager without an engine: data and tasks made by hand, copies that arrive when the test says so.
// Flow: tests -> [memory rig] <-> memory manager. Thread-safety: one thread.
#pragma once

#include <algorithm>
#include <memory>
#include <mitra/detail/task_header.hpp>
#include <mitra/error.hpp>
#include <mitra/machine.hpp>
#include <span>
#include <utility>
#include <vector>

#include "memory/memory_manager.hpp"

namespace mitra::test {

/// A task for the memory manager: its accesses, nothing else.
class MemoryTask {
 public:
  using Use = std::pair<detail::DataHeader*, AccessMode>;
  explicit MemoryTask(std::vector<Use> uses) {
    for (const auto& [datum, mode] : uses) words_.emplace_back(datum, mode);
    header_->block = reinterpret_cast<std::byte*>(words_.data());
    header_->accesses = static_cast<std::uint16_t>(words_.size());
    header_->traits = 0;
  }
  detail::TaskHeader& header() const { return *header_; }
  operator const detail::TaskHeader&() const { return *header_; }  // NOLINT: a test passes it on as the task that it is

 private:
  std::vector<detail::AccessWord> words_;
  std::unique_ptr<detail::TaskHeader> header_ = std::make_unique<detail::TaskHeader>();
};

struct MemoryRig final : memory::MemoryClient {
  struct Copy {
    NodeId from, to;
    Bytes size;
    bool urgent;
    std::uint32_t transfer, datum;
  };

  /// @param capacities  Of the host, then of the devices; 0: no limit.
  explicit MemoryRig(std::vector<std::uint64_t> capacities, bool asks_for_victims = false)
      : machine(machine_of(capacities)), manager(machine, *this, asks_for_victims) {}

  detail::DataHeader& datum(std::uint64_t size = 1, bool lent = true) {
    data.push_back(std::make_unique<detail::DataHeader>());
    data.back()->shape = {.rows = size, .cols = 1, .ld = size, .element_size = 1};
    manager.add(*data.back(), lent);
    return *data.back();
  }
  /// Acquires for the task. @returns Its ticket; is_ready(ticket) tells whether all is there.
  std::uint32_t acquire(const MemoryTask& task, NodeId node) {
    const auto ticket = static_cast<std::uint32_t>(ready.size());
    ready.push_back(false);
    if (manager.acquire(task, node, ticket)) data_ready(ticket);
    return ticket;
  }
  bool is_ready(std::uint32_t ticket) const { return ready[ticket]; }
  /// Ends a copy under way. @returns What it was.
  Copy arrive(std::size_t which = 0) {
    const Copy copy = copies[which];
    copies.erase(copies.begin() + static_cast<std::ptrdiff_t>(which));
    manager.copy_arrived(copy.transfer);
    manager.check();
    return copy;
  }
  void arrive_all() {
    while (!copies.empty()) arrive();
  }
  /// Runs the task from the first to the last step.
  void run(const MemoryTask& task, NodeId node) {
    const std::uint32_t ticket = acquire(task, node);
    arrive_all();
    MITRA_CHECK(is_ready(ticket), "the task's data did not come");
    manager.release(task, node);
    manager.check();
  }

  void start_copy(const memory::CopyOrder& order) override {
    copies.push_back({order.from, order.to, order.size, order.urgent, order.transfer, order.datum});
    ++started;
  }
  void data_ready(std::uint32_t ticket) override {
    MITRA_CHECK(!ready[ticket], "ticket ", ticket, " is ready twice");
    ready[ticket] = true;
  }
  bool reaches(NodeId from, NodeId to) override { return joined || from == host || to == host; }
  bool allocate(std::uint32_t, NodeId node) override { return node != full_node || --until_full != 0; }
  void put_home(std::uint32_t datum) override {
    // Nobody may read there, or write, what is put there now.
    for (const Copy& copy : copies) MITRA_CHECK(copy.datum != datum || copy.from != host, "datum ", datum, " is put where a copy reads");
    put.push_back(datum);
  }
  void data_refused(std::uint32_t ticket, memory::Refusal) override { refused.push_back(ticket); }
  Seconds copy_time(NodeId from, NodeId to, Bytes size) override {
    return Seconds(static_cast<double>(size.value) * (from == host || to == host ? 1.0 : 2.0));
  }
  std::size_t choose_victim(NodeId, std::span<const AccessRef> candidates) override {
    offered.clear();
    for (const AccessRef& candidate : candidates) offered.push_back(candidate.datum());
    const auto found = std::find(offered.begin(), offered.end(), wanted_victim);
    return found == offered.end() ? 0 : static_cast<std::size_t>(found - offered.begin());
  }

  static Machine machine_of(const std::vector<std::uint64_t>& capacities) {
    Machine machine;
    for (const std::uint64_t capacity : capacities) machine.memory_nodes.push_back({"memory", Bytes(capacity)});
    return machine;
  }

  static constexpr NodeId host{0};
  bool joined = true;  // devices reach each other
  const Machine machine;
  memory::MemoryManager manager;
  std::vector<std::unique_ptr<detail::DataHeader>> data;
  std::vector<Copy> copies;  // under way, the oldest first
  std::size_t started = 0;
  std::vector<bool> ready;   // by ticket
  std::vector<std::uint32_t> refused;  // tickets
  std::vector<std::uint32_t> put;      // restored data that were put home
  std::vector<const void*> offered;  // victims, the last time
  const void* wanted_victim = nullptr;
  NodeId full_node;             // none
  std::size_t until_full = 0;   // its allocation of this number fails
};

}  // namespace mitra::test
