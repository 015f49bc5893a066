#include "engine/devices/live_memory.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "graph/partition_tree.hpp"
#include "memory/private_copies.hpp"
#include "memory/task_data.hpp"

namespace mitra::engine {

using graph::Datum;
using graph::datum_of;
using memory::HomeState;
using memory::Use;

namespace {

/// Without a limit of its own, the host's memory is what the operating system gives.
Machine with_host_limit(Machine machine, Bytes limit) {
  machine.memory_nodes[0].capacity = limit;
  return machine;
}

}  // namespace

LiveMemory::LiveMemory(TaskEngine& engine, const Machine& machine, const DeviceSet& devices, Driver& host, SchedulingPolicy& policy,
                       std::unique_ptr<PerformanceModel> model, bool recovers)
    : engine_(engine), machine_(machine), devices_(devices), host_(host), policy_(policy),
      manager_(with_host_limit(machine, devices.host_limit()), *this, policy.chooses_victims(), false), costs_(machine, std::move(model)),
      recovers_(recovers && devices.host_limit() == Bytes(0)), lineage_(*this), buffers_(machine.memory_nodes.size()), extras_(1),
      per_device_(devices.all().size()) {
  for (const Device& device : devices.all()) pools_.emplace_back(device);
  for (std::size_t i = 0; i < per_device_.size(); ++i) {
    const DeviceDescription& d = devices[i].description();
    per_device_[i].in = per_device_[i].out = {d.bandwidth, d.latency, 0};
    per_device_[i].peer = {d.peer_bandwidth, d.latency, 0};
  }
}

LiveMemory::~LiveMemory() {
  // Data whose handles outlive the engine: their buffers on devices go with the pools.
  const std::size_t nodes = machine_.memory_nodes.size();
  for (std::uint32_t d = 1; d < manager_.numbers(); ++d)
    for (std::uint32_t n = 1; n < nodes; ++n)
      if (void* memory = std::exchange(buffer(d, NodeId(n)), nullptr))
        pools_[place_of(NodeId(n))].give(static_cast<std::byte*>(memory), manager_.size(d));
  for (auto& [size, buffers] : spare_)
    for (void* memory : buffers) host_.release(NodeId(0), memory, Bytes(size));
  for (Extra& extra : extras_)
    for (Datum* part : extra.contributions) {
      host_.release(NodeId(0), part->host, part->shape.bytes());
      delete part;
    }
}

// ------------------------------------------------------------------------------------------------ data

void LiveMemory::add(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  datum.shape_number = costs_.shape_number(datum.shape) & 0xffffff;
  if (datum.shape.bytes() == Bytes(0)) {
    datum.home.store(static_cast<std::uint8_t>(HomeState::exclusive), std::memory_order_release);  // a token lies everywhere
    return;
  }
  // Its number is known to the manager's client before anything is told of it.
  const std::size_t nodes = machine_.memory_nodes.size();
  buffers_.resize((manager_.numbers() + 1) * nodes);
  extras_.resize(manager_.numbers() + 1);
  lineage_.grow(manager_.numbers() + 1);
  manager_.add(datum, datum.lent);
  extras_[datum.replicas].datum = &datum;
  home_changed(datum.replicas);
}

void LiveMemory::forget(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0) return;
  Extra& extra = extras_[datum.replicas];
  for (Datum* part : extra.contributions) drop_private(*part);
  if (extra.away) std::erase(away_, datum.replicas);
  lineage_.forget(datum.replicas);
  extra = {};
  manager_.forget(datum);
}

void LiveMemory::add_part(Datum& part, Datum& root) {
  const std::scoped_lock lock(mutex_);
  add(part);
  manager_.join_family(part, root);
  home_changed(part.replicas);
}

void LiveMemory::enter_fresh(Datum& whole, std::span<detail::DataHeader* const> parts, bool stays) {
  const std::scoped_lock lock(mutex_);
  manager_.enter_fresh(whole, parts, stays);
}

void LiveMemory::regrouped(const detail::TaskHeader& transition) {
  const std::scoped_lock lock(mutex_);
  manager_.regrouped(transition, NodeId(0));
}

void LiveMemory::moved(Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0) return;
  Extra& extra = extras_[datum.replicas];
  if (extra.away) std::erase(away_, datum.replicas);
  lineage_.forget(datum.replicas);
  extra = {};
  manager_.forget(datum);
  add(datum);
}

