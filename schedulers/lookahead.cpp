// The dynamic half of Mitra's own policy: it decides by place, and puts what it knows of the whole graph into that decision.
//
// Ranks: upward ranks of shortest times, for all tasks that were submitted since the last look, in one pass backward
// (Topcuoglu, Hariri, Wu, TPDS 2002: upward rank; there with means).
// Placement: when a task is ready, the place where it would end first (Augonnet et al., ICPADS 2010: dmda). Added to that:
// - Transfers wait for the copies that its links are busy with, and count several times, since links are shared.
// - The division of all work between two classes by the ratio of their times, which is the optimum of the area bound
//   (Agullo, Beaumont, Eyraud-Dubois, Kumar, IPDPS 2016): where it does not want a task, the task counts as longer, the more
//   the area, and not the critical path, decides the makespan. HeteroPrio (Agullo et al., 2016) orders its queues by this
//   ratio; here it is a weight, so that urgent tasks still go where they end first.
// - Foresight: on its fastest class a task also comes behind all work that is more urgent, ready or not. A slower worker may
//   have done it long before its turn.
// Late binding: a task is bound to a place, and to a worker only when one asks. A place whose queue is empty takes the last
// task of another one if it would end it earlier than that place (spoliation, Beaumont, Eyraud-Dubois, Kumar, IPDPS 2017,
// but of tasks that have not begun).
// Order within a place: by rank; among nearly equal ranks, the task whose data are there.
// Flow: submitted, ready -> [lookahead] -> worker. Thread-safety: serialised.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <mitra/contention.hpp>
#include <mitra/least_of.hpp>
#include <mitra/machine.hpp>
#include <mitra/ranked_queue.hpp>
#include <mitra/registry.hpp>
#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>
#include <mitra/task_table.hpp>
#include <mitra/work_by_rank.hpp>

namespace mitra {

namespace {

class Lookahead final : public SchedulingPolicy {
 public:
  explicit Lookahead(const PolicyArguments& arguments)
      : contention_(arguments.number("contention")), window_(static_cast<std::size_t>(arguments.integer("window", 1, 1024))),
        tolerance_(arguments.number("tolerance", 0.0, 1.0)), beta_(arguments.number("beta")), foresight_(arguments.number("foresight")),
        busy_(arguments.number("busy")), price_(arguments.number("price")), gate_(arguments.number("gate")),
        misfit_(arguments.number("misfit")) {}

  void start(SchedulerView& view) override {
    const Machine& machine = view.machine();
    contention_ = contention(machine, contention_);
    worker_.resize(machine.workers.size());
    ahead_.resize(machine.classes.size());
    for (Place& place : places_of(machine)) {
      for (std::uint32_t i = 0; i < place.workers.size(); ++i)
        worker_[place.workers[i].index()] = {static_cast<std::uint32_t>(places_.size()), i, true};
      const WorkerKind kind = machine.classes[place.worker_class.index()].kind;
      places_.emplace_back(std::move(place), kind);
      // Nobody has anything to do yet, and nobody has asked: the last of the list is woken first.
      std::vector<WorkerId>& idle = places_.back().idle;
      idle.assign(places_.back().place.workers.rbegin(), places_.back().place.workers.rend());
    }
  }
  bool watches_submissions() const override { return true; }
  bool watches_completions() const override { return true; }

  void submitted(TaskRef task, SchedulerView& view) override {
    Known& known = known_[task.id()];
    known = {};
    find_shortest(task, known, view);
    known.row = row_of(task, view);
    if (known.row != kNoRow) rows_[known.row].tasks += 1.0;
    unranked_.push_back({task.id(), edges_.size()});
    for (const TaskId before : view.predecessors()) edges_.push_back(before);
  }

  void ready(TaskRef task, SchedulerView& view) override {
    if (!unranked_.empty()) return early_.push_back(task);  // its rank is known when all of the graph is
    place(task, view);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    rank_new_tasks(view);
    Own& own = worker_[worker.index()];
    PlaceState& here = places_[own.place];
    here.ends.set(own.number, std::max(view.now(), view.busy_until(worker)).value);
    TaskRef task;
    if (!here.queue.empty())
      task = take_own(here, view);
    else if (task = unknown_.pop(here.kind); !task)
      task = take_over(here, here.ends[own.number], view);
    if (task) {
      if (const auto estimate = view.estimate(task, here.place.worker_class))
        here.ends.set(own.number, here.ends[own.number] + estimate->seconds.value);
    } else if (!own.idle) {
      own.idle = true;
      here.idle.push_back(worker);
    }
    return task;
  }

  void finished(TaskRef task, const Measured&, SchedulerView&) override { forget(task); }
  void cancelled(TaskRef task, SchedulerView&) override { forget(task); }

