// Mitra's own policy: before a graph runs, it rehearses it. All that was submitted before the first task begins is run in
// virtual time under several policies, by the models that they have, and the best of them decides from then on: portfolio
// scheduling (Deng, Song, Ren, Iosup, SC 2013) by simulation (Mohammed, Ciorba, SimAS, CCPE 2020), for task graphs.
// They are asked at the same time, each on a core, if that takes a small share of the time that the graph needs at least,
// whoever schedules it. The first candidate, `lookahead`, is what decides where there is nothing to rehearse: in live runs
// without models, for tasks that come while others run, for graphs of many short tasks. A graph that comes again, as in
// iterations, is not rehearsed again.
// Flow: submitted -> rehearsals -> [mitra] -> the chosen policy -> worker. Thread-safety: serialised.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <mitra/registry.hpp>
#include <mitra/scheduling_policy.hpp>

namespace mitra {

namespace {

/// The engine's view, but for the predecessors, which are those of a task that was submitted before.
class LaterView final : public SchedulerView {
 public:
  LaterView(SchedulerView& view, std::span<const TaskId> predecessors) : view_(view), predecessors_(predecessors) {}
  const Machine& machine() const override { return view_.machine(); }
  WorkerId self() const override { return view_.self(); }
  Seconds now() const override { return view_.now(); }
  std::uint64_t random() override { return view_.random(); }
  std::optional<Estimate> estimate(TaskRef task, ClassId worker_class) override { return view_.estimate(task, worker_class); }
  Bytes bytes_missing(TaskRef task, NodeId node) override { return view_.bytes_missing(task, node); }
  std::optional<Seconds> transfer_time(TaskRef task, NodeId node) override { return view_.transfer_time(task, node); }
  Seconds links_busy(NodeId node) override { return view_.links_busy(node); }
  bool holds(const AccessRef& access, NodeId node) override { return view_.holds(access, node); }
  std::optional<Bytes> room(NodeId node) override { return view_.room(node); }
  void prefetch(TaskRef task, NodeId node) override { view_.prefetch(task, node); }
  void write_back(const AccessRef& access) override { view_.write_back(access); }
  Seconds busy_until(WorkerId worker) override { return view_.busy_until(worker); }
  TaskRef take_back(WorkerId worker) override { return view_.take_back(worker); }
  std::vector<Seconds> rehearse(std::span<const PolicyMaker> policies) override { return view_.rehearse(policies); }
  std::span<const TaskId> predecessors() const override { return predecessors_; }
  void wake(WorkerId worker) override { view_.wake(worker); }

 private:
  SchedulerView& view_;
  std::span<const TaskId> predecessors_;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == '+')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

class Mitra final : public SchedulingPolicy {
 public:
  explicit Mitra(const PolicyArguments& arguments)
      : think_(arguments.number("think", 0.0, 1e6)), limit_(static_cast<std::size_t>(arguments.integer("tasks"))) {
    for (std::string& name : split(arguments.text("candidates"))) {
      double thinks = 0.0;
      if (const std::size_t at = name.rfind('@'); at != std::string::npos) {
        const char* const end = name.data() + name.size();
        const auto [stop, error] = std::from_chars(name.data() + at + 1, end, thinks);
        if (error != std::errc{} || stop != end || !(thinks >= 0.0))
          throw ConfigError("scheduler parameter candidates: '" + name + "': NAME or NAME@SECONDS is expected");
        name.resize(at);
      }
      if (name.starts_with("mitra"))
        throw ConfigError("scheduler parameter candidates: mitra chooses among other policies, not itself");
      if (make_scheduler(name)->concurrent())
        throw ConfigError("scheduler parameter candidates: '" + name + "' is called by many workers at once, mitra is not");
      candidates_.push_back({name, thinks});
    }
    current_ = make_scheduler(candidates_[0].name);
  }

  void start(SchedulerView& view) override { current_->start(view); }
  bool watches_submissions() const override { return true; }
  bool watches_completions() const override { return true; }
  bool chooses_victims() const override { return true; }
  bool rehearses() const override { return true; }

