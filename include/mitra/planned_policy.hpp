// A policy that plans the whole graph before it runs, and then holds the workers to the plan as far as reality allows.
// Flow: submitted -> plan graph -> [planned policy] -> plan; ready -> places -> worker. Thread-safety: serialised.
//
// What was submitted and is not planned yet is planned when the next worker asks. Afterwards, a worker that asks gets
//   1. of the ready tasks of its place whose planned start has come, the first one: equal workers stand in for each other;
//   2. the next task of its own plan, if that is ready, also before its time;
//   3. a task that no model knows: such tasks are not planned, the most urgent goes to whoever asks;
//   4. the last of the ready tasks of another place, if that place is behind its plan, and the task ends here before the
//      place has worked its way to it;
//   5. and if nobody runs anything, whatever is ready: a plan never stops a run, whatever has become of it.
// Otherwise it waits, as the plan wants it to: an idle time before an urgent task is a decision, not an accident.
// Without models there is no plan, and 3 is all: one heap by priority.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <set>
#include <utility>
#include <vector>

#include <mitra/contention.hpp>
#include <mitra/list_plan.hpp>
#include <mitra/plan_graph.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>
#include <mitra/task_table.hpp>

namespace mitra {

class PlannedPolicy : public SchedulingPolicy {
 public:
  /// @param contention  @see contention()
  explicit PlannedPolicy(double contention) : contention_(contention) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    graph_.start(machine);
    contention_ = contention(machine, contention_);
    places_ = places_of(machine);
    workers_.resize(machine.workers.size());
    for (std::uint32_t p = 0; p < places_.size(); ++p) {
      const WorkerKind kind = machine.classes[places_[p].worker_class.index()].kind;
      waiting_.push_back({kind, {}, 0.0, {}});
      for (const WorkerId id : places_[p].workers) workers_[id.index()].place = p;
    }
  }
  bool watches_submissions() const override { return true; }

  void submitted(TaskRef task, SchedulerView& view) override { add(task, view.predecessors(), view); }

  void ready(TaskRef task, SchedulerView& view) override {
    Entry* entry = entries_.find(task.id());
    if (entry == nullptr || entry->state == State::given) entry = add(task, {}, view);
    if (entry == nullptr) return unknown_.push(task);
    entry->task = task;
    if (entry->state == State::seen) return unplanned_.push_back(task.id());
    offer(task.id(), *entry, view);
  }

  void cancelled(TaskRef task, SchedulerView&) override {
    Entry* entry = entries_.find(task.id());
    if (entry == nullptr || entry->task) return;  // it has been ready: whoever gets it will see
    if (entry->state == State::seen) entry->cancelled = true;
    if (entry->state == State::planned) drop(task.id(), *entry);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    if (graph_.size() != 0) make_plan(view);
    const TaskRef task = choose(worker, view);
    OfWorker& own = workers_[worker.index()];
    own.asked_in_vain = !task;
    own.called = false;
    if (task) {
      call_others(own.place, view);
    } else if (!own.listed) {
      own.listed = true;
      waiting_[own.place].idle.push_back(worker);
    }
    return task;
  }

 protected:
  /// Plans all tasks of `planner.graph()`.
  virtual Plan plan(ListPlanner& planner) = 0;
  const std::vector<Place>& places() const { return places_; }

 private:
  enum class State : std::uint8_t { seen, planned, given };
  struct Entry {
    TaskRef task;  // once it is ready
    double start = 0.0, finish = 0.0;
    std::uint32_t number = 0;  // in the graph to plan
    WorkerId worker;
    State state = State::seen;
    bool cancelled = false;  // before it was planned
  };
  struct Turn {
    double start = 0.0;
    TaskId id;
    bool operator<(const Turn& other) const { return start != other.start ? start < other.start : id < other.id; }
    bool operator>(const Turn& other) const { return other < *this; }
  };
  struct OfPlace {
    WorkerKind kind;
    std::set<Turn> ready;
    double ready_seconds = 0.0;  // of these, shared among the workers
    std::vector<WorkerId> idle;  // those who asked in vain, and perhaps have been given something since
  };
  struct OfWorker {
    std::uint32_t place = 0;
    bool asked_in_vain = true;  // since it was given something
    bool listed = false;
    bool called = false;  // and has not come yet
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> plan;
  };