 private:
  void forget(TaskRef task) {
    if (Known* known = known_.find(task.id())) {
      no_longer_ahead(*known);
      if (known->row != kNoRow) rows_[known->row].tasks -= 1.0;
    }
    known_.erase(task.id());
  }

  struct Known {
    double seconds = 0.0;  // the shortest
    double after = 0.0;    // s, the longest path behind it
    double ahead = -1.0;   // s, under which rank it counts as work ahead of others; negative: it does not
    ClassId fastest{0};
    bool estimated = false;  // by some model
    std::uint32_t row = kNoRow;
  };
  static constexpr std::uint32_t kNoRow = ~std::uint32_t{0};
  /// Tasks of equal times on the two classes of a machine.
  struct Row {
    std::array<double, 2> seconds{};
    double tasks = 0.0;            // that are open
    std::array<bool, 2> wanted{};  // by class: the division of all work gives it some of them
  };
  struct Unranked {
    TaskId id;
    std::size_t first_edge;
  };
  struct Own {
    std::uint32_t place = 0, number = 0;  // in the place
    bool idle = false;                    // listed there
  };
  struct PlaceState {
    PlaceState(Place p, WorkerKind k) : place(std::move(p)), kind(k), ends(place.workers.size(), 0.0) {}
    double workers() const { return static_cast<double>(place.workers.size()); }
    /// When a worker has time for what comes after `work` seconds of tasks.
    double start_after(double work, double now) const { return std::max(now, ends.least_value()) + work / workers(); }

    Place place;
    WorkerKind kind;
    RankedQueue queue;
    LeastOf ends;                // of each worker: when it is expected to have done what it holds
    std::vector<WorkerId> idle;  // those who asked in vain, and perhaps have been given something since
  };

  // --- ranks ---
  static void find_shortest(TaskRef task, Known& known, SchedulerView& view) {
    const std::vector<WorkerClass>& classes = view.machine().classes;
    for (std::uint32_t c = 0; c < classes.size(); ++c) {
      if (!task.runs_on(classes[c].kind)) continue;
      const auto estimate = view.estimate(task, ClassId(c));
      if (!estimate || (known.estimated && estimate->seconds.value >= known.seconds)) continue;
      known.estimated = true;
      known.seconds = estimate->seconds.value;
      known.fastest = ClassId(c);
    }
  }

  // --- the division of all work ---
  /// @returns kNoRow unless there are two classes, and both can run the task.
  std::uint32_t row_of(TaskRef task, SchedulerView& view) {
    const std::vector<WorkerClass>& classes = view.machine().classes;
    if (classes.size() != 2 || !task.runs_on(classes[0].kind) || !task.runs_on(classes[1].kind)) return kNoRow;
    const auto first = view.estimate(task, ClassId(0)), second = view.estimate(task, ClassId(1));
    if (!first || !second) return kNoRow;
    const std::array<double, 2> seconds{first->seconds.value, second->seconds.value};
    if (last_row_ != kNoRow && rows_[last_row_].seconds == seconds) return last_row_;
    const auto [found, is_new] = row_numbers_.try_emplace(seconds, static_cast<std::uint32_t>(rows_.size()));
    if (is_new) rows_.push_back({.seconds = seconds});
    return last_row_ = found->second;
  }

  /// Which tasks are for the first class and which for the second, if nothing but the work counted: by the ratio of their
  /// times, until both end together. It is the optimum of the area bound.
  void divide(SchedulerView& view) {
    std::vector<std::uint32_t> order(rows_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const double left = rows_[a].seconds[0] * rows_[b].seconds[1], right = rows_[b].seconds[0] * rows_[a].seconds[1];
      return left != right ? left < right : a < b;
    });
    const auto& classes = view.machine().classes;
    double first = 0.0, second = 0.0;  // s a worker
    area_ = 0.0;
    for (const Row& row : rows_) second += row.tasks * row.seconds[1] / static_cast<double>(classes[1].workers.size());
    for (const std::uint32_t r : order) {
      Row& row = rows_[r];
      row.wanted[0] = first < second;  // some of them at least, until both are equal
      if (row.wanted[0]) {
        // Where the two meet: the share of this row that makes them equal, or all of it.
        const double a = row.tasks * row.seconds[0] / static_cast<double>(classes[0].workers.size());
        const double b = row.tasks * row.seconds[1] / static_cast<double>(classes[1].workers.size());
        const double share = std::min(1.0, (second - first) / (a + b));
        area_ = second - share * b;
      }
      first += row.tasks * row.seconds[0] / static_cast<double>(classes[0].workers.size());
      second -= row.tasks * row.seconds[1] / static_cast<double>(classes[1].workers.size());
      row.wanted[1] = first > second;
    }
  }

