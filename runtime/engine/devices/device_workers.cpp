#include "engine/devices/device_workers.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

#include <mitra/error.hpp>

#include "engine/helping.hpp"
#include "engine/recorder.hpp"

namespace mitra::engine {

namespace {

/// Until a thread that hears of nothing looks again.
constexpr Seconds kNap(0.001);

}  // namespace

struct DeviceWorkers::Lane {
  std::size_t number = 0;
  const Device* device = nullptr;
  std::unique_ptr<ThreadState> own;  // of a device where nothing runs; the others' are the engine's
  ThreadState* self = nullptr;
  bool runs = false;
  unsigned pipeline = 0;         // the most that it holds
  unsigned held = 0;             // tasks: asking for data, ready, running
  bool counts_time = false;      // the policy asks when it will have done them
  std::vector<Frame*> by_stream; // what runs; null: the stream is free
  std::deque<Frame*> ready;      // data there, no stream yet
  std::vector<DeviceCompletion> completions;  // that a loss has taken out of turn
  std::vector<DeviceCompletion> polled;       // kept for its memory, as are the next two
  std::deque<DeviceCopy> orders;
  std::vector<std::pair<std::uint64_t, DeviceResult>> refused;
  unsigned copies = 0;           // under way
  bool lost_seen = false;        // a call or a completion has said so
  bool lost = false;             // and what it takes has been done
  detail::SpinLock given_lock;
  std::vector<TaskHeader*> given;              // by a lost device; under given_lock
  std::atomic<bool> has_given{false};
  std::atomic<unsigned> load{0};               // tasks held and given, as others see it
  std::atomic<bool> works{true};
  // Bodies that wait for their children, by the threads that run them.
  std::atomic<int> nested{0};
  std::atomic<std::uint64_t> streams_left{0};  // bit: stream that such a body has left
};

DeviceWorkers::DeviceWorkers(TaskEngine& engine, const DeviceSet& devices, LiveMemory& memory)
    : engine_(engine), devices_(devices), memory_(memory) {
  for (const Device& device : devices.all()) {
    auto lane = std::make_unique<Lane>();
    lane->number = lanes_.size();
    lane->device = &device;
    lane->runs = device.worker.valid();
    if (!lane->runs) lane->own = std::make_unique<ThreadState>(engine, WorkerId(), true, 1);
    lane->self = lane->runs ? engine.workers_[device.worker.index() - 1].get() : lane->own.get();
    lane->self->kinds = static_cast<std::uint8_t>(1U << static_cast<unsigned>(WorkerKind::hip));
    lane->by_stream.resize(device.description().streams);
    lane->pipeline = device.description().pipeline;
    lanes_.push_back(std::move(lane));
  }
}

DeviceWorkers::~DeviceWorkers() { stop(); }

void DeviceWorkers::start() {
  for (auto& lane : lanes_) threads_.emplace_back([this, l = lane.get()] { run(*l); });
}

void DeviceWorkers::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void DeviceWorkers::wake_all() {
  for (const auto& lane : lanes_) lane->device->driver->wake(lane->device->number);
}

void DeviceWorkers::wake(WorkerId worker) {
  for (const auto& lane : lanes_)
    if (lane->device->worker == worker) return lane->device->driver->wake(lane->device->number);
}

// ------------------------------------------------------------------------------------------------ the thread of a device

void DeviceWorkers::run(Lane& lane) noexcept {
  thread_cache = {engine_.serial_, lane.self};
  lane.self->device_thread = true;
  pthread_setname_np(pthread_self(), ("mitra-dev" + std::to_string(lane.number)).c_str());
  const Device& device = *lane.device;
  lane.lost_seen = !device.driver->attach(device.number).ok();
  const std::uint64_t bit = std::uint64_t{1} << lane.number;
  const auto work = [&] {
    for (;;) {
      // Copies first: others wait for them.
      bool any = start_copies(lane);
      any |= poll(lane);
      lane.lost_seen |= memory_.is_said_to_be_lost(lane.number);
      if (lane.lost_seen && !lane.lost) lose(lane);
      any |= start_arrived(lane);
      const bool stopping = stopping_.load(std::memory_order_acquire);
      if (lane.runs && !stopping) any |= lane.lost ? redirect(lane) : feed(lane);
      engine_.destroy_dead(*lane.self);
      if (any) continue;
      if (stopping) {
        if (lane.copies == 0) return;
        device.driver->wait(device.number, kNap);  // copies that nobody has waited for end before the memory goes
        continue;
      }
      if (lane.lost) {  // it hears of nothing
        device.driver->wait(device.number, kNap);
        continue;
      }
      hungry_.fetch_or(bit, std::memory_order_seq_cst);
      any = lane.runs && feed(lane);  // once more: what became ready before the announcement woke nobody
      if (!any) device.driver->wait(device.number, engine_.policy_waits() ? kNap : Seconds(1.0));
      hungry_.fetch_and(~bit, std::memory_order_relaxed);
    }
  };
  while (std::exception_ptr thrown = thrown_by(work)) engine_.policy_threw(*lane.self, std::move(thrown));
}

bool DeviceWorkers::start_copies(Lane& lane) {
  if (!memory_.has_news(lane.number)) return false;
  memory_.take_orders(lane.number, lane.orders);
  for (const DeviceCopy& copy : lane.orders) {
    const DeviceResult result = lane.device->driver->copy(lane.device->number, copy);
    lane.copies += result.ok();
    lane.lost_seen |= result.status == DeviceStatus::lost;
    if (!result.ok()) lane.refused.emplace_back(copy.token, result);
  }
  if (lane.lost_seen && !lane.lost) lose(lane);  // before anybody is told: it would be tried again
  for (const auto& [token, result] : lane.refused) memory_.end_copy(token, result);
  lane.refused.clear();
  return !lane.orders.empty();
}

bool DeviceWorkers::poll(Lane& lane) {
  std::vector<DeviceCompletion>& completions = lane.polled;
  completions.clear();
  lane.device->driver->poll(lane.device->number, completions);
  for (const DeviceCompletion& completion : completions) {
    lane.lost_seen |= completion.result.status == DeviceStatus::lost;
    lane.copies -= completion.kind == DeviceCompletion::Kind::copy;
  }
  if (lane.lost_seen && !lane.lost) lose(lane);
  // What ended while the loss was dealt with comes after what had ended before.
  completions.insert(completions.end(), lane.completions.begin(), lane.completions.end());
  lane.completions.clear();
  for (const DeviceCompletion& completion : completions) {
    if (completion.kind == DeviceCompletion::Kind::copy)
      memory_.copied(completion);
    else
      ended(lane, completion);
  }
  return !completions.empty();
}

// ------------------------------------------------------------------------------------------------ lost devices

/// What lay there alone is made again, while nobody else can ask for anything. What ran there, and what waited to run, goes to
/// others as it ends.
void DeviceWorkers::lose(Lane& lane) {
  lane.lost = lane.lost_seen = true;
  lane.works.store(false, std::memory_order_relaxed);
  const std::scoped_lock lock(memory_.mutex());
  const std::vector<std::uint32_t> lost = memory_.begin_loss(lane.number);
  // Copies to the host's memory have to be over before anything is put there.
  std::vector<DeviceCompletion> completions;
  while (lane.copies > 0) {
    completions.clear();
    lane.device->driver->poll(lane.device->number, completions);
    for (const DeviceCompletion& completion : completions) {
      lane.copies -= completion.kind == DeviceCompletion::Kind::copy;
      lane.completions.push_back(completion);
    }
    if (completions.empty()) lane.device->driver->wait(lane.device->number, kNap);
  }
  memory_.end_loss(lane.number, lost);
}

/// To another device that works, else to the cores.
void DeviceWorkers::send_on(Lane& lane, TaskHeader* task) {
  Lane* best = nullptr;
  for (const auto& other : lanes_)
    if (other->runs && other->works.load(std::memory_order_relaxed) &&
        (best == nullptr || other->load.load(std::memory_order_relaxed) < best->load.load(std::memory_order_relaxed)))
      best = other.get();
  if (best != nullptr) {
    best->load.fetch_add(1, std::memory_order_relaxed);
    {
      detail::SpinGuard guard(best->given_lock);
      best->given.push_back(task);
      best->has_given.store(true, std::memory_order_release);  // before the wake
    }
    return best->device->driver->wake(best->device->number);
  }
  if (task->kinds & 1U) return memory_.send_to_host(*task);
  engine_.fail(task, std::make_exception_ptr(Error("the devices that could run it are lost")));
  complete(lane, task, true);
}

std::vector<TaskHeader*> DeviceWorkers::take_given(Lane& lane) {
  std::vector<TaskHeader*> given;
  if (!lane.has_given.load(std::memory_order_acquire)) return given;
  {
    detail::SpinGuard guard(lane.given_lock);
    given.swap(lane.given);
    lane.has_given.store(false, std::memory_order_relaxed);
  }
  lane.load.fetch_sub(static_cast<unsigned>(given.size()), std::memory_order_relaxed);
  return given;
}

/// The policy knows of no loss: what it has for the lost device is passed on as fast as others can take it.
bool DeviceWorkers::redirect(Lane& lane) {
  const std::vector<TaskHeader*> given = take_given(lane);  // by another lost device, before this one was lost, too
  for (TaskHeader* task : given) send_on(lane, task);
  bool any = !given.empty();
  for (;;) {
    bool device = false, room = false;
    for (const auto& other : lanes_) {
      if (!other->runs || !other->works.load(std::memory_order_relaxed)) continue;
      device = true;
      room |= other->load.load(std::memory_order_relaxed) < other->pipeline;
    }
    if (device ? !room : memory_.arrived_at_host() >= engine_.cores_) return any;
    TaskHeader* task = engine_.take_from_policy(*lane.self);
    if (task == nullptr) return any;
    send_on(lane, task);
    any = true;
  }
}

bool DeviceWorkers::start_arrived(Lane& lane) {
  bool any = false;
  while (Frame* frame = memory_.has_news(lane.number) ? memory_.take_arrived(lane.number) : nullptr) {
    arrived(lane, *frame);
    any = true;
  }
  const bool has_left = lane.streams_left.load(std::memory_order_relaxed) != 0;
  const std::uint64_t left = has_left ? lane.streams_left.exchange(0, std::memory_order_acquire) : 0;
  for (unsigned s = 0; s < lane.by_stream.size(); ++s)
    if (left >> s & 1U) lane.by_stream[s] = nullptr;
  launch_ready(lane);
  return any;
}

/// Takes what the policy has for the device, as far as it holds less than it may.
bool DeviceWorkers::feed(Lane& lane) {
  const std::vector<TaskHeader*> given = take_given(lane);
  for (TaskHeader* task : given) accept(lane, task);
  bool any = !given.empty();
  while (lane.held - static_cast<unsigned>(lane.nested.load(std::memory_order_relaxed)) < lane.pipeline) {
    TaskHeader* task = engine_.take_from_policy(*lane.self);
    if (task == nullptr) break;
    accept(lane, task);
    any = true;
  }
  return any;
}

void DeviceWorkers::accept(Lane& lane, TaskHeader* task) {
  if (is_cancelled(*task)) {
    engine_.tell_cancelled(*lane.self, *task);
    return complete(lane, task, true);
  }
  ++lane.held;
  lane.load.fetch_add(1, std::memory_order_relaxed);
  if (LiveCosts::of(*task).row != 0) {  // otherwise, the policy asks for no estimates
    lane.counts_time = true;
    memory_.began(lane.device->worker, *task, engine_.now());
  }
  if (Frame* frame = memory_.enter(*task, lane.device->node, lane.device->worker, lane.self)) arrived(lane, *frame);
}

void DeviceWorkers::release_one(Lane& lane) {
  --lane.held;
  lane.load.fetch_sub(1, std::memory_order_relaxed);
  if (lane.held == 0 && std::exchange(lane.counts_time, false)) memory_.idle(lane.device->worker);
}

void DeviceWorkers::arrived(Lane& lane, Frame& frame) {
  if (lane.lost) {
    TaskHeader* const task = frame.task;
    memory_.leave(frame, false);
    release_one(lane);
    return send_on(lane, task);
  }
  if (frame.state.load(std::memory_order_acquire) == Frame::State::refused) return give_elsewhere(lane, frame);
  lane.ready.push_back(&frame);
  launch_ready(lane);
}

/// The device cannot have the task's data: a core runs it, if it can.
void DeviceWorkers::give_elsewhere(Lane& lane, Frame& frame) {
  TaskHeader* const task = frame.task;
  const std::string why = frame.refusal;
  memory_.leave(frame, false);
  release_one(lane);
  if (task->kinds & 1U) {
    memory_.send_to_host(*task);
    return;
  }
  engine_.fail(task, std::make_exception_ptr(Error(why)));
  complete(lane, task, true);
}

void DeviceWorkers::launch_ready(Lane& lane) {
  while (lane.lost && !lane.ready.empty()) {
    Frame& frame = *lane.ready.front();
    lane.ready.pop_front();
    arrived(lane, frame);
  }
  for (unsigned s = 0; s < lane.by_stream.size() && !lane.ready.empty(); ++s) {
    if (lane.by_stream[s] != nullptr) continue;
    Frame& frame = *lane.ready.front();
    lane.ready.pop_front();
    if (is_cancelled(*frame.task)) {
      TaskHeader* const task = frame.task;
      memory_.leave(frame, false);
      release_one(lane);
      engine_.tell_cancelled(*lane.self, *task);
      complete(lane, task, true);
      s = ~0U;  // from the first stream on
      continue;
    }
    launch(lane, frame, s);
  }
}

// ------------------------------------------------------------------------------------------------ bodies

/// Threads are known by their ids. One of the application that had this id before, and has ended, may have left the role of
/// worker 0 in the state that the id stands for: whoever takes the role over would write there.
void TaskEngine::become_device_thread(ThreadState& self) noexcept {
  SubmissionGuard guard(submission_lock_);
  if (role_holder_ == &self) role_holder_ = nullptr;
  self.context.worker = WorkerId();
  self.device_thread = true;
}

/// On the device's own thread, where the body enqueues its work, or on one of the driver's, where it does it.
void TaskEngine::run_device_body(void* argument, void* stream) noexcept {
  Frame& frame = *static_cast<Frame*>(argument);
  TaskEngine& engine = *frame.engine;
  ThreadState& self = engine.thread_state();
  if (!self.device_thread) engine.become_device_thread(self);
  const detail::ExecutionContext below = std::exchange(
      self.context, detail::ExecutionContext{&engine, frame.worker, frame.node, frame.task, stream, frame.addresses.data()});
  Frame* const frame_below = std::exchange(self.frame, &frame);
  const bool on_device = std::exchange(self.on_device, true);
  try {
    frame.task->type->launch[static_cast<std::size_t>(frame.implementation)](*frame.task, self.context);
  } catch (...) {
    engine.fail(frame.task, std::current_exception());
    frame.failed = true;
  }
  self.on_device = on_device;
  self.frame = frame_below;
  self.context = below;
}

void DeviceWorkers::launch(Lane& lane, Frame& frame, unsigned stream) {
  lane.by_stream[stream] = &frame;
  frame.stream = stream;
  frame.engine = &engine_;
  frame.implementation = lane.device->driver->implementation();
  frame.timed = engine_.policy_watches_completions_ || LiveCosts::of(*frame.task).row != 0;
  if (frame.timed) frame.start = engine_.now();
  const DeviceLaunch launch{&TaskEngine::run_device_body, &frame, reinterpret_cast<std::uint64_t>(&frame)};
  const DeviceResult result = lane.device->driver->launch(lane.device->number, stream, launch);
  if (result.status == DeviceStatus::lost && !lane.lost) lose(lane);
  if (!result.ok()) ended(lane, {DeviceCompletion::Kind::launch, launch.token, result, Seconds(0.0)});
}

void DeviceWorkers::ended(Lane& lane, const DeviceCompletion& completion) {
  Frame& frame = *reinterpret_cast<Frame*>(completion.token);
  TaskHeader* const task = frame.task;
  if (frame.nested) lane.nested.fetch_sub(1, std::memory_order_relaxed);
  if (lane.by_stream[frame.stream] == &frame) lane.by_stream[frame.stream] = nullptr;
  release_one(lane);
  bool failed = frame.failed;
  // What ended well before the loss was heard of is gone all the same.
  if (lane.lost && !failed) {
    if (!(task->traits & detail::kParent)) {  // again, elsewhere
      memory_.leave(frame, false);
      return send_on(lane, task);
    }
    engine_.fail(task, std::make_exception_ptr(Error(detail::message(
                           lane.device->description().name, " is lost, and the task is not run again, since it has submitted others"))));
    failed = true;
  }
  if (!completion.result.ok() && !failed) {
    engine_.fail(task, std::make_exception_ptr(Error(completion.result.text)));
    failed = true;
  }
  const Seconds start = frame.start, now = frame.timed ? engine_.now() : start;
  const Seconds duration = completion.duration > Seconds(0.0) ? completion.duration : now - start;
  const std::uint32_t row = failed || frame.nested ? 0 : LiveCosts::of(*task).row;
  frame.failed = failed;
  const bool kept = memory_.leave(frame, true);
  if (row != 0) memory_.ended(lane.device->worker, row, duration, lane.held > 0, now);
  ThreadState& self = *lane.self;
  if (engine_.policy_watches_completions_) {
    const Measured measured{lane.device->worker, start, now - start};
    const TaskEngine::PolicyGuard guard(engine_);
    engine_.policy_->finished(TaskRef(task), measured, self.view);
  }
  self.executed.store(self.executed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  complete(lane, task, failed, kept);
}

void DeviceWorkers::complete(Lane& lane, TaskHeader* task, bool failed, bool kept) {
  ThreadState& self = *lane.self;
  self.keeps_record = kept;
  TaskHeader* const next = engine_.finish(self, task, failed);
  if (self.deferred != nullptr) engine_.complete_deferred(self);
  engine_.notify_waiters();
  if (next == nullptr) return;
  if (lane.lost) return send_on(lane, next);
  if (lane.held < lane.pipeline)
    accept(lane, next);
  else
    engine_.hand_to_policy(self, next);
}

// ------------------------------------------------------------------------------------------------ bodies that wait

void DeviceWorkers::begin_nested_wait(Frame& frame) {
  const Device& device = *devices_.of(frame.node);
  Lane& lane = *lanes_[static_cast<std::size_t>(&device - devices_.all().data())];
  if (std::exchange(frame.nested, true)) return;
  memory_.begin_nested_wait(frame);
  memory_.idle(device.worker);
  lane.nested.fetch_add(1, std::memory_order_relaxed);
  lane.streams_left.fetch_or(std::uint64_t{1} << frame.stream, std::memory_order_release);
  device.driver->leave_stream(device.number, frame.stream);
  device.driver->wake(device.number);
}

}  // namespace mitra::engine