  // --- planning ---
  /// @returns Null if no model knows the task.
  Entry* add(TaskRef task, std::span<const TaskId> predecessors, SchedulerView& view) {
    if (graph_.size() == 0 && planned_ == 0) graph_.clear(true);
    const auto number = [&](TaskId id) {
      const Entry* entry = entries_.find(id);
      return entry == nullptr || entry->state != State::seen ? PlanGraph::kOld : entry->number;
    };
    const auto ended = [&](TaskId id) {
      const Entry* entry = entries_.find(id);
      return entry == nullptr ? 0.0 : entry->finish;
    };
    const auto place = static_cast<std::uint32_t>(graph_.size());
    if (!graph_.add(task, predecessors, view, number, ended)) return nullptr;
    Entry& entry = entries_[task.id()];
    entry = {};
    entry.number = place;
    return &entry;
  }

  void make_plan(SchedulerView& view) {
    const double now = view.now().value;
    forget_given(now);
    graph_.close();
    double shortest = std::numeric_limits<double>::infinity();
    for (std::size_t t = 0; t < graph_.size(); ++t) shortest = std::min(shortest, graph_.shortest(t));
    shortest_ = planned_ == 0 ? shortest : std::min(shortest, shortest_);
    if (planned_ == 0) {
      idle_.assign(places_.size(), IdleTimes(shortest_));
      for (std::size_t p = 0; p < places_.size(); ++p)
        for (std::uint32_t i = 0; i < places_[p].workers.size(); ++i)
          idle_[p].add(i, std::max(now, view.busy_until(places_[p].workers[i]).value));
    } else {
      for (IdleTimes& idle : idle_) idle.forget_before(now, shortest_);
    }

    ListPlanner planner(graph_, places_, idle_, now, contention_);
    Plan result = plan(planner);
    idle_ = std::move(result.idle);
    graph_.available() = std::move(result.available);
    graph_.datum() = std::move(result.data);
    for (std::size_t t = 0; t < graph_.size(); ++t) {
      const Plan::Entry& where = result.entries[t];
      Entry& entry = entries_[graph_.id(t)];
      entry.state = State::planned;
      entry.start = where.start;
      entry.finish = where.finish;
      entry.worker = places_[where.place].workers[where.worker];
      workers_[entry.worker.index()].plan.push({where.start, graph_.id(t)});
    }
    planned_ += graph_.size();
    for (std::size_t t = 0; t < graph_.size(); ++t)
      if (Entry& entry = entries_[graph_.id(t)]; entry.cancelled) drop(graph_.id(t), entry);
    graph_.clear(false);
    for (const TaskId id : unplanned_) offer(id, *entries_.find(id), view);
    unplanned_.clear();
  }

  /// Of tasks that have been given out, the planned end is kept until it has come: what follows them may be planned yet.
  void forget_given(double now) {
    while (!given_.empty()) {
      const Entry* entry = entries_.find(given_.front());
      if (entry != nullptr && entry->state == State::given) {
        if (entry->finish > now) return;
        entries_.erase(given_.front());
      }
      given_.pop_front();
    }
  }

  // --- giving ---
  /// A planned task is ready.
  void offer(TaskId id, const Entry& entry, SchedulerView& view) {
    const std::uint32_t place = workers_[entry.worker.index()].place;
    OfPlace& waiting = waiting_[place];
    waiting.ready.insert({entry.start, id});
    waiting.ready_seconds += share(entry, place);
    if (places_.size() > 1) view.prefetch(entry.task, places_[place].node);
    if (workers_[entry.worker.index()].asked_in_vain || !is_due(entry.start, view.now().value) || !call_idle(waiting, view))
      call(entry.worker, view);
    call_others(place, view);
  }
  /// If a place has more than it can do in time: who else has nothing to do?
  void call_others(std::uint32_t place, SchedulerView& view) {
    const OfPlace& waiting = waiting_[place];
    if (waiting.ready.empty()) return;
    const Entry& last = *entries_.find(waiting.ready.rbegin()->id);
    if (!is_behind(waiting, last, view.now().value)) return;
    for (OfPlace& other : waiting_)
      if (&other != &waiting && last.task.runs_on(other.kind)) call_idle(other, view);
  }
  /// @returns Whether somebody there has nothing to do.
  bool call_idle(OfPlace& place, SchedulerView& view) {
    while (!place.idle.empty()) {
      const WorkerId worker = place.idle.back();
      place.idle.pop_back();
      workers_[worker.index()].listed = false;
      if (!workers_[worker.index()].asked_in_vain) continue;
      call(worker, view);
      return true;
    }
    return false;
  }
  void call(WorkerId worker, SchedulerView& view) {
    workers_[worker.index()].called = true;
    view.wake(worker);
  }