  void rank_new_tasks(SchedulerView& view) {
    if (unranked_.empty()) return;
    if (!rows_.empty()) divide(view);
    // Successors come after their predecessors: backward, all that is behind a task is known when it is its turn.
    std::size_t end = edges_.size();
    for (std::size_t i = unranked_.size(); i-- > 0;) {
      Known* mine = known_.find(unranked_[i].id);
      const double rank = mine == nullptr ? 0.0 : mine->seconds + mine->after;
      if (mine != nullptr && mine->seconds > 0.0) {
        ahead_[mine->fastest.index()].add(rank, mine->seconds);
        mine->ahead = rank;
      }
      for (std::size_t e = unranked_[i].first_edge; e < end; ++e)
        if (Known* before = known_.find(edges_[e])) before->after = std::max(before->after, rank);
      end = unranked_[i].first_edge;
    }
    double longest = 0.0;
    for (const Unranked& entry : unranked_)
      if (const Known* mine = known_.find(entry.id)) longest = std::max(longest, mine->seconds + mine->after);
    weight_ = longest > 0.0 ? misfit_ * std::clamp(area_ / longest - 1.0, 0.0, 1.0) : 0.0;
    unranked_.clear();
    edges_.clear();
    early_now_.swap(early_);
    for (const TaskRef task : early_now_) place(task, view);
    early_now_.clear();
  }

  void no_longer_ahead(Known& known) {
    if (known.ahead < 0.0) return;
    ahead_[known.fastest.index()].add(known.ahead, -known.seconds);
    known.ahead = -1.0;
  }

  // --- placement ---
  void place(TaskRef task, SchedulerView& view) {
    Known* known = known_.find(task.id());
    const double now = view.now().value, rank = known == nullptr ? 0.0 : known->seconds + known->after;
    PlaceState* best = nullptr;
    double least = 0.0, best_seconds = 0.0, best_start = 0.0;
    std::optional<Estimate> estimate;
    ClassId estimated;
    for (PlaceState& p : places_) {
      if (!task.runs_on(p.kind)) continue;
      if (estimated != p.place.worker_class) {
        estimated = p.place.worker_class;
        estimate = view.estimate(task, estimated);
      }
      if (!estimate) continue;
      const double seconds = estimate->seconds.value;
      // Behind all that waits there, and where the task would be fastest also behind all that is more urgent, ready or not:
      // who is slower may have done it long before its turn.
      double start = p.start_after(p.queue.work(), now);
      if (known != nullptr && known->fastest == p.place.worker_class && slower_is_wanted(*known, view))
        start = std::max(start, now + foresight_ * ahead_[known->fastest.index()].before(rank) /
                                          static_cast<double>(view.machine().classes[known->fastest.index()].workers.size()));
      double transfer = 0.0;
      if (places_.size() > 1)
        if (const auto time = view.transfer_time(task, p.place.node)) transfer = time->value;
      const double wait = transfer > 0.0 && busy_ > 0.0 ? busy_ * view.links_busy(p.place.node).value : 0.0;
      const bool unwanted = known != nullptr && known->row != kNoRow && !rows_[known->row].wanted[p.place.worker_class.index()];
      const double cost = std::max(start, now + wait + transfer) + seconds * (unwanted ? 1.0 + weight_ : 1.0) +
                          beta_ * (contention_ * transfer + price_ * wait);
      if (best != nullptr && cost >= least) continue;
      best = &p;
      least = cost;
      best_seconds = seconds;
      best_start = start;
    }
    if (best == nullptr) return unknown_.push(task);
    best->queue.push({task, rank, best_seconds});
    if (known != nullptr && known->fastest != best->place.worker_class) no_longer_ahead(*known);
    if (places_.size() > 1 && best_start > now) view.prefetch(task, best->place.node);
    if (wake_one(*best, view)) return;
    // Nobody there has time at the moment: perhaps somebody elsewhere, for what comes last there.
    bool woken = false;
    for (PlaceState& other : places_)
      if (&other != best && !other.idle.empty() && other.queue.empty() && gains(other, *best, now, view)) woken |= wake_one(other, view);
    if (!woken) view.wake(best->place.workers.front());  // who works there will ask by itself: nobody else is to be asked
  }

  /// Does the division give such tasks to the slower class, and is the way there free? Where copies wait for each other, the
  /// time that a faster worker saves is lost on the links.
  bool slower_is_wanted(const Known& known, SchedulerView& view) const {
    if (known.row == kNoRow) return false;
    const Row& row = rows_[known.row];
    const std::size_t slower = 1 - known.fastest.index();
    if (!row.wanted[slower]) return false;
    for (const PlaceState& p : places_)
      if (p.place.worker_class.index() == slower && view.links_busy(p.place.node).value <= gate_ * row.seconds[slower]) return true;
    return false;
  }

