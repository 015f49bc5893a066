// Lost devices: what tasks have written is remembered, and made again when it is lost.
// Flow: live memory -> [live recovery] -> lineage -> bodies -> home.
#include "engine/devices/live_memory.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "graph/partition_tree.hpp"
#include "memory/private_copies.hpp"
#include "memory/task_data.hpp"

namespace mitra::engine {

using graph::Datum;
using memory::Use;

/// What it wrote is a new version of each datum. To be called before anybody else may have the room: what was just written may
/// leave at once, and then what lay at home before is put aside for this task.
/// @returns Whether its record is kept; nowhere: nobody could make its content again, copy_home() is to follow.
LiveMemory::Followed LiveMemory::remember(Frame& frame, std::span<const Use> contents) {
  const bool wrote = std::ranges::any_of(contents, [](const Use& use) { return memory::writes(use.mode); });
  if (!recovers_ || !wrote) return Followed::not_kept;
  if (frame.node == NodeId(0)) {
    for (const auto [datum, mode] : contents)
      if (memory::writes(mode)) lineage_.written_at_home(datum);
    return Followed::not_kept;
  }
  detail::TaskHeader& task = *frame.task;
  // Parts share their home with others, whose writes nobody tells of here: their content is not followed, and copied at once.
  const auto in_tree = [&](const Use& use) { return graph::in_tree(static_cast<const Datum&>(*manager_.header(use.datum))); };
  if (std::ranges::any_of(contents, in_tree)) {
    for (const Use& use : contents)
      if (!in_tree(use)) lineage_.ran_on_device(task, std::span(&use, 1), {}, false);
    return Followed::nowhere;
  }
  // What a body refers to lives until the application waits, a child's until its parent ends; a recorded node's values change.
  const bool again = task.parent == nullptr && task.type->launch[0] != nullptr && !frame.failed && !frame.published &&
                     (task.traits & (detail::kRecorded | detail::kParent)) == 0;
  std::vector<std::int32_t> part_of_access;
  for (std::size_t i = 0; again && i < task.accesses; ++i) {
    std::uint32_t number = task.access_words()[i].data()->replicas;
    for (const Frame::Private& own : frame.privates)
      if (own.access == i) number = own.scratch ? ~0U : own.datum->replicas;
    const auto found = std::ranges::find(contents, number, &Use::datum);
    part_of_access.push_back(number == 0 ? -2 : found == contents.end() ? -1 : static_cast<std::int32_t>(found - contents.begin()));
  }
  lineage_.ran_on_device(task, contents, std::move(part_of_access), again);
  return again ? Followed::kept : Followed::nowhere;
}

/// Nobody can make it again.
void LiveMemory::copy_home(std::span<const Use> contents) {
  for (const auto [datum, mode] : contents)
    if (memory::writes(mode)) manager_.write_back(*manager_.header(datum));
}


void LiveMemory::arrived(std::uint32_t datum, NodeId node) {
  if (node == NodeId(0)) lineage_.arrived_home(datum);
}

namespace {

/// Column by column, since only one of them is packed.
void copy_columns(const std::byte* from, std::size_t from_pitch, std::byte* to, std::size_t to_pitch, std::size_t width, std::size_t columns) {
  for (std::size_t c = 0; c < columns; ++c) std::memcpy(to + c * to_pitch, from + c * from_pitch, width);
}

}  // namespace

void LiveMemory::pack_home(std::uint32_t number, void* to) {
  const auto& datum = static_cast<const Datum&>(*manager_.header(number));
  if (datum.host == nullptr) return;  // nobody has ever written it
  const detail::Shape& s = datum.shape;
  copy_columns(static_cast<const std::byte*>(datum.host), s.ld * s.element_size, static_cast<std::byte*>(to), s.rows * s.element_size,
               s.rows * s.element_size, s.cols);
}

void* LiveMemory::exchange_home(std::uint32_t number) {
  auto& datum = static_cast<Datum&>(*manager_.header(number));
  // Bodies and copies may know the address.
  if (published_at_home_ != 0 || manager_.leaves_home(number) || graph::in_tree(datum) || datum.lent || datum.host == nullptr || datum.shape.ld != datum.shape.rows) return nullptr;
  void* const other = take_memory(datum.shape.bytes());
  void* const before = datum.host;
  std::atomic_ref(datum.host).store(other, std::memory_order_release);
  if (buffer(number, NodeId(0)) != nullptr) buffer(number, NodeId(0)) = other;
  return before;
}

void* LiveMemory::take_memory(Bytes size) {
  auto& spare = spare_[size.value];
  if (!spare.empty()) {
    void* const memory = spare.back();
    spare.pop_back();
    --spare_count_;
    return memory;
  }
  void* const memory = host_.allocate(NodeId(0), size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void LiveMemory::give_memory(void* memory, Bytes size) {
  constexpr std::size_t kKept = 64;  // buffers
  if (spare_count_ >= kKept) return host_.release(NodeId(0), memory, size);
  spare_[size.value].push_back(memory);
  ++spare_count_;
}

void LiveMemory::run_again(detail::TaskHeader& task, std::span<void* const> addresses) {
  ThreadState& self = engine_.thread_state();
  const detail::ExecutionContext below = std::exchange(
      self.context, detail::ExecutionContext{&engine_, WorkerId(), NodeId(0), &task, nullptr, addresses.data()});
  Frame* const frame = std::exchange(self.frame, nullptr);
  const bool on_device = std::exchange(self.on_device, true);
  const auto restore = [&] {
    self.on_device = on_device;
    self.frame = frame;
    self.context = below;
  };
  try {
    task.type->launch[0](task, self.context);
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

std::vector<std::uint32_t> LiveMemory::begin_loss(std::size_t device) {
  ++lost_devices_;
  return manager_.lose(devices_[device].node);
}

std::pair<std::uint64_t, std::uint64_t> LiveMemory::losses() {
  const std::scoped_lock lock(mutex_);
  return {lost_devices_, lineage_.recomputed()};
}

void LiveMemory::end_loss(std::size_t device, const std::vector<std::uint32_t>& lost) {
  std::string why = "tasks cannot be run again (MITRA_RECOVERY=0, the host's memory has a limit, or its NUMA domains are nodes)";
  const std::vector<std::uint32_t> impossible = recovers_ ? lineage_.recover(lost, why) : lost;
  for (const std::uint32_t number : lost) {
    if (std::ranges::find(impossible, number) != impossible.end()) {
      loss_ = static_cast<Datum&>(*manager_.header(number)).label() + " is gone: " + why;
      manager_.give_up(number);
      continue;
    }
    manager_.restore(number);
  }
  for (const std::uint32_t transfer : std::exchange(per_device_[device].ended, {})) manager_.copy_failed(transfer);
}

/// What was recovered of a lost datum.
void LiveMemory::put_home(std::uint32_t number) {
  if (const void* content = lineage_.recovered(number)) {
    auto& datum = static_cast<Datum&>(*manager_.header(number));
    lineage_.before_home_changes(number, true);
    const detail::Shape& s = datum.shape;
    copy_columns(static_cast<const std::byte*>(content), s.rows * s.element_size, static_cast<std::byte*>(memory::home_address(datum, host_)),
                 s.ld * s.element_size, s.rows * s.element_size, s.cols);
  }
  lineage_.arrived_home(number);
}

std::vector<detail::TaskHeader*> LiveMemory::take_dead() {
  const std::scoped_lock lock(mutex_);
  if (lineage_.has_dead()) return lineage_.take_dead();
  if (lineage_.empty()) buried_.clear();
  return {};
}

std::vector<Datum*> LiveMemory::take_unsafe() {
  const std::scoped_lock lock(mutex_);
  std::vector<Datum*> data;
  for (std::uint32_t d = 1; recovers_ && d < extras_.size(); ++d) {
    if (extras_[d].datum == nullptr || lineage_.is_safe(d)) continue;
    data.push_back(extras_[d].datum);
    manager_.write_back(*extras_[d].datum);  // all at once
  }
  return data;
}

void LiveMemory::not_made_again(const Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas != 0) lineage_.lose_deed(datum.replicas);
}

void LiveMemory::bury(Datum* datum) {
  const std::scoped_lock lock(mutex_);
  buried_.emplace_back(datum);
}

}  // namespace mitra::engine