  TaskRef choose(WorkerId worker, SchedulerView& view) {
    const double now = view.now().value;
    OfWorker& own = workers_[worker.index()];
    const OfPlace& place = waiting_[own.place];
    if (!place.ready.empty() && is_due(place.ready.begin()->start, now)) return give(place.ready.begin()->id);
    while (!own.plan.empty() && !waits(own.plan.top())) own.plan.pop();
    if (!own.plan.empty() && entries_.find(own.plan.top().id)->task) return give(own.plan.top().id);
    if (const TaskRef task = unknown_.pop(place.kind)) return task;
    if (planned_ == 0) return {};
    if (const TaskRef task = take_late(own.place, now, view)) return task;
    return somebody_runs(now, view) ? TaskRef() : take_anything(own.place, view);
  }

  /// Will the last ready task of a place end later than planned, by more than the time that it takes?
  static bool is_behind(const OfPlace& place, const Entry& last, double now) {
    return now + place.ready_seconds > last.finish + (last.finish - last.start);
  }
  TaskRef take_late(std::size_t own_place, double now, SchedulerView& view) {
    const OfPlace& own = waiting_[own_place];
    for (std::size_t i = 1; i < waiting_.size(); ++i) {
      const OfPlace& place = waiting_[(own_place + i) % waiting_.size()];
      if (place.ready.empty()) continue;
      const TaskId id = place.ready.rbegin()->id;
      const Entry& entry = *entries_.find(id);
      const TaskRef task = entry.task;
      if (!is_behind(place, entry, now) || !task.runs_on(own.kind)) continue;
      const auto estimate = view.estimate(task, places_[own_place].worker_class);
      if (!estimate || estimate->seconds.value >= place.ready_seconds) continue;
      const auto transfer = view.transfer_time(task, places_[own_place].node);
      if (estimate->seconds.value + (transfer ? contention_ * transfer->value : 0.0) < place.ready_seconds) return give(id);
    }
    return {};
  }
  /// Nobody runs anything, so nothing will become ready before something starts.
  TaskRef take_anything(std::size_t own_place, SchedulerView& view) {
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const OfPlace& place = waiting_[(own_place + i) % waiting_.size()];
      if (place.ready.empty()) continue;
      const TaskId id = place.ready.begin()->id;
      const Entry* entry = entries_.find(id);
      if (entry->task.runs_on(waiting_[own_place].kind)) return give(id);
      call(entry->worker, view);
    }
    return {};
  }

  bool somebody_runs(double now, SchedulerView& view) {
    const auto runs = [&](std::size_t w) {
      return workers_[w].called || !workers_[w].asked_in_vain || view.busy_until(WorkerId(static_cast<std::uint32_t>(w))).value > now;
    };
    if (runs(witness_)) return true;
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      if (!runs(w)) continue;
      witness_ = w;  // it is asked first, for as long as it runs
      return true;
    }
    return false;
  }

  TaskRef give(TaskId id) {
    Entry& entry = *entries_.find(id);
    const std::uint32_t place = workers_[entry.worker.index()].place;
    OfPlace& waiting = waiting_[place];
    waiting.ready.erase({entry.start, id});
    waiting.ready_seconds = waiting.ready.empty() ? 0.0 : waiting.ready_seconds - share(entry, place);
    drop(id, entry);
    return std::exchange(entry.task, TaskRef());
  }
  /// It is no longer part of what is planned; its planned end stays known for a while.
  void drop(TaskId id, Entry& entry) {
    entry.state = State::given;
    --planned_;
    given_.push_back(id);
  }

  /// Clocks count in floating point: a billionth is no delay.
  static bool is_due(double start, double now) { return start <= now + 1e-9 * now; }
  bool waits(const Turn& turn) {
    const Entry* entry = entries_.find(turn.id);
    return entry != nullptr && entry->state == State::planned && entry->start == turn.start;
  }
  /// What a ready task adds to the time that a place needs for all that it has.
  double share(const Entry& entry, std::uint32_t place) const {
    return (entry.finish - entry.start) / static_cast<double>(places_[place].workers.size());
  }

  double contention_;
  std::vector<Place> places_;
  std::vector<OfPlace> waiting_;  // by place
  std::vector<OfWorker> workers_;
  TaskTable<Entry> entries_;
  PlanGraph graph_;                 // what is to be planned
  std::vector<IdleTimes> idle_;     // by place: what the plans have left
  double shortest_ = 0.0;
  std::size_t planned_ = 0;         // and not given out
  std::vector<TaskId> unplanned_;   // ready already
  std::deque<TaskId> given_;
  std::size_t witness_ = 0;
  TasksByKinds unknown_;  // tasks that no model knows
};

}  // namespace mitra
