// A policy that places each ready task where it is expected to end first: the machinery of dm, dmda, dmdar and dmdas.
// Source: Augonnet, Clet-Ortega, Thibault, Namyst, "Data-aware task scheduling on multi-accelerator based platforms",
// ICPADS 2010, https://inria.hal.science/inria-00523937; the sum with alpha, beta, gamma: StarPU's handbook, "dmda".
// Flow: ready -> estimates by place -> [expected end] -> queue of a worker -> worker. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <mitra/contention.hpp>
#include <mitra/least_of.hpp>
#include <mitra/machine.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace mitra {

/// Tasks by priority, or first in, first out; each with the time that it adds to its worker's queue.
class ChargedQueue {
 public:
  struct Entry {
    TaskRef task;
    double charge = 0.0;  ///< Seconds.
    std::uint64_t number = 0;
    int priority = 0;
  };

  bool empty() const { return entries_.empty(); }
  /// @returns The first one. @pre not empty
  const Entry& top() const { return entries_.front(); }
  /// Seconds of all that waits here.
  double charge() const { return charge_; }
  void push(TaskRef task, double charge, int priority) {
    put({task, charge, ++pushed_, priority});
    charge_ += charge;
  }
  /// @returns The first one. @pre not empty
  Entry pop() {
    const Entry first = take();
    charge_ = entries_.empty() ? 0.0 : std::max(0.0, charge_ - first.charge);
    return first;
  }
  /// @returns Of the first `window` that are as urgent as the first, the one of least cost(task); 0 ends the search.
  template <class Cost>
  Entry pop_least(std::size_t window, Cost&& cost) {
    Entry best = take();
    auto least = cost(best.task);
    passed_.clear();
    while (least != decltype(least){} && passed_.size() + 1 < window && !entries_.empty() &&
           entries_.front().priority == best.priority) {
      Entry other = take();
      if (const auto its = cost(other.task); its < least) {
        least = its;
        std::swap(best, other);
      }
      passed_.push_back(other);
    }
    for (const Entry& other : passed_) put(other);
    charge_ = entries_.empty() ? 0.0 : std::max(0.0, charge_ - best.charge);
    return best;
  }

 private:
  static bool later(const Entry& a, const Entry& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.number > b.number;
  }
  void put(const Entry& entry) {
    entries_.push_back(entry);
    std::push_heap(entries_.begin(), entries_.end(), later);
  }
  Entry take() {
    std::pop_heap(entries_.begin(), entries_.end(), later);
    const Entry first = entries_.back();
    entries_.pop_back();
    return first;
  }

  std::vector<Entry> entries_;
  std::vector<Entry> passed_;
  std::uint64_t pushed_ = 0;
  double charge_ = 0.0;
};

enum class Splitting { never, automatic, always };

/// What the members of the family do differently.
struct ExpectedEndOptions {
  bool transfers = false;    ///< Transfer times count, and input is fetched as soon as its task is placed.
  bool by_priority = false;  ///< A worker's most urgent task first.
  std::size_t window = 1;    ///< Among so many first tasks of a queue, the one that misses the fewest bytes goes first.
  double contention = 1.0;   ///< A transfer takes so many times as long as over idle links; 0: twice the count of GPUs.
  double alpha = 1.0;        ///< Weight of the expected end.
  double beta = 1.0;         ///< Weight of the time of transfers.
  double gamma = 0.0;        ///< Seconds that one joule is worth.
  Watts idle_power{0.0};     ///< Of the machine while one worker makes the others wait.
  Splitting splitting = Splitting::never;  ///< Of tasks that can be split.

  /// The options that the policies which count transfers have in common: alpha, beta, contention, gamma (in microseconds a
  /// joule), idle_power (W). @throws ConfigError for a value that cannot be.
  static ExpectedEndOptions with_transfers(const PolicyArguments& arguments) {
    ExpectedEndOptions options;
    options.transfers = true;
    options.contention = arguments.number("contention");
    options.alpha = arguments.number("alpha");
    options.beta = arguments.number("beta");
    options.gamma = 1e-6 * arguments.number("gamma");
    options.idle_power = Watts(arguments.number("idle_power"));
    return options;
  }
};