/// A datum of a device's task alone.
Datum& LiveMemory::private_datum(const detail::Shape& shape, void* host) {
  auto datum = std::make_unique<Datum>();
  datum->shape = shape.packed();
  datum->host = host;
  datum->lent = host != nullptr;
  datum->engine = &engine_;
  add(*datum);
  return *datum.release();
}

void LiveMemory::drop_private(Datum& datum) {
  forget(datum);
  if (datum.host != nullptr) host_.release(NodeId(0), datum.host, datum.shape.bytes());
  delete &datum;
}

std::vector<Datum*> LiveMemory::take_away_from_home() {
  const std::scoped_lock lock(mutex_);
  std::vector<Datum*> data;
  for (const std::uint32_t number : std::exchange(away_, {})) {
    extras_[number].away = false;
    if (manager_.home(number) != HomeState::exclusive && !manager_.is_stale(number)) data.push_back(extras_[number].datum);
  }
  return data;
}

bool LiveMemory::away_from_home(const Datum& datum) {
  const std::scoped_lock lock(mutex_);
  if (datum.replicas == 0) return false;
  if (manager_.moves_at_home(datum.replicas)) return true;
  return (graph::in_tree(datum) ? datum.tree->root->lent : datum.lent) && !manager_.is_stale(datum.replicas) && manager_.home(datum.replicas) == HomeState::absent &&
         manager_.is_written(datum.replicas);
}

// ------------------------------------------------------------------------------------------------ tasks

Frame& LiveMemory::new_frame() {
  if (free_frames_.empty()) {
    const auto number = static_cast<std::uint32_t>(frames_.size());
    frames_.emplace_back().number = number;
    free_frames_.push_back(&frames_.back());
  }
  Frame& frame = *free_frames_.back();
  free_frames_.pop_back();
  frame.uses.clear();
  frame.addresses.clear();
  frame.privates.clear();
  frame.refusal.clear();
  frame.state.store(Frame::State::waiting, std::memory_order_relaxed);
  frame.published = frame.failed = frame.nested = false;
  return frame;
}

/// A contribution of its own for a task on `node`: one that was used there before, if there is one.
Datum& LiveMemory::contribution(std::uint32_t number, const detail::ReduceOperation& operation, NodeId node) {
  Extra& extra = extras_[number];
  const auto there = std::ranges::find_if(extra.idle, [&](Datum* part) {
    return manager_.state(part->replicas, node) != memory::ReplicaState::invalid;
  });
  if (there != extra.idle.end()) {
    Datum& part = **there;
    extra.idle.erase(there);
    return part;
  }
  Datum& datum = *extra.datum;
  void* host = memory::take_scratch(datum, host_);
  try {
    operation.initialise(host, datum.shape.packed());
  } catch (...) {
    memory::give_scratch(datum, host);
    throw;
  }
  Datum& part = private_datum(datum.shape, host);
  // Only now: making it may have moved the extras.
  extras_[number].contributions.push_back(&part);
  home_changed(number);
  return part;
}

void LiveMemory::collect_uses(Frame& frame) {
  const detail::TaskHeader& task = *frame.task;
  memory::for_each_datum(task, [&](std::uint32_t datum, AccessMode mode) {
    if (mode != AccessMode::reduce) frame.uses.push_back({datum, mode});
  });
  if (frame.node == NodeId(0)) {
    if ((task.traits & detail::kInternal) == 0 || task.accesses != 1) return;
    const std::uint32_t number = task.access_words()[0].data()->replicas;
    if (number == 0) return;
    for (Datum* part : extras_[number].contributions) frame.uses.push_back({part->replicas, AccessMode::read});
    return;
  }
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::AccessWord word = task.access_words()[i];
    if (word.mode() != AccessMode::reduce || word.data()->replicas == 0) continue;
    const auto& operation = *datum_of(word).operations[word.operation()].load(std::memory_order_relaxed);
    Datum& part = contribution(word.data()->replicas, operation, frame.node);
    frame.privates.push_back({&part, i, false});
    frame.uses.push_back({part.replicas, AccessMode::readwrite});
  }
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::AccessWord word = task.access_words()[i];
    if (word.mode() != AccessMode::scratch || word.data()->replicas == 0) continue;
    Datum& own = private_datum(word.data()->shape, nullptr);
    frame.privates.push_back({&own, i, true});
    frame.uses.push_back({own.replicas, AccessMode::write});
  }
}

