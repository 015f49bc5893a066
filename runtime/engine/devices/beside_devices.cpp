// How host threads work beside devices: tasks whose data may lie elsewhere, and waits for data.
// Flow: worker loop, waits -> [beside devices] -> live memory.
#include <ctime>

#include <thread>
#include <utility>

#include <mitra/error.hpp>

#include "engine/helping.hpp"
#include "engine/recorder.hpp"
#include "engine/trees.hpp"

namespace mitra::engine {

TaskHeader* TaskEngine::execute_beside_devices(ThreadState& self, TaskHeader* task) {
  Frame* frame = std::exchange(self.arrived, nullptr);
  if (frame != nullptr && frame->asked_by != nullptr) {
    // Release: whoever was given the task may ask the policy again, and is told so, if it sleeps.
    frame->asked_by->awaited.fetch_sub(1, std::memory_order_acq_rel);
    if (frame->asked_by != &self) wake_worker(frame->worker);
  }
  const bool cancelled = is_cancelled(*task);
  const bool transition = is_transition(*task);
  if (cancelled && !transition) {  // whatever has failed, the replicas are where the levels of the trees say
    if (frame != nullptr) memory_->leave(*frame, false);
    tell_cancelled(self, *task);
    return finish(self, task, true);
  }
  // Before it is asked for: it may arrive, and be executed by somebody else, before this thread goes on.
  const auto ask = [&](NodeId node) {
    self.awaited.fetch_add(1, std::memory_order_relaxed);
    frame = memory_->enter(*task, node, self.context.worker, &self);
    if (frame != nullptr) self.awaited.fetch_sub(1, std::memory_order_relaxed);
    return frame != nullptr;
  };
  if (frame == nullptr) {
    const NodeId node = memory_->node_for(*task, self.context.worker);
    const bool at_hand = node == NodeId(0) ? !transition && LiveMemory::in_place(*task) : LiveMemory::has_no_data(*task);
    if (!at_hand && !ask(node)) return nullptr;
  }
  if (frame != nullptr && frame->node != NodeId(0) && frame->state.load(std::memory_order_acquire) == Frame::State::refused) {
    memory_->leave(*frame, false);  // its domain has no room for it: it is run at home
    frame = nullptr;
    if (!LiveMemory::in_place(*task) && !ask(NodeId(0))) return nullptr;
  }
  if (frame != nullptr && frame->state.load(std::memory_order_acquire) == Frame::State::refused) {
    const std::string why = frame->refusal;
    memory_->leave(*frame, false);
    if (transition) memory_->regrouped(*task);
    fail(task, std::make_exception_ptr(Error(why)));
    return finish(self, task, true);
  }
  if (frame != nullptr) memory_->gather_contributions(*frame);
  if (transition) {
    memory_->leave(*frame, true);
    memory_->regrouped(*task);
    self.executed.store(self.executed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return finish(self, task, cancelled);
  }
  Frame* const below = std::exchange(self.frame, frame);
  const bool away = frame != nullptr && frame->node != NodeId(0);
  if (away && !lend_private_copies(self, *frame)) {
    memory_->leave(*frame, false);
    self.frame = below;
    return finish(self, task, true);
  }
  const auto* const addresses_below = std::exchange(self.context.addresses, away ? frame->addresses.data() : nullptr);
  const std::uint32_t row = task->traits & detail::kInternal ? 0 : LiveCosts::of(*task).row;  // 0: the policy asks for no estimates
  const Seconds start = row != 0 ? driver_->now() : Seconds(0.0);
  if (row != 0) memory_->began(self.context.worker, *task, start);
  const bool failed = run_body(self, task);
  if (row != 0) {
    const Seconds now = driver_->now();
    const bool counts = !failed && !(task->traits & detail::kParent);  // a parent's time is its children's, too
    memory_->ended(self.context.worker, counts ? row : 0, now - start, false, now);
  }
  if (self.frame != nullptr) memory_->leave(*self.frame, true);  // not `frame`: its children may have taken its data away
  self.frame = below;
  self.context.addresses = addresses_below;
  return finish(self, task, failed);
}

/// In the memory of a domain, as at home, what a core contributes or throws away lies where the heap has it.
/// @returns False if the operation of a reduction has thrown: the task has failed.
bool TaskEngine::lend_private_copies(ThreadState& self, Frame& frame) {
  TaskHeader* const below = std::exchange(self.context.task, frame.task);
  std::exception_ptr thrown;
  try {
    for (std::size_t i = 0; i < frame.task->accesses; ++i) {
      const detail::AccessWord word = frame.task->access_words()[i];
      if (word.mode() != AccessMode::reduce && word.mode() != AccessMode::scratch) continue;
      frame.addresses[i] = address(self.context, i);
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  self.context.task = below;
  if (!thrown) return true;
  fail(frame.task, std::move(thrown));
  return false;
}

void TaskEngine::wait_for_data(ThreadState& self, Frame& frame) {
  help_surely_until(self, 1, [&] { return frame.state.load(std::memory_order_acquire) != Frame::State::waiting; });
}

void TaskEngine::take_data_back(ThreadState& self) {
  if (self.splitting != 0) return;  // it has no body to go on with
  if (self.frame == nullptr) {
    TaskHeader& task = *self.context.task;
    if (LiveMemory::in_place(task)) return;
    self.frame = &memory_->enter_and_wait(task, true);
    wait_for_data(self, *self.frame);
  } else if (self.frame->published && !memory_->come_back(*self.frame)) {
    wait_for_data(self, *self.frame);
  }
  if (self.frame->state.load(std::memory_order_relaxed) == Frame::State::refused)
    throw Error(detail::message("task '", self.context.task->name(), "' has waited for its children, and ", self.frame->refusal));
}

/// @pre No task uses the datum. Whatever became of those that did: what they have left comes home. Afterwards nothing of it is
/// under way to its place there, or from it.
std::string TaskEngine::fetch_home(ThreadState& self, Datum& datum, AccessMode mode) {
  std::string why;
  const auto acquire = [&](detail::AccessWord word) {
    TaskRecord* task = new_record(self, 1, 0);
    task->access_words()[0] = word;
    Frame& frame = memory_->enter_and_wait(*task);
    wait_for_data(self, frame);
    // Its devices' copies go: from now on the application may write it, without a word.
    const bool there = frame.state.load(std::memory_order_relaxed) == Frame::State::ready;
    if (!there && why.empty()) why = detail::message(datum.label(), " is not in the application's memory: ", frame.refusal);
    memory_->leave(frame, there);
    free_record(self, task);
    return there;
  };
  if (acquire(detail::AccessWord(&datum, mode))) return why;
  detail::AccessWord end_of_copies(&datum, AccessMode::readwrite);
  end_of_copies.set_operation(graph::kTransition);
  while (memory_->moves_at_home(datum)) static_cast<void>(acquire(end_of_copies));
  return why;
}

std::string TaskEngine::bring_home(ThreadState& self) {
  std::string first;
  for (Datum* datum : memory_->take_away_from_home()) {
    std::string why = fetch_home(self, *datum);
    if (!why.empty()) memory_->still_away(*datum);  // the next wait tries again
    if (first.empty()) first = std::move(why);
  }
  return first;
}

void TaskEngine::make_safe(ThreadState& self) {
  for (Datum* datum : memory_->take_unsafe())
    if (!fetch_home(self, *datum, AccessMode::read).empty()) memory_->not_made_again(*datum);  // the application goes on after the wait
  destroy_dead(self);
}

void TaskEngine::destroy_dead(ThreadState& self) {
  for (TaskHeader* task : memory_->take_dead()) {
    if (task->type->destroy != nullptr) {
      ++self.destroying;
      task->type->destroy(*task);
      --self.destroying;
    }
    free_record(self, static_cast<TaskRecord*>(task));
  }
}

Seconds TaskEngine::processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return Seconds(static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec));
}

void TaskEngine::slow_down(Seconds before) const {
  const Seconds took = processor_time() - before;
  std::this_thread::sleep_for(std::chrono::duration<double>(took.value * (core_slowdown_ - 1.0)));
}

}  // namespace mitra::engine
