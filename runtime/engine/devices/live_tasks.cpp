// What a task holds of the memories while it waits and runs: its frame, from the first question to the last release.
// Flow: device workers, host workers -> [live tasks] -> memory manager, lineage.
#include "engine/devices/live_memory.hpp"

#include <algorithm>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "memory/private_copies.hpp"
#include "memory/task_data.hpp"

namespace mitra::engine {

using graph::Datum;
using graph::datum_of;
using memory::Use;

namespace {

/// Of the tasks that the engine inserts, those with one datum fold a reduction; joins have none, transitions several.
bool is_fold(const detail::TaskHeader& task) { return (task.traits & detail::kInternal) != 0 && task.accesses == 1; }

constexpr const char* kHeldByParents = "tasks that wait for their children hold the memory of the device";

}  // namespace

void LiveMemory::record_submitted(const detail::TaskHeader& task) {
  const std::scoped_lock lock(mutex_);
  manager_.will_use(task);
}

void LiveMemory::record_ready(const detail::TaskHeader& task) {
  if (task.traits & detail::kRecorded) return;  // it was not submitted
  const std::scoped_lock lock(mutex_);
  manager_.may_run(task);
}

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
  frame.exceeds = frame.published = frame.failed = frame.nested = frame.known_at_home = frame.for_all = false;
  frame.implementation = WorkerKind::cpu;
  frame.worker = WorkerId();
  frame.asked_by = nullptr;
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
  if (devices_.is_host(frame.node)) {  // private copies of cores are in nobody's books
    if (!is_fold(task)) return;
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
bool LiveMemory::begin(Frame& frame, detail::TaskHeader& task, NodeId node, bool a_thread_waits, bool goes_on) {
  frame.task = &task;
  frame.node = node;
  frame.a_thread_waits = true;  // what is refused at once is not delivered
  bool is_there = false;
  try {
    collect_uses(frame);
    for (Use& use : frame.uses)
      if (goes_on && use.mode == AccessMode::write) use.mode = AccessMode::readwrite;
    // A thread that keeps its data may wait for others: those that it has lent, and for its own.
    if (a_thread_waits && node == NodeId(0)) keep_at_host(frame);
    is_there = manager_.acquire(frame.uses, node, frame.number);
  } catch (const std::exception& error) {  // an operation's identity, or no memory for it; an error of this library
    refuse(frame, error.what());
    return true;
  }
  if (is_there) {
    deliver(frame, Frame::State::ready);
    return true;
  }
  if (frame.state.load(std::memory_order_relaxed) != Frame::State::waiting) return true;
  const bool for_nothing = node != NodeId(0) && (devices_.is_host(node) ? keepers_at_host_ : per_device_[place_of(node)].nested) > 0;
  if (for_nothing && manager_.withdraw(frame.number)) {
    refuse(frame, kHeldByParents);
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

Frame& LiveMemory::enter_and_wait(detail::TaskHeader& task, bool goes_on) {
  const std::scoped_lock lock(mutex_);
  Frame& frame = new_frame();
  begin(frame, task, NodeId(0), true, goes_on);
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
  if (has_owner(frame)) engine_.wake_worker(frame.worker);  // any other one may be of another class, or far away
  if (!has_owner(frame) || devices_.has_host_memories()) engine_.parking_.wake_for_work();  // he may be in the middle of a body
}

/// What worker 0 has asked for is for all: its thread may be about to leave its wait.
bool LiveMemory::has_owner(const Frame& frame) const {
  return (has_teams_ || devices_.has_host_memories()) && frame.asked_by != nullptr && frame.asked_by->worker_thread;
}

/// What the policy has given to a team is not for a single core, nor the other way round. What lies in a domain's memory is for
/// the cores there, and for who has asked for it: to others it is far away.
bool LiveMemory::suits(const Frame& frame, WorkerId worker) const {
  if (!has_owner(frame)) return true;
  const Worker &asked = machine_.workers[frame.worker.index()], &taker = machine_.workers[worker.index()];
  if (has_teams_ && asked.worker_class != taker.worker_class) return false;
  return !devices_.has_host_memories() || frame.for_all || worker == frame.worker || taker.node == frame.node;
}

void LiveMemory::let_go(const ThreadState& asked_by) {
  if (!devices_.has_host_memories() || asked_by.awaited.load(std::memory_order_relaxed) == 0) return;
  const std::scoped_lock lock(mutex_);
  for (Frame& frame : frames_)
    if (frame.task != nullptr && frame.asked_by == &asked_by) frame.for_all = true;
  if (!arrived_at_host_.empty()) engine_.parking_.wake_for_work();
}

/// What the frame asked for is there, or will not come.
void LiveMemory::deliver(Frame& frame, Frame::State state) {
  if (frame.node != NodeId(0) && state == Frame::State::ready) {
    const detail::TaskHeader& task = *frame.task;
    frame.addresses.resize(task.accesses);
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const detail::AccessWord word = task.access_words()[i];
      if (word.mode() == AccessMode::reduce || word.mode() == AccessMode::scratch) continue;  // a core's are there before and after a wait
      frame.addresses[i] = word.data()->replicas == 0 ? nullptr : buffer(word.data()->replicas, frame.node);
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
  if (devices_.is_host(frame.node)) return push_to_host(frame);
  const Device& device = *devices_.of(frame.node);
  PerDevice& there = per_device_[place_of(frame.node)];
  there.arrived.push_back(&frame);
  there.has_news.store(true, std::memory_order_release);
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
    case transfers: refuse(frame, detail::message("its data could not be copied to memory '", node.name, "': ", why_not_copied_)); break;
    case lost_node: refuse(frame, detail::message("memory '", node.name, "' is lost")); break;
    case lost_data: refuse(frame, "what it reads was lost with a device: " + loss_); break;
  }
  pass_on(frame);
}

void LiveMemory::begin_nested_wait(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  ++per_device_[place_of(frame.node)].nested;
  refuse_waiting(frame.node);
}

void LiveMemory::begin_helping(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  if (devices_.is_host(frame.node) && !frame.exceeds) keep_at_host(frame);
}

/// Whoever it may wait for finds room: at home there is as much as is needed, and nobody waits for room in a domain. That may be
/// full of what cannot leave for home, since its place there is held.
void LiveMemory::keep_at_host(Frame& frame) {
  frame.exceeds = true;
  ++keepers_at_host_;
  manager_.begin_excess(NodeId(0));
  for (const Device& device : devices_.all())
    if (device.is_host_memory()) refuse_waiting(device.node);
}

/// Who waits for room there would wait for who has it.
void LiveMemory::refuse_waiting(NodeId node) {
  for (const std::uint32_t ticket : manager_.waiting(node)) {
    manager_.withdraw(ticket);
    refuse(frames_[ticket], kHeldByParents);
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
  // Its scratch first: who waits for that room needs nothing else to leave.
  manager_.release_unused(std::span(frame.uses).subspan(contents.size()), frame.node);
  Followed followed = Followed::not_kept;
  if (frame.published) manager_.resume(contents, frame.node);
  if (ran && !frame.published && !manager_.is_gone(frame.node)) {  // otherwise there is nothing new
    followed = remember(frame, contents);
    manager_.release(contents, frame.node);
    if (followed == Followed::nowhere) copy_home(contents);
  } else {
    manager_.release_unused(contents, frame.node);
  }
  if (std::exchange(frame.known_at_home, false)) --published_at_home_;
  if (frame.exceeds) {
    --keepers_at_host_;
    manager_.end_excess(NodeId(0));
  }
  if (frame.nested) --per_device_[place_of(frame.node)].nested;
  for (const Frame::Private& own : frame.privates) {
    if (own.scratch) {
      drop_private(*own.datum);
    } else {
      const std::uint32_t number = frame.task->access_words()[own.access].data()->replicas;
      extras_[number].idle.push_back(own.datum);
    }
  }
  frame.task = nullptr;
  free_frames_.push_back(&frame);
  return followed == Followed::kept;
}

void LiveMemory::publish(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  if (frame.node == NodeId(0) && !std::exchange(frame.known_at_home, true)) ++published_at_home_;
  if (devices_.is_host(frame.node) && !frame.exceeds) keep_at_host(frame);  // its children need room
  if (std::exchange(frame.published, true)) return;  // what an earlier child has made of it is what counts now
  if (manager_.is_gone(frame.node)) return;
  const auto contents = contents_of(frame);
  const Followed followed = remember(frame, contents);
  manager_.publish(contents, frame.node);
  if (followed == Followed::nowhere) copy_home(contents);
}

bool LiveMemory::come_back(Frame& frame) {
  const std::scoped_lock lock(mutex_);
  frame.state.store(Frame::State::waiting, std::memory_order_relaxed);
  frame.a_thread_waits = true;
  // It keeps what it has, for as long as its body runs; and does not go on with content from before its children.
  const bool gone = std::ranges::any_of(frame.uses, [&](const Use& use) { return manager_.is_lost(use.datum); });
  if (gone || manager_.is_gone(frame.node)) {
    frame.refusal = gone ? "what it reads was lost with a device: " + loss_
                         : detail::message("memory '", machine_.memory_nodes[frame.node.index()].name, "' is lost");
    frame.state.store(Frame::State::refused, std::memory_order_release);
    return true;
  }
  manager_.resume(contents_of(frame), frame.node);
  if (!manager_.acquire_again(frame.uses, frame.node, frame.number)) return false;
  frame.published = false;
  frame.state.store(Frame::State::ready, std::memory_order_release);
  return true;
}

Frame* LiveMemory::take_arrived_at_host(WorkerId worker) {
  if (arrived_count_.load(std::memory_order_acquire) == 0) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find_if(arrived_at_host_, [&](const Frame* f) { return suits(*f, worker); });
  if (found == arrived_at_host_.end()) return nullptr;
  Frame* const frame = *found;
  arrived_at_host_.erase(found);
  arrived_count_.store(arrived_at_host_.size(), std::memory_order_relaxed);
  return frame;
}

Frame* LiveMemory::take_arrived(std::size_t device) {
  const std::scoped_lock lock(mutex_);
  auto& arrived = per_device_[device].arrived;
  if (arrived.empty()) {
    per_device_[device].has_news.store(!per_device_[device].orders.empty(), std::memory_order_relaxed);
    return nullptr;
  }
  Frame* frame = arrived.front();
  arrived.pop_front();
  return frame;
}

void LiveMemory::gather_contributions(Frame& frame) {
  if (!is_fold(*frame.task)) return;
  const std::scoped_lock lock(mutex_);
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

void LiveMemory::drop_contributions(const detail::TaskHeader& fold) {
  const std::scoped_lock lock(mutex_);
  const std::uint32_t number = fold.access_words()[0].data()->replicas;
  if (number == 0 || !is_fold(fold)) return;
  extras_[number].idle.clear();
  for (Datum* part : std::exchange(extras_[number].contributions, {})) {
    if (!manager_.moves_at_home(part->replicas)) {
      drop_private(*part);
      continue;
    }
    forget(*part);
    extras_[0].contributions.push_back(part);  // nobody's: copies may still use its memory, which stays until the end
  }
  home_changed(number);
}

}  // namespace mitra::engine