/// @returns Whether its state is known now. @pre the lock is held
bool LiveMemory::begin(Frame& frame, detail::TaskHeader& task, NodeId node, bool a_thread_waits) {
  frame.task = &task;
  frame.node = node;
  frame.a_thread_waits = true;  // what is refused at once is not delivered
  try {
    collect_uses(frame);
  } catch (const std::exception& error) {  // an operation's identity, or no memory for it
    frame.uses.clear();
    frame.refusal = error.what();
    frame.state.store(Frame::State::refused, std::memory_order_release);
    return true;
  }
  if (manager_.acquire(frame.uses, node, frame.number)) {
    deliver(frame, Frame::State::ready);
    return true;
  }
  if (frame.state.load(std::memory_order_relaxed) != Frame::State::waiting) return true;
  if (node != NodeId(0) && per_device_[place_of(node)].nested > 0 && manager_.withdraw(frame.number)) {
    refuse(frame, "tasks that wait for their children hold the memory of the device");
    return true;
  }
  frame.a_thread_waits = a_thread_waits;
  return false;
}

Frame* LiveMemory::enter(detail::TaskHeader& task, NodeId node, WorkerId worker, ThreadState* asked_by) {
  const std::scoped_lock lock(mutex_);
  Frame& frame = new_frame();
  frame.worker = worker;
  frame.asked_by = asked_by;
  return begin(frame, task, node, false) ? &frame : nullptr;
}

Frame& LiveMemory::enter_and_wait(detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  Frame& frame = new_frame();
  frame.asked_by = nullptr;
  begin(frame, task, node, true);
  return frame;
}

void LiveMemory::send_to_host(detail::TaskHeader& task) {
  const std::scoped_lock lock(mutex_);
  Frame* frame = enter(task, NodeId(0), WorkerId(), nullptr);
  if (frame != nullptr) push_to_host(*frame);
}

void LiveMemory::push_to_host(Frame& frame) {
  arrived_at_host_.push_back(&frame);
  arrived_count_.store(arrived_at_host_.size(), std::memory_order_release);
  engine_.parking_.wake_for_work();
}

/// What the frame asked for is there, or will not come.
void LiveMemory::deliver(Frame& frame, Frame::State state) {
  if (frame.node != NodeId(0) && state == Frame::State::ready) {
    const detail::TaskHeader& task = *frame.task;
    frame.addresses.resize(task.accesses);
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const std::uint32_t number = task.access_words()[i].data()->replicas;
      frame.addresses[i] = number == 0 ? nullptr : buffer(number, frame.node);
    }
    for (const Frame::Private& own : frame.privates) frame.addresses[own.access] = buffer(own.datum->replicas, frame.node);
  }
  if (frame.node == NodeId(0) && state == Frame::State::ready)
    for (const auto [datum, mode] : frame.uses)
      if (memory::writes(mode)) lineage_.keep_home_content(datum);
  frame.state.store(state, std::memory_order_release);
}

/// To whoever waits for it.
void LiveMemory::pass_on(Frame& frame) {
  if (frame.a_thread_waits) return engine_.notify_waiters();
  if (frame.node == NodeId(0)) return push_to_host(frame);
  const Device& device = *devices_.of(frame.node);
  per_device_[place_of(frame.node)].arrived.push_back(&frame);
  device.driver->wake(device.number);
}

void LiveMemory::data_ready(std::uint32_t ticket) {
  Frame& frame = frames_[ticket];
  frame.published = false;  // what its children have changed is back
  deliver(frame, Frame::State::ready);
  pass_on(frame);
}

void LiveMemory::refuse(Frame& frame, std::string why) {
  frame.uses.clear();  // nothing of it is held
  frame.refusal = std::move(why);
  deliver(frame, Frame::State::refused);
}

void LiveMemory::data_refused(std::uint32_t ticket, memory::Refusal why) {
  Frame& frame = frames_[ticket];
  const MemoryNode& node = machine_.memory_nodes[frame.node.index()];
  using enum memory::Refusal;
  switch (why) {
    case no_memory:
      refuse(frame, detail::message("its data do not fit memory '", node.name, "', which has ", manager_.capacity(frame.node).value, " bytes"));
      break;
    case transfers: refuse(frame, detail::message("its data could not be copied to memory '", node.name, "'")); break;
    case lost_node: refuse(frame, detail::message("memory '", node.name, "' is lost")); break;
    case lost_data: refuse(frame, "what it reads was lost with a device: " + loss_); break;
  }
  pass_on(frame);
}