/// Each ready task goes to the worker of the least
///   alpha (its expected end - the least expected end) + beta (time to bring its data) + gamma (joules),
/// looked for among places, each with its first free worker. What no model knows is taken by whoever asks.
/// A worker whose queue is empty takes from the longest queue of its place: there, nothing tells the two apart.
/// @cost  ready(): O(places + log workers). next(): O(log workers + log queue), and `window` looks at data at most.
class ExpectedEnd : public SchedulingPolicy {
 public:
  explicit ExpectedEnd(const ExpectedEndOptions& options) : options_(options) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    workers_.resize(machine.workers.size());
    for (Place& place : places_of(machine)) {
      const auto number = static_cast<std::uint32_t>(places_.size());
      for (std::uint32_t i = 0; i < place.workers.size(); ++i) {
        Own& own = workers_[place.workers[i].index()];
        own.place = number;
        own.rank = i;
      }
      const WorkerKind kind = machine.classes[place.worker_class.index()].kind;
      places_.emplace_back(std::move(place), kind);
    }
    options_of_.resize(places_.size());
    contention_ = contention(machine, options_.contention);
  }

  void ready(TaskRef task, SchedulerView& view) override {
    const double now = view.now().value;
    const std::size_t chosen = choose(task, now, view);
    if (chosen == kNowhere) {
      unknown_[kind_set(task)].push(task, 0.0, priority(task));
      return;
    }
    PlaceState& place = places_[chosen];
    const Option& option = options_of_[chosen];
    const std::size_t rank = place.ends.least();
    const WorkerId worker = place.place.workers[rank];
    // What is left of the transfer when the worker gets so far keeps it waiting.
    const double charge = option.seconds + std::max(0.0, now + option.transfer - option.start);
    workers_[worker.index()].queue.push(task, charge, priority(task));
    place.ends.set(rank, option.start + charge);
    place.longest.set(rank, -workers_[worker.index()].queue.charge());
    ++place.queued;
    latest_ = std::max(latest_, option.start + charge);
    if (options_.transfers && option.start > now) view.prefetch(task, place.place.node);
    view.wake(worker);
  }

  bool may_split() const override { return options_.splitting != Splitting::never; }

  /// Automatic: if all cores together are expected to end the finer tasks before any worker ends the task itself.
  bool splits(TaskRef task, SchedulerView& view) override {
    if (options_.splitting == Splitting::always) return true;
    const double now = view.now().value;
    const std::size_t chosen = choose(task, now, view);
    if (chosen == kNowhere) return false;
    const double whole = std::max(options_of_[chosen].start, now + options_of_[chosen].transfer) + options_of_[chosen].seconds;
    double cores = 0.0, first = std::numeric_limits<double>::infinity(), seconds = 0.0;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      if (places_[p].kind != WorkerKind::cpu || !options_of_[p].known) continue;
      cores += static_cast<double>(places_[p].place.workers.size());
      first = std::min(first, std::max(options_of_[p].start, now + options_of_[p].transfer));
      seconds = std::max(seconds, options_of_[p].seconds);
    }
    if (cores < 2.0) return false;
    // Finer tasks come to the queues when they are ready: until then, their work counts here.
    const double share = seconds / (kCoresInParallel * cores);
    const double end = std::max(first, finer_until_) + share;
    if (end >= whole) return false;
    finer_until_ = std::max(now, finer_until_) + share;
    return true;
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    Own& own = workers_[worker.index()];
    PlaceState& place = places_[own.place];
    // What it held has taken more or less time than expected.
    place.ends.set(own.rank, std::max(view.now(), view.busy_until(worker)).value + own.queue.charge());
    if (!own.queue.empty()) return take(place, own.rank, own.queue, view);
    if (place.queued != 0) {
      const std::size_t victim = longest_queue(place);
      ChargedQueue& queue = workers_[place.place.workers[victim].index()].queue;
      const double before = queue.charge();
      const TaskRef task = take(place, victim, queue, view);
      const double moved = before - queue.charge();
      place.ends.set(victim, place.ends[victim] - moved);
      place.ends.set(own.rank, place.ends[own.rank] + moved);
      return task;
    }
    return take_unknown(place.kind);
  }

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  static constexpr double kCoresInParallel = 0.7;  // [assumption] share of the cores that the finer tasks of one keep busy
  struct Own {
    std::uint32_t place = 0, rank = 0;  // in the place
    ChargedQueue queue;
  };
  struct PlaceState {
    PlaceState(Place p, WorkerKind k) : place(std::move(p)), kind(k), ends(place.workers.size(), 0.0), longest(place.workers.size(), 0.0) {}
    Place place;
    WorkerKind kind;
    LeastOf ends;        // of each worker: when it is expected to have done all that it was given
    LeastOf longest;     // minus the work in each queue
    std::size_t queued = 0;
  };
  struct Option {
    bool known = false;
    double seconds = 0.0, transfer = 0.0, start = 0.0, end = 0.0, joules = 0.0;
  };

  int priority(TaskRef task) const { return options_.by_priority ? task.priority() : 0; }

  /// @returns The best place, described in options_of_; kNowhere if no model knows the task.
  std::size_t choose(TaskRef task, double now, SchedulerView& view) {
    double first_end = std::numeric_limits<double>::infinity();
    std::optional<Estimate> estimate;
    ClassId estimated;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      const PlaceState& place = places_[p];
      Option& option = options_of_[p];
      option.known = false;
      if (!task.runs_on(place.kind)) continue;
      if (estimated != place.place.worker_class) {
        estimated = place.place.worker_class;
        estimate = view.estimate(task, estimated);
      }
      if (!estimate) continue;
      option.known = true;
      option.seconds = estimate->seconds.value;
      option.joules = estimate->joules.value;
      option.start = std::max(now, place.ends.least_value());
      option.end = option.start + option.seconds;
      option.transfer = 0.0;
      if (options_.transfers)
        if (const auto time = view.transfer_time(task, place.place.node)) option.transfer = contention_ * time->value;
      first_end = std::min(first_end, option.end);
    }
    std::size_t best = kNowhere;
    double least = 0.0;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      const Option& option = options_of_[p];
      if (!option.known) continue;
      double cost = options_.alpha * (option.end - first_end) + options_.beta * option.transfer + options_.gamma * option.joules;
      if (option.end > latest_) cost += options_.gamma * options_.idle_power.value * (option.end - latest_);
      if (best != kNowhere && cost >= least) continue;
      best = p;
      least = cost;
    }
    return best;
  }

  std::size_t longest_queue(const PlaceState& place) const {
    const std::size_t longest = place.longest.least();
    if (!workers_[place.place.workers[longest].index()].queue.empty()) return longest;
    // Tasks that take no time at all: any queue that has one.
    std::size_t rank = 0;
    while (workers_[place.place.workers[rank].index()].queue.empty()) ++rank;
    return rank;
  }

  TaskRef take(PlaceState& place, std::size_t rank, ChargedQueue& queue, SchedulerView& view) {
    const ChargedQueue::Entry entry =
        options_.window <= 1 ? queue.pop()
                             : queue.pop_least(options_.window, [&](TaskRef t) { return view.bytes_missing(t, place.place.node); });
    place.longest.set(rank, -queue.charge());
    --place.queued;
    return entry.task;
  }

  static bool earlier(const ChargedQueue::Entry& a, const ChargedQueue::Entry& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.task.id() < b.task.id();
  }

  TaskRef take_unknown(WorkerKind kind) {
    ChargedQueue* best = nullptr;
    for (std::size_t set = 1; set < kKindSets; ++set)
      if (includes(set, kind) && !unknown_[set].empty() && (best == nullptr || earlier(unknown_[set].top(), best->top())))
        best = &unknown_[set];
    return best == nullptr ? TaskRef() : best->pop().task;
  }

  const ExpectedEndOptions options_;
  std::vector<PlaceState> places_;
  std::vector<Own> workers_;
  std::vector<Option> options_of_;                  // of the task that is being placed
  std::array<ChargedQueue, kKindSets> unknown_;     // tasks that no model knows
  double contention_ = 1.0;
  double finer_until_ = 0.0;                        // when the cores will have done what was split
  double latest_ = 0.0;                             // expected end of all that was placed
};

}  // namespace mitra