  bool wake_one(PlaceState& place, SchedulerView& view) {
    if (place.idle.empty()) return false;
    const WorkerId worker = place.idle.back();
    place.idle.pop_back();
    worker_[worker.index()].idle = false;
    view.wake(worker);
    return true;
  }

  // --- giving ---
  /// The most urgent task; among those that are nearly as urgent, the one that misses the fewest bytes.
  TaskRef take_own(PlaceState& here, SchedulerView& view) {
    RankedQueue::Entry best = here.queue.pop();
    if (places_.size() == 1 || window_ == 1) return best.task;
    const double enough = best.rank * (1.0 - tolerance_);
    std::uint64_t least = view.bytes_missing(best.task, here.place.node).value;
    passed_.clear();
    while (least != 0 && passed_.size() + 1 < window_ && !here.queue.empty() && here.queue.first().rank >= enough) {
      RankedQueue::Entry other = here.queue.pop();
      if (const std::uint64_t missing = view.bytes_missing(other.task, here.place.node).value; missing < least) {
        least = missing;
        std::swap(best, other);
      }
      passed_.push_back(other);
    }
    for (const RankedQueue::Entry& entry : passed_) here.queue.push(entry);
    return best.task;
  }

  /// Would a worker of `here`, free at `free`, end the task before `there` has come to the end of its queue?
  bool ends_earlier(const PlaceState& here, double free, const PlaceState& there, const RankedQueue::Entry& entry, double now,
                    SchedulerView& view) const {
    if (!entry.task.runs_on(here.kind)) return false;
    const auto estimate = view.estimate(entry.task, here.place.worker_class);
    if (!estimate) return false;
    const auto transfer = view.transfer_time(entry.task, here.place.node);
    const double arrival = now + (transfer ? contention_ * transfer->value : 0.0);
    return std::max(free, arrival) + estimate->seconds.value < there.start_after(there.queue.work(), now);
  }
  bool gains(const PlaceState& here, const PlaceState& there, double now, SchedulerView& view) const {
    return !there.queue.empty() && ends_earlier(here, std::max(now, here.ends.least_value()), there, there.queue.last(), now, view);
  }

  /// A task that another place would end later: the last one of the place that is busy for longest.
  TaskRef take_over(PlaceState& here, double free, SchedulerView& view) {
    const double now = view.now().value;
    PlaceState* victim = nullptr;
    double latest = 0.0;
    for (PlaceState& there : places_) {
      if (&there == &here || there.queue.empty()) continue;
      const double end = there.start_after(there.queue.work(), now);
      if (victim != nullptr && end <= latest) continue;
      if (!ends_earlier(here, free, there, there.queue.last(), now, view)) continue;
      victim = &there;
      latest = end;
    }
    return victim == nullptr ? TaskRef() : victim->queue.pop_last().task;
  }

  double contention_;
  const std::size_t window_;
  const double tolerance_, beta_, foresight_, busy_, price_, gate_, misfit_;
  std::vector<PlaceState> places_;
  std::vector<Own> worker_;
  TaskTable<Known> known_;
  std::vector<Unranked> unranked_;
  std::vector<TaskId> edges_;               // predecessors of unranked tasks, one after the other
  std::vector<TaskRef> early_, early_now_;  // ready, and not ranked
  std::vector<RankedQueue::Entry> passed_;
  std::vector<Row> rows_;
  std::map<std::array<double, 2>, std::uint32_t> row_numbers_;
  std::uint32_t last_row_ = kNoRow;
  double area_ = 0.0;    // s: when both classes end together, if nothing but the work counts
  double weight_ = 0.0;  // of a misfit
  std::vector<WorkByRank> ahead_;            // by class: of tasks that are fastest there and have not been done
  TasksByKinds unknown_;  // tasks that no model knows
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(lookahead, mitra::Lookahead, "by place: ranks of the whole graph, the division of all work, late binding",
                {"beta", "1", "weight of the time to bring a task's data"},
                {"busy", "1", "weight of the time for which links are busy with earlier copies"},
                {"contention", "0", "how many times longer than over idle links transfers take; 0: twice the count of GPUs"},
                {"foresight", "1", "weight of more urgent work that is not ready yet"},
                {"gate", "0.003", "links to the slower class count as free while they are busy for less than this share of the task's time there"},
                {"misfit", "4", "times that a task takes longer where the division of all work does not want it"},
                {"price", "0.2", "weight of busy links beside the wait for them: others wait, too"},
                {"tolerance", "0.02", "tasks whose ranks differ by less, relatively, are equally urgent"},
                {"window", "8", "equally urgent tasks that are looked at for data which are there"});