void LiveMemory::begin_nested_wait(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  ++per_device_[place_of(frame.node)].nested;
  for (const std::uint32_t ticket : manager_.waiting(frame.node)) {
    manager_.withdraw(ticket);
    refuse(frames_[ticket], "tasks that wait for their children hold the memory of the device");
    pass_on(frames_[ticket]);
  }
}

namespace {

/// Scratch comes last in `uses`, and is no content: it is never valid, and goes when nobody holds it.
std::span<const Use> contents_of(const Frame& frame) {
  const auto scratch = static_cast<std::size_t>(std::ranges::count_if(frame.privates, &Frame::Private::scratch));
  return std::span(frame.uses).first(frame.uses.size() - std::min(scratch, frame.uses.size()));
}

}  // namespace

bool LiveMemory::leave(Frame& frame, bool ran) {
  const std::scoped_lock lock(mutex_);
  const auto contents = contents_of(frame);
  if (ran && !frame.published)
    manager_.release(contents, frame.node);
  else
    manager_.release_unused(contents, frame.node);
  manager_.release_unused(std::span(frame.uses).subspan(contents.size()), frame.node);
  const bool kept = ran && !frame.published && remember(frame, contents);
  if (std::exchange(frame.known_at_home, false)) --published_at_home_;
  if (frame.nested) --per_device_[place_of(frame.node)].nested;
  for (const Frame::Private& own : frame.privates) {
    if (own.scratch) {
      drop_private(*own.datum);
    } else {
      const std::uint32_t number = frame.task->access_words()[own.access].data()->replicas;
      extras_[number].idle.push_back(own.datum);
    }
  }
  free_frames_.push_back(&frame);
  return kept;
}