  void submitted(TaskRef task, SchedulerView& view) override {
    ++open_;
    if (decided_) return tell(task, view);
    graph_.push_back({task, edges_.size()});
    edges_.insert(edges_.end(), view.predecessors().begin(), view.predecessors().end());
    if (graph_.size() > limit_) decide(view);
  }

  void ready(TaskRef task, SchedulerView& view) override {
    if (!decided_) return early_.push_back(task);
    ++held_;
    current_->ready(task, view);
  }

  TaskRef next(WorkerId worker, SchedulerView& view) override {
    // Who asks when nothing is there asks the one that decided last: it is to know who is idle.
    if (!decided_ && !(graph_.empty() && early_.empty())) decide(view);
    const TaskRef task = current_->next(worker, view);
    if (task) --held_;
    return task;
  }

  std::size_t victim(NodeId node, std::span<const AccessRef> candidates, SchedulerView& view) override {
    return current_->chooses_victims() ? current_->victim(node, candidates, view) : candidates.size();
  }

  void finished(TaskRef task, const Measured& measured, SchedulerView& view) override {
    if (current_->watches_completions()) current_->finished(task, measured, view);
    one_less();
  }
  void cancelled(TaskRef task, SchedulerView& view) override {
    if (!decided_) decide(view);
    if (current_->watches_submissions()) current_->cancelled(task, view);
    one_less();
  }

 private:
  void one_less() {
    if (open_ > 0) --open_;
    // Tasks that were not submitted one by one, such as those of replays, are in nobody's count: they may be held still.
    if (open_ == 0 && held_ == 0) decided_ = false;
  }
  struct Candidate {
    std::string name;
    double thinks;  // s, beside what every rehearsal takes
  };
  struct Submitted {
    TaskRef task;
    std::size_t first_edge;
  };

  std::span<const TaskId> predecessors(std::size_t i) const {
    const std::size_t last = i + 1 < graph_.size() ? graph_[i + 1].first_edge : edges_.size();
    return {edges_.data() + graph_[i].first_edge, last - graph_[i].first_edge};
  }

  void tell(TaskRef task, SchedulerView& view) {
    if (current_->watches_submissions()) current_->submitted(task, view);
  }

  void decide(SchedulerView& view) {
    decided_ = true;
    const std::size_t choice = graph_.size() > limit_ ? 0 : best_candidate(view);
    // Whoever has decided until now is in the same state as a new one: all workers have asked it in vain, it holds nothing.
    if (choice != chosen_) {
      chosen_ = choice;
      current_ = make_scheduler(candidates_[choice].name);
      current_->start(view);
    }
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      LaterView then(view, predecessors(i));
      tell(graph_[i].task, then);
    }
    graph_.clear();
    edges_.clear();
    early_now_.swap(early_);
    for (const TaskRef task : early_now_) ready(task, view);
    early_now_.clear();
  }

