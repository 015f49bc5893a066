#include "engine/virtual/virtual_time.hpp"

#include <chrono>
#include <limits>
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "engine/trees.hpp"

namespace mitra::engine {

namespace {

constexpr std::size_t kMatrixNodes = 128;  // up to so many, the times of all copies are kept

/// What happens on behalf of a worker: policy and engine see it as the caller.
class Acting {
 public:
  Acting(ThreadState& self, const detail::ExecutionContext& context, WorkerKind kind)
      : self_(self), saved_(self.context), kinds_(self.kinds) {
    self.context = context;
    self.kinds = static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
  }
  ~Acting() {
    self_.context = saved_;
    self_.kinds = kinds_;
  }
  Acting(const Acting&) = delete;
  Acting& operator=(const Acting&) = delete;

 private:
  ThreadState& self_;
  const detail::ExecutionContext saved_;
  const std::uint8_t kinds_;
};

}  // namespace

VirtualTime::VirtualTime(TaskEngine& engine, const MachineDescription& description, const Machine& machine,
                         std::unique_ptr<PerformanceModel> model, SimDriver& driver, SchedulingPolicy& policy,
                         const Config& config)
    : engine_(engine), description_(description), machine_(machine), config_(config), model_(std::move(model)),
      information_(model::parse_information(config.information)), driver_(driver), policy_(policy),
      watches_completions_(policy.watches_completions()), steals_(policy.concurrent()), many_nodes_(machine.memory_nodes.size() > 1),
      costs_(machine, *model_), largest_memories_(machine), memory_(machine, *this, policy.chooses_victims()), books_(description, machine), idle_(machine.workers.size()) {
  for (const mitra::Worker& worker : machine.workers) {
    const WorkerClassDescription& c = description.classes[worker.worker_class.index()];
    workers_.push_back({.node = worker.node,
                        .worker_class = worker.worker_class,
                        .pipeline = static_cast<std::uint16_t>(std::max(c.pipeline, c.streams)),
                        .streams = static_cast<std::uint16_t>(c.streams)});
  }
  const std::size_t nodes = machine.memory_nodes.size();
  if (nodes <= kMatrixNodes) {
    constexpr std::uint64_t kProbe = std::uint64_t{1} << 40;  // bytes: large enough to see the bandwidth alone
    for (std::uint32_t from = 0; from < nodes; ++from)
      for (std::uint32_t to = 0; to < nodes; ++to) {
        const Seconds latency = driver.transfer_time(NodeId(from), NodeId(to), Bytes(0));
        const Seconds large = driver.transfer_time(NodeId(from), NodeId(to), Bytes(kProbe));
        copy_latency_.push_back(latency);
        copy_per_byte_.push_back((large - latency).value / static_cast<double>(kProbe));
      }
  }
  for (std::uint32_t n = 0; n < nodes; ++n) {
    const auto together = [&](std::uint32_t other) {
      return machine.memory_nodes[other].compute_node == machine.memory_nodes[n].compute_node;
    };
    std::uint32_t way = 0;
    while (!together(way)) ++way;  // the host
    if (way == n && n + 1 < nodes && together(n + 1)) ++way;
    way_in_.push_back(NodeId(way));
  }
  for (std::uint32_t w = 0; w < workers_.size(); ++w) update_idle(WorkerId(w));
  if (policy.rehearses()) rehearsal_ = std::make_unique<Rehearsal>(description, machine, config, memory_);
}

VirtualTime::~VirtualTime() = default;

// ------------------------------------------------------------------------------------------------ policy

namespace {

std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

void VirtualTime::hand_over(ThreadState& self, TaskHeader* task) {
  const std::size_t woken = woken_.size();
  acting_ = &self;
  const bool measured = books_.decides();
  const std::uint64_t began = measured ? wall_ns() : 0;
  if (many_nodes_ && memory_.is_tight() && !(task->traits & detail::kRecorded)) memory_.may_run(*task);
  policy_.ready(TaskRef(task), self.view);
  if (measured) books_.decided(wall_ns() - began);
  if (steals_) {  // what this worker shares, others of its kind may take
    const WorkerId by = self.context.worker;
    for (std::size_t kind = 0; kind < kWorkerKinds; ++kind)
      if (!by.valid() || kind_of(workers_[by.index()]) == static_cast<WorkerKind>(kind)) idle_.hear(static_cast<WorkerKind>(kind));
  }
  if (woken_.size() == woken) ++unclaimed_[kind_set(TaskRef(task))];
}

bool VirtualTime::splits(ThreadState& self, TaskHeader& task) {
  acting_ = &self;
  return policy_.splits(TaskRef(&task), self.view);
}

void VirtualTime::was_split(const TaskHeader& task) {
  const VirtualTask& mine = of(task);
  books_.uncount_task(mine.row);
  if (kept_ != nullptr && mine.path != 0 && mine.path <= kept_->row.size()) kept_->row[mine.path - 1] = TaskCosts::kNothing;
}

TaskHeader* VirtualTime::take_from_policy(ThreadState& self, WorkerId worker) {
  const Acting acting(self, context_of(worker, nullptr), kind_of(workers_[worker.index()]));
  acting_ = &self;
  const bool measured = books_.decides();
  const std::uint64_t began = measured ? wall_ns() : 0;
  TaskHeader* task = policy_.next(worker, self.view).header();
  if (measured) books_.decided(wall_ns() - began);
  return task;
}

std::size_t VirtualTime::choose_victim(NodeId node, std::span<const AccessRef> candidates) {
  return policy_.victim(node, candidates, acting_->view);
}

// ------------------------------------------------------------------------------------------------ idle workers

/// Puts the worker at the end of the list where it belongs.
void VirtualTime::update_idle(WorkerId id) {
  const Worker& worker = workers_[id.index()];
  if (worker.held >= worker.pipeline)
    idle_.remove(id);
  else
    idle_.put_last(id, kind_of(worker), worker.held > 0);
}

/// Asks workers of these kinds. @returns Whether one got a task.
bool VirtualTime::ask_idle(ThreadState& self, std::size_t kinds) {
  // A policy of one queue may keep a task for a worker that is not the one asked. Where workers have queues of their own and
  // steal, what one of them does not find its like will not find, either; and looking is long when there are many: they are
  // not asked for so many tasks, unless one of their own kind brings one.
  constexpr int kAttempts = 8;
  constexpr unsigned kSilence = 16;
  return idle_.ask(kinds, steals_ ? 1 : kAttempts, steals_ ? kSilence : 0, [&](WorkerId worker) { return feed(self, worker); });
}

bool VirtualTime::ask_everyone(ThreadState& self) {
  // More than once: a policy may have kept a task for a worker that it believed to be about to ask, and each of them asks.
  for (int round = 0; round < 3; ++round) {
    bool any = false;
    for (std::uint32_t w = 0; w < workers_.size(); ++w)
      if (workers_[w].held < workers_[w].pipeline) any |= feed(self, WorkerId(w));
    settle(self);
    if (any || driver_.next_time() < Seconds(std::numeric_limits<double>::infinity())) return true;
  }
  return false;
}

/// Gives the worker what the policy has for it. @returns Whether it got something.
bool VirtualTime::feed(ThreadState& self, WorkerId id) {
  bool any = false;
  while (workers_[id.index()].held < workers_[id.index()].pipeline) {
    TaskHeader* task = take_from_policy(self, id);
    if (task == nullptr) break;
    accept(self, id, task);
    any = true;
  }
  update_idle(id);
  return any;
}

void VirtualTime::settle(ThreadState& self) {
  const std::size_t patience = 4096 + 64 * workers_.size();
  std::size_t in_vain = 0;  // workers woken one after the other that took nothing
  for (;;) {
    if (TaskHeader* const task = engine_.take_split()) {
      const Acting acting(self, {&engine_, WorkerId(), NodeId(0), nullptr}, WorkerKind::cpu);
      if (TaskHeader* next = engine_.run_split(self, task)) engine_.hand_to_policy(self, next);
      engine_.complete_deferred(self);
      continue;
    }
    if (!arrived_.empty()) {
      const std::uint32_t slot = arrived_.front();
      arrived_.pop_front();
      data_there(self, slot);
      continue;
    }
    if (!woken_.empty()) {
      // By index: whoever is fed may wake others, and a nested wait settles all of them.
      for (std::size_t i = 0; i < woken_.size(); ++i) {
        if (woken_[i].index() >= workers_.size()) continue;
        in_vain = feed(self, woken_[i]) ? 0 : in_vain + 1;
        if (in_vain < patience) continue;
        stands_still_ = true;
        throw Error(detail::message("at ", driver_.now().value, " s of virtual time the policy '", config_.scheduler, "' has woken ",
                                    in_vain, " workers one after the other that took no task: it would do so for ever"));
      }
      woken_.clear();
      continue;
    }
    bool any = false;
    for (std::size_t set = 1; set < unclaimed_.size(); ++set)
      while (unclaimed_[set] != 0) {
        --unclaimed_[set];
        if (ask_idle(self, set)) {
          any = true;
        } else {
          unclaimed_[set] = 0;
        }
      }
    if (!any && arrived_.empty() && woken_.empty() && engine_.splits_waiting_.load(std::memory_order_relaxed) == 0) return;
  }
}

// ------------------------------------------------------------------------------------------------ slots

std::uint32_t VirtualTime::new_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = {};
  return slot;
}

void VirtualTime::free_slot(std::uint32_t slot) {
  slots_[slot].task = nullptr;
  free_slots_.push_back(slot);
}

detail::ExecutionContext VirtualTime::context_of(WorkerId worker, TaskHeader* task) {
  return {&engine_, worker, workers_[worker.index()].node, task};
}

double VirtualTime::duration_of(const TaskHeader& task, ClassId worker_class) const {
  const VirtualTask& mine = of(task);
  const ClassCost& cost = costs_.cost(mine.row, worker_class);
  double seconds = cost.seconds;
  if (!cost.known) seconds = config_.unknown > Seconds(0.0) ? config_.unknown.value : costs_.shortest(mine.row);
  if (config_.noise > 0.0)
    seconds *= model::noise_factor(config_.seed, model::NoiseStream::duration, TaskId(task.id.load(std::memory_order_relaxed)),
                                   worker_class, config_.noise);
  return seconds;
}

void VirtualTime::accept(ThreadState& self, WorkerId id, TaskHeader* task) {
  if (rehearsal_ != nullptr) rehearsal_->begun();
  const std::uint32_t slot = new_slot();
  Worker& worker = workers_[id.index()];
  ++worker.held;
  slots_[slot].task = task;
  slots_[slot].worker = id;
  const auto told = expected(*task, worker.worker_class);
  worker.until = std::max(worker.until, driver_.now()) + (told ? told->seconds : Seconds(0.0));
  if (!many_nodes_ || memory_.acquire(*task, worker.node, slot)) data_there(self, slot);
}

void VirtualTime::data_there(ThreadState& self, std::uint32_t slot) {
  Worker& worker = workers_[slots_[slot].worker.index()];
  slots_[slot].next = kNone;
  (worker.first_ready == kNone ? worker.first_ready : slots_[worker.last_ready].next) = slot;
  worker.last_ready = slot;
  start_ready(self, worker);
}

void VirtualTime::start_ready(ThreadState& self, Worker& worker) {
  while (worker.running < worker.streams && worker.first_ready != kNone) {
    const std::uint32_t slot = worker.first_ready;
    worker.first_ready = slots_[slot].next;
    start(self, slot);
  }
}

void VirtualTime::start(ThreadState& self, std::uint32_t number) {
  TaskHeader* const task = slots_[number].task;
  const WorkerId id = slots_[number].worker;
  Worker& worker = workers_[id.index()];
  if (!slots_[number].body_done) {
    const bool cancelled = is_cancelled(*task);
    slots_[number].poisoned = cancelled;
    if (cancelled && !is_transition(*task)) {
      if (many_nodes_) memory_.release_unused(*task, worker.node);
      free_slot(number);
      --worker.held;
      const Acting acting(self, context_of(id, nullptr), kind_of(worker));
      engine_.tell_cancelled(self, *task);
      if (TaskHeader* next = engine_.finish(self, task, true)) engine_.hand_to_policy(self, next);
      engine_.complete_deferred(self);
      woken_.push_back(id);
      return;
    }
    if (config_.execute) {
      slots_[number].body_done = true;
      bodies_.push_back(number);
      const bool failed = engine_.run_virtual_body(self, context_of(id, task));
      bodies_.pop_back();
      slots_[number].failed = failed;
      if (worker.running >= worker.streams) {  // while the body waited for its children, the worker went on
        slots_[number].next = worker.first_ready;
        if (worker.first_ready == kNone) worker.last_ready = number;
        worker.first_ready = number;
        return;
      }
    }
  }
  Slot& slot = slots_[number];
  const VirtualTask& mine = of(*task);
  const ClassCost& cost = costs_.cost(mine.row, worker.worker_class);
  slot.running = true;
  slot.start = driver_.now();
  slot.duration = Seconds(duration_of(*task, worker.worker_class));
  slot.watts = cost.known ? cost.watts : description_.classes[worker.worker_class.index()].power.static_power.value;
  slot.launch = driver_.launch(slot.duration, number);
  ++worker.running;
  worker.newest = number;
  books_.started(worker.worker_class, slot.watts);
}

void VirtualTime::end(ThreadState& self, std::uint32_t number) {
  const Slot slot = slots_[number];
  const WorkerId id = slot.worker;
  Worker& worker = workers_[id.index()];
  TaskHeader* const task = slot.task;
  const Seconds now = driver_.now();
  free_slot(number);
  --worker.running;
  --worker.held;
  if (worker.newest == number) worker.newest = kNone;
  if (worker.held == 0) worker.until = now;
  ++worker.tasks;
  books_.ended(task->id.load(std::memory_order_relaxed), id, worker.worker_class, slot.start, now, slot.watts);
  const Acting acting(self, context_of(id, nullptr), kind_of(worker));
  acting_ = &self;
  if (many_nodes_ && !slot.data_released) memory_.release(*task, worker.node);
  if (many_nodes_ && is_transition(*task)) memory_.regrouped(*task, worker.node);
  if (watches_completions_) policy_.finished(TaskRef(task), Measured{id, slot.start, now - slot.start}, self.view);
  TaskHeader* const next = engine_.finish(self, task, slot.failed || slot.poisoned);
  engine_.complete_deferred(self);
  if (next != nullptr) {
    if (worker.held < worker.pipeline)
      accept(self, id, next);
    else
      engine_.hand_to_policy(self, next);
  }
  start_ready(self, worker);
  feed(self, id);
}

bool VirtualTime::step(ThreadState& self) {
  settle(self);
  SimCompletion completion;
  if (!driver_.next(completion)) return false;
  switch (completion.kind) {
    case SimCompletion::Kind::launch: end(self, static_cast<std::uint32_t>(completion.token)); break;
    case SimCompletion::Kind::copy:
      acting_ = &self;
      memory_.copy_arrived(static_cast<std::uint32_t>(completion.token));
      break;
    case SimCompletion::Kind::timer: break;
  }
  settle(self);
  return true;
}

void VirtualTime::begin_nested_wait(WorkerId worker) {
  --workers_[worker.index()].held;
  // Its children may need the room that its data take: they are done with for the books, with what the body wrote.
  Slot& slot = slots_[bodies_.back()];
  if (many_nodes_ && !slot.data_released) memory_.release(*slot.task, workers_[worker.index()].node);
  slot.data_released = true;
  woken_.push_back(worker);
}

void VirtualTime::end_nested_wait(WorkerId worker) {
  ++workers_[worker.index()].held;
  update_idle(worker);
}

// ------------------------------------------------------------------------------------------------ transfers

void VirtualTime::start_copy(const memory::CopyOrder& order) {
  ++transfers_;
  driver_.copy(order.from, order.to, order.size, order.urgent, order.transfer);
}

Seconds VirtualTime::copy_time(NodeId from, NodeId to, Bytes size) {
  if (copy_latency_.empty()) return driver_.transfer_time(from, to, size);
  const std::size_t pair = from.index() * machine_.memory_nodes.size() + to.index();
  return copy_latency_[pair] + Seconds(copy_per_byte_[pair] * static_cast<double>(size.value));
}

}  // namespace mitra::engine