/// What it wrote is a new version of each datum. @returns Whether its record is kept.
bool LiveMemory::remember(Frame& frame, std::span<const Use> contents) {
  const bool wrote = std::ranges::any_of(contents, [](const Use& use) { return memory::writes(use.mode); });
  if (!recovers_ || !wrote) return false;
  if (frame.node == NodeId(0)) {
    for (const auto [datum, mode] : contents)
      if (memory::writes(mode)) lineage_.written_at_home(datum);
    return false;
  }
  detail::TaskHeader& task = *frame.task;
  // Parts share their home with others, whose writes nobody tells of here: their content is not followed, and copied at once.
  const auto in_tree = [&](const Use& use) { return graph::in_tree(static_cast<const Datum&>(*manager_.header(use.datum))); };
  if (std::ranges::any_of(contents, in_tree)) {
    for (const Use& use : contents) {
      if (!in_tree(use)) lineage_.ran_on_device(task, std::span(&use, 1), {}, false);
      if (memory::writes(use.mode)) manager_.write_back(*manager_.header(use.datum));
    }
    return false;
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
  if (!again)  // nobody can make it again: a copy goes home at once
    for (const auto [datum, mode] : contents)
      if (memory::writes(mode)) manager_.write_back(*manager_.header(datum));
  return again;
}

void LiveMemory::publish(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  if (frame.node == NodeId(0) && !std::exchange(frame.known_at_home, true)) ++published_at_home_;
  if (std::exchange(frame.published, true)) return;  // what an earlier child has made of it is what counts now
  const auto contents = contents_of(frame);
  manager_.publish(contents, frame.node);
  remember(frame, contents);
}

bool LiveMemory::come_back(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  frame.state.store(Frame::State::waiting, std::memory_order_relaxed);
  frame.a_thread_waits = true;
  if (!manager_.acquire_again(frame.uses, frame.node, frame.number)) return false;
  frame.published = false;
  frame.state.store(Frame::State::ready, std::memory_order_release);
  return true;
}

Frame* LiveMemory::take_arrived_at_host() {
  if (arrived_count_.load(std::memory_order_acquire) == 0) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (arrived_at_host_.empty()) return nullptr;
  Frame* frame = arrived_at_host_.front();
  arrived_at_host_.pop_front();
  arrived_count_.store(arrived_at_host_.size(), std::memory_order_relaxed);
  return frame;
}

Frame* LiveMemory::take_arrived(std::size_t device) {
  const std::scoped_lock lock(mutex_);
  auto& arrived = per_device_[device].arrived;
  if (arrived.empty()) return nullptr;
  Frame* frame = arrived.front();
  arrived.pop_front();
  return frame;
}

void LiveMemory::gather_contributions(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  if ((frame.task->traits & detail::kInternal) == 0 || frame.task->accesses != 1) return;
  const std::uint32_t number = frame.task->access_words()[0].data()->replicas;
  if (number == 0) return;
  std::vector<Datum*> parts = std::exchange(extras_[number].contributions, {});
  extras_[number].idle.clear();
  if (parts.empty()) return;
  manager_.release(std::span(frame.uses).subspan(1), NodeId(0));
  frame.uses.resize(1);
  for (Datum* part : parts) lineage_.forget(part->replicas);
  Datum& datum = *extras_[number].datum;
  for (Datum* part : parts) {
    memory::give_reduce_copy(datum, std::exchange(part->host, nullptr));
    drop_private(*part);
  }
  home_changed(number);
}

// ------------------------------------------------------------------------------------------------ buffers

bool LiveMemory::allocate(std::uint32_t number, NodeId node) {
  auto& datum = static_cast<Datum&>(*manager_.header(number));
  if (node == NodeId(0)) {
    try {
      buffer(number, node) = memory::home_address(datum, host_);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  std::byte* memory = pools_[place_of(node)].take(manager_.size(number));
  buffer(number, node) = memory;
  return memory != nullptr;
}

void LiveMemory::release(std::uint32_t number, NodeId node) {
  void* memory = std::exchange(buffer(number, node), nullptr);
  if (node == NodeId(0) || memory == nullptr) return;  // the datum keeps its memory at home as long as it lives
  pools_[place_of(node)].give(static_cast<std::byte*>(memory), manager_.size(number));
}

void LiveMemory::home_changed(std::uint32_t number) {
  Extra& extra = extras_[number];
  if (extra.datum == nullptr) return;
  // A fold has to ask for contributions that lie on devices.
  HomeState home = extra.contributions.empty() ? manager_.home(number) : HomeState::absent;
  if (home == HomeState::exclusive && lineage_.home_is_needed(number)) home = HomeState::readable;  // its writer has to ask
  extra.datum->home.store(static_cast<std::uint8_t>(home), std::memory_order_release);
  if (home == HomeState::exclusive || extra.away || !graph::root_of(*extra.datum).lent) return;
  extra.away = true;
  away_.push_back(number);
}

std::size_t LiveMemory::choose_victim(NodeId node, std::span<const AccessRef> candidates) {
  return policy_.victim(node, candidates, engine_.thread_state().view);
}

// ------------------------------------------------------------------------------------------------ lost devices

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
  if (published_at_home_ != 0 || datum.lent || datum.host == nullptr || datum.shape.ld != datum.shape.rows) return nullptr;
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

void LiveMemory::end_loss(const std::vector<std::uint32_t>& lost) {
  std::string why = "tasks cannot be run again (MITRA_RECOVERY=0, or the host's memory has a limit)";
  const std::vector<std::uint32_t> impossible = recovers_ ? lineage_.recover(lost, why) : lost;
  for (const std::uint32_t number : lost) {
    if (std::ranges::find(impossible, number) != impossible.end()) {
      loss_ = static_cast<Datum&>(*manager_.header(number)).label() + " is gone: " + why;
      manager_.give_up(number);
      continue;
    }
    if (const void* content = lineage_.recovered(number)) {
      auto& datum = static_cast<Datum&>(*manager_.header(number));
      lineage_.before_home_changes(number, true);
      const detail::Shape& s = datum.shape;
      copy_columns(static_cast<const std::byte*>(content), s.rows * s.element_size, static_cast<std::byte*>(memory::home_address(datum, host_)),
                   s.ld * s.element_size, s.rows * s.element_size, s.cols);
    }
    manager_.restore(number);
    lineage_.arrived_home(number);
  }
}

std::vector<detail::TaskHeader*> LiveMemory::take_dead() {
  const std::scoped_lock lock(mutex_);
  return lineage_.has_dead() ? lineage_.take_dead() : std::vector<detail::TaskHeader*>{};
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

void LiveMemory::bury(Datum* datum) {
  const std::scoped_lock lock(mutex_);
  buried_.emplace_back(datum);
  if (lineage_.empty()) buried_.clear();
}

// ------------------------------------------------------------------------------------------------ copies

/// @param device  Set to the place of the device whose engines do the copy.
LiveMemory::Way& LiveMemory::way_of(NodeId from, NodeId to, std::size_t& device) {
  const Device *source = devices_.of(from), *target = devices_.of(to);
  device = static_cast<std::size_t>((target != nullptr ? target : source) - devices_.all().data());
  if (source == nullptr) return per_device_[device].in;
  return target == nullptr ? per_device_[device].out : per_device_[device].peer;
}

CopyEnd LiveMemory::end_of(std::uint32_t number, NodeId node) {
  const detail::Shape& shape = manager_.header(number)->shape;
  const Device* device = devices_.of(node);
  return {device == nullptr ? CopyEnd::kHost : static_cast<int>(device->number), static_cast<std::byte*>(buffer(number, node)),
          (device == nullptr ? shape.ld : shape.rows) * shape.element_size};
}

void LiveMemory::start_copy(const memory::CopyOrder& order) {
  if (order.to == NodeId(0) && recovers_) lineage_.before_home_changes(order.datum, true);
  std::size_t device = 0;
  Way& way = way_of(order.from, order.to, device);
  const detail::Shape& shape = manager_.header(order.datum)->shape;
  DeviceCopy copy{end_of(order.datum, order.from), end_of(order.datum, order.to), shape.rows * shape.element_size, shape.cols,
                  order.urgent, order.transfer};
  if (copy.from.pitch == copy.width && copy.to.pitch == copy.width) {  // no gaps: one column
    copy.width *= copy.columns;
    copy.from.pitch = copy.to.pitch = copy.width;
    copy.columns = 1;
  }
  if (under_way_.size() <= order.transfer) under_way_.resize(order.transfer + 1);
  using Memory = SimulationReport::Memory;
  under_way_[order.transfer] = {order.datum, static_cast<std::uint32_t>(device), &way, order.size.value,
                                &way == &per_device_[device].in    ? &Memory::to_device
                                : &way == &per_device_[device].out ? &Memory::from_device
                                                                   : &Memory::between_devices};
  way.pending += order.size.value;
  ++sums_.transfers;
  auto& orders = per_device_[device].orders;
  if (copy.urgent)  // before those that nobody waits for
    orders.insert(std::ranges::find_if(orders, [](const DeviceCopy& c) { return !c.urgent; }), copy);
  else
    orders.push_back(copy);
  devices_[device].driver->wake(devices_[device].number);
}

void LiveMemory::hasten(std::uint32_t transfer) {
  auto& orders = per_device_[under_way_[transfer].device].orders;
  const auto found = std::ranges::find(orders, std::uint64_t{transfer}, &DeviceCopy::token);
  if (found == orders.end()) return;  // it has begun
  DeviceCopy copy = *found;
  copy.urgent = true;
  orders.erase(found);
  orders.insert(std::ranges::find_if(orders, [](const DeviceCopy& c) { return !c.urgent; }), copy);
}

std::deque<DeviceCopy> LiveMemory::take_orders(std::size_t device) {
  const std::scoped_lock lock(mutex_);
  return std::exchange(per_device_[device].orders, {});
}

void LiveMemory::copied(std::size_t, const DeviceCompletion& completion) {
  const std::scoped_lock lock(mutex_);
  const auto transfer = static_cast<std::uint32_t>(completion.token);
  const UnderWay done = under_way_[transfer];
  done.way->pending -= done.bytes;
  if (!completion.result.ok()) return manager_.copy_failed(transfer);
  sums_.*done.sum += Bytes(done.bytes);
  if (completion.duration > done.way->latency && done.bytes >= 65536) {
    const double measured = static_cast<double>(done.bytes) / (completion.duration - done.way->latency).value;
    double& rate = done.way->bytes_per_second;
    rate = rate == 0.0 ? measured : rate + (measured - rate) / 8;
  }
  manager_.copy_arrived(transfer);
}

void LiveMemory::copy_refused(std::uint64_t token) {
  const std::scoped_lock lock(mutex_);
  const auto transfer = static_cast<std::uint32_t>(token);
  under_way_[transfer].way->pending -= under_way_[transfer].bytes;
  manager_.copy_failed(transfer);
}

Seconds LiveMemory::copy_time(NodeId from, NodeId to, Bytes size) {
  constexpr double kUnknown = 10e9;  // B/s [assumption] a PCIe 3.0 x16 link; until copies have been measured
  std::size_t device = 0;
  const Way& way = way_of(from, to, device);
  const double rate = way.bytes_per_second > 0.0 ? way.bytes_per_second : kUnknown;
  return way.latency + Seconds(static_cast<double>(size.value) / rate);
}

Seconds LiveMemory::wait_time(NodeId from, NodeId to) {
  std::size_t device = 0;
  const Way& way = way_of(from, to, device);
  return way.pending == 0 ? Seconds(0.0) : copy_time(from, to, Bytes(way.pending));
}

// ------------------------------------------------------------------------------------------------ questions

std::optional<Estimate> LiveMemory::estimate(detail::TaskHeader& task, ClassId worker_class) {
  const std::scoped_lock lock(mutex_);
  return costs_.estimate(task, worker_class);
}
Seconds LiveMemory::busy_until(WorkerId worker, Seconds now) {
  const std::scoped_lock lock(mutex_);
  return costs_.busy_until(worker, now);
}
void LiveMemory::began(WorkerId worker, detail::TaskHeader& task, Seconds now) {
  const std::scoped_lock lock(mutex_);
  costs_.began(worker, task, now);
}
void LiveMemory::idle(WorkerId worker) {
  const std::scoped_lock lock(mutex_);
  costs_.ended(worker, false, engine_.now());
}
void LiveMemory::ended(WorkerId worker, std::uint32_t row, Seconds duration, bool holds_others, Seconds now) {
  const std::scoped_lock lock(mutex_);
  if (row != 0) costs_.learn(row, machine_.workers[worker.index()].worker_class, duration);
  costs_.ended(worker, holds_others, now);
}

Bytes LiveMemory::bytes_missing(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.bytes_missing(task, node);
}
Seconds LiveMemory::transfer_time(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.transfer_time(task, node);
}
Seconds LiveMemory::links_busy(NodeId node) {
  if (node == NodeId(0)) return Seconds(0.0);
  const std::scoped_lock lock(mutex_);
  return wait_time(NodeId(0), node);
}
bool LiveMemory::holds(const detail::DataHeader& data, NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.holds(data, node);
}
std::optional<Bytes> LiveMemory::room(NodeId node) {
  const std::scoped_lock lock(mutex_);
  return manager_.room(node);
}
void LiveMemory::prefetch(const detail::TaskHeader& task, NodeId node) {
  const std::scoped_lock lock(mutex_);
  manager_.prefetch(task, node);
}

std::uint8_t LiveMemory::kinds_with_room(const detail::TaskHeader& task, std::uint8_t kinds) const {
  const Bytes needed = memory::MemoryManager::working_set(task);
  std::uint8_t fits = 0;
  for (const Worker& worker : machine_.workers) {
    const Bytes capacity = machine_.memory_nodes[worker.node.index()].capacity;
    const auto kind = static_cast<unsigned>(machine_.classes[worker.worker_class.index()].kind);
    if (capacity == Bytes(0) || needed <= capacity) fits |= static_cast<std::uint8_t>(1U << kind);
  }
  if ((kinds & fits) != 0 || kinds == 0) return kinds & fits;
  std::string sizes;
  for (const Worker& worker : machine_.workers)
    if (kinds >> static_cast<unsigned>(machine_.classes[worker.worker_class.index()].kind) & 1U) {
      const MemoryNode& node = machine_.memory_nodes[worker.node.index()];
      sizes += detail::message(sizes.empty() ? "" : ", ", node.name, ' ', node.capacity.value);
    }
  throw SubmitError(detail::message("submit '", task.name(), "': its data take ", needed.value,
                                    " bytes, more than any memory where it could run (", sizes, ")"));
}

SimulationReport::Memory LiveMemory::report() {
  const std::scoped_lock lock(mutex_);
  SimulationReport::Memory report = sums_;
  report.evictions = manager_.evictions();
  for (std::uint32_t n = 0; n < machine_.memory_nodes.size(); ++n)
    report.peak.emplace_back(machine_.memory_nodes[n].name, manager_.peak(NodeId(n)));
  return report;
}

void LiveMemory::check() {
  const std::scoped_lock lock(mutex_);
  manager_.check();
}

}  // namespace mitra::engine