  /// What a graph is recognised by, and how long it takes at least.
  struct Look {
    std::uint64_t hash = 0;  // of the times of its tasks, and their edges
    double least = 0.0;  // s: no schedule is shorter, as far as the models are right
  };
  /// @returns Nothing if a task is unknown.
  std::optional<Look> look(SchedulerView& view) {
    const std::vector<WorkerClass>& classes = view.machine().classes;
    std::uint64_t hash = graph_.size();
    const auto mix = [&](std::uint64_t value) {
      hash ^= value;
      hash *= 0x9E3779B97F4A7C15ULL;  // the odd number next to 2^64 over the golden ratio: Knuth's multiplicative hashing
      hash ^= hash >> 29;
    };
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::vector<double> seconds;  // task x class
    std::vector<double> all(classes.size(), 0.0);
    std::unordered_map<std::uint64_t, double> ends;
    ends.reserve(graph_.size());
    double longest = 0.0;
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      const TaskRef task = graph_[i].task;
      double shortest = kNever;
      for (std::uint32_t c = 0; c < classes.size(); ++c) {
        std::optional<Estimate> estimate;
        if (task.runs_on(classes[c].kind)) estimate = view.estimate(task, ClassId(c));
        seconds.push_back(estimate ? estimate->seconds.value : kNever);
        if (!estimate) continue;
        shortest = std::min(shortest, estimate->seconds.value);
        all[c] += estimate->seconds.value;
        mix(std::bit_cast<std::uint64_t>(estimate->seconds.value));
      }
      if (shortest == kNever) return std::nullopt;
      double start = 0.0;
      for (const TaskId before : predecessors(i)) {
        if (const auto found = ends.find(before.value); found != ends.end()) start = std::max(start, found->second);
        mix(task.id().value - before.value);
      }
      ends[task.id().value] = start + shortest;
      longest = std::max(longest, start + shortest);
    }
    // If a second of each class costs its share of all that the machine can do in a second, no task is done for less than
    // at its cheapest class: the dual of the area bound, at prices that are nearly the best.
    double together = 0.0;
    for (std::size_t c = 0; c < classes.size(); ++c)
      if (all[c] > 0.0) together += static_cast<double>(classes[c].workers.size()) / all[c];
    double area = 0.0;
    for (std::size_t i = 0; i < graph_.size() && together > 0.0; ++i) {
      double cheapest = kNever;
      for (std::size_t c = 0; c < classes.size(); ++c)
        if (all[c] > 0.0 && seconds[i * classes.size() + c] != kNever)
          cheapest = std::min(cheapest, seconds[i * classes.size() + c] / (all[c] * together));
      if (cheapest != kNever) area += cheapest;
    }
    return Look{hash, std::max(longest, area)};
  }

  std::size_t best_candidate(SchedulerView& view) {
    if (candidates_.size() == 1 || graph_.size() < kFew || think_ <= 0.0) return 0;
    const auto seen = look(view);
    if (!seen) return 0;
    // The first time, data lie where the application has put them; from the second time on, where the graph has left them.
    std::vector<std::size_t>& earlier = choices_[seen->hash];
    if (earlier.size() >= 2) return earlier.back();
    const double budget = think_ * seen->least;
    const double one = kTaskSeconds * static_cast<double>(graph_.size()) +
                       kWorkerSeconds * static_cast<double>(view.machine().workers.size());
    std::vector<std::size_t> asked;
    std::vector<PolicyMaker> makers;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (one + candidates_[c].thinks > budget) continue;
      asked.push_back(c);
      makers.push_back([name = candidates_[c].name] { return make_scheduler(name); });
    }
    std::size_t best = 0;
    if (makers.size() > 1) {
      const std::vector<Seconds> makespans = view.rehearse(makers);
      for (std::size_t i = 0; i < makespans.size(); ++i)
        if (makespans[i] < makespans[best]) best = i;
      best = asked[best];
    }
    earlier.push_back(best);
    return best;
  }

  static constexpr std::size_t kFew = 8;  // tasks
  // What a rehearsal takes, on a core that it has for itself: bench/README.md, "Rehearsals", measured 1.3 to 3.6e-6 s a task,
  // and 1e-6 s a worker.
  static constexpr double kTaskSeconds = 3e-6, kWorkerSeconds = 1e-6;

  const double think_;
  const std::size_t limit_;
  std::vector<Candidate> candidates_;
  std::unique_ptr<SchedulingPolicy> current_;
  std::size_t chosen_ = 0;  // current_'s place in candidates_
  bool decided_ = false;    // until nothing is open
  std::size_t open_ = 0;    // tasks submitted and not finished
  std::size_t held_ = 0;    // ready ones in current_
  std::vector<Submitted> graph_;            // before the decision
  std::vector<TaskId> edges_;               // their predecessors, one after the other
  std::vector<TaskRef> early_, early_now_;  // ready before the decision
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> choices_;  // by graph: of the times that it came
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(mitra, mitra::Mitra, "Mitra's own: rehearses the graph in virtual time under several policies, and takes the best",
                {"candidates", "lookahead+heft:effort=0+heft:effort=5000@0.0015+heft@0.03+peft+dmdas+heteroprio+darts+multiprio",
                 "policies to rehearse, NAME or NAME@SECONDS that it thinks by itself; the first decides where nothing can be rehearsed"},
                {"tasks", "20000", "graphs of more tasks are not rehearsed"},
                {"think", "0.05", "rehearsals may take this share of the least time that the graph needs"});
