#include "engine/virtual/rehearsal.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <thread>

#include <mitra/error.hpp>
#include <mitra/simulation_report.hpp>

#include "engine/task_engine.hpp"
#include "engine/trees.hpp"
#include "engine/virtual/virtual_time.hpp"

namespace mitra::engine {

namespace {

void run_nothing(TaskHeader&, const detail::ExecutionContext&) {}
constexpr detail::TaskType kRehearsed{.launch = {&run_nothing, nullptr}};

}  // namespace

/// Knows each task by the address of its name.
class Rehearsal::Told final : public PerformanceModel {
 public:
  explicit Told(const std::unordered_map<const char*, Row>& rows) : rows_(rows) {}
  std::optional<Prediction> predict(const TaskFootprint& task, ClassId worker_class) const override {
    return rows_.at(task.codelet.data())[worker_class.index()];
  }

 private:
  const std::unordered_map<const char*, Row>& rows_;
};

void Rehearsal::submitted(const TaskHeader& task, const detail::SubmitExtras* extras) {
  const bool transition = is_transition(task);
  // The accesses of others bring their like about again; not so where a tree is no tree to the copy of the run.
  if ((task.traits & (detail::kInternal | detail::kSignal)) && !transition) return;
  if (task.parent != nullptr || (task.traits & detail::kReplay) != 0) possible_ = false;
  if (!possible_) return;
  // By id they are looked for, which grow but for those of transitions; and these nobody looks for.
  const std::uint64_t id = !transition ? task.id.load(std::memory_order_relaxed) : entries_.empty() ? 0 : entries_.back().id;
  entries_.push_back({&task, id, after_.size()});
  if (extras == nullptr) return;
  for (const Task& before : extras->after)
    if (before.header() != nullptr) after_.push_back(before.id().value);
}

void Rehearsal::end_phase() {
  entries_.clear();
  after_.clear();
  possible_ = true;
  written_ = false;
}

std::uint32_t Rehearsal::number_of(graph::Datum& datum) {
  const auto [found, is_new] = numbers_.try_emplace(&datum, static_cast<std::uint32_t>(data_.size()));
  if (is_new) data_.push_back(&datum);
  return found->second;
}

/// @returns False if there is a task that no estimate knows.
bool Rehearsal::write_script(const Estimates& estimates) {
  data_.clear();
  numbers_.clear();
  accesses_.clear();
  names_.clear();
  told_.clear();
  texts_.clear();
  // Tasks of one name and equal times share a text.
  std::map<std::pair<const char*, std::vector<double>>, const char*> known;
  std::vector<double> key;
  const std::size_t classes = machine_.classes.size();
  for (const Entry& entry : entries_) {
    const TaskHeader& task = *entry.task;
    Row row(classes);
    key.clear();
    bool any = false;
    for (std::uint32_t c = 0; c < classes; ++c) {
      const auto estimate = estimates(task, ClassId(c));
      any |= estimate.has_value();
      key.push_back(estimate ? estimate->seconds.value : -1.0);
      if (estimate) row[c] = Prediction{estimate->seconds, Watts(0.0), estimate->uncertainty, "told"};
    }
    if (!any && config_.unknown <= Seconds(0.0)) return false;
    auto found = known.find({task.name(), key});
    if (found == known.end()) {
      const char* text = texts_.emplace_back(task.name()).c_str();
      told_.emplace(text, std::move(row));
      found = known.emplace(std::pair{task.name(), key}, text).first;
    }
    names_.push_back(found->second);
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const detail::AccessWord word = task.access_words()[i];
      graph::Datum& datum = graph::datum_of(word);
      const bool reduces = word.mode() == AccessMode::reduce;
      accesses_.push_back({number_of(datum), word.mode(),
                           reduces ? datum.operations[word.operation()].load(std::memory_order_relaxed) : nullptr});
    }
  }
  return written_ = true;
}

std::vector<Seconds> Rehearsal::run(std::span<const PolicyMaker> policies, const Estimates& estimates) {
  if (!possible_ || entries_.empty() || (!written_ && !write_script(estimates))) return {};
  std::vector<Seconds> makespans(policies.size());
  std::vector<std::exception_ptr> errors(policies.size());
  std::atomic<double> least{std::numeric_limits<double>::infinity()};
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < policies.size();) try {
        makespans[i] = run_one(policies[i], least);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(cores, policies.size()); ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  // How far the longer ones came is a matter of real time: what is told is not.
  for (Seconds& makespan : makespans)
    if (makespan.value > least.load(std::memory_order_relaxed)) makespan = Seconds(std::numeric_limits<double>::infinity());
  return makespans;
}

/// @param least  s: the shortest makespan known so far; of this one, too, from now on.
Seconds Rehearsal::run_one(const PolicyMaker& policy, std::atomic<double>& least) const {
  Config config;
  config.backend = "sim";
  config.seed = config_.seed;
  config.unknown = config_.unknown;
  config.policy = policy;
  auto description = std::make_unique<MachineDescription>(description_);
  description->submission_overhead = Seconds(0.0);  // that time has passed
  std::vector<std::shared_ptr<detail::DataHeader>> data;  // before the engine: they may outlive it, and do not wait for it
  TaskEngine engine(config, std::move(description), std::make_unique<Told>(told_));
  engine.virtual_time_->end_after(least);

  for (graph::Datum* datum : data_) {
    data.push_back(engine.add_data({nullptr, datum->shape, {}}));
    engine.virtual_time_->place_as(static_cast<Datum&>(*data.back()), memory_, *datum);
  }
  std::vector<Task> tasks;
  std::vector<Task> after;
  std::vector<const detail::ReduceOperation*> operations;
  tasks.reserve(entries_.size());
  std::size_t access = 0;
  for (std::size_t t = 0; t < entries_.size(); ++t) {
    const TaskHeader& original = *entries_[t].task;
    TaskHeader* task = engine.begin(original.accesses, 0);
    task->type = &kRehearsed;
    task->priority = original.priority;
    task->kinds = original.kinds;
    task->where() = SourceLocation{};
    task->name() = names_[t];
    operations.clear();
    for (std::size_t i = 0; i < original.accesses; ++i, ++access) {
      task->access_words()[i] = detail::AccessWord(data[accesses_[access].datum].get(), accesses_[access].mode);
      operations.push_back(accesses_[access].operation);
    }
    after.clear();
    const std::size_t last = t + 1 < entries_.size() ? entries_[t + 1].first_after : after_.size();
    for (std::size_t a = entries_[t].first_after; a < last; ++a) {
      const auto before = std::lower_bound(entries_.begin(), entries_.end(), after_[a],
                                           [](const Entry& entry, std::uint64_t id) { return entry.id < id; });
      if (before != entries_.end() && before->id == after_[a])
        after.push_back(tasks[static_cast<std::size_t>(before - entries_.begin())]);
    }
    const detail::SubmitExtras extras{after, operations};
    tasks.push_back(engine.commit(task, &extras));
  }
  try {
    engine.wait_all();
  } catch (const TimeIsUp&) {
    return Seconds(std::numeric_limits<double>::infinity());
  }
  const double makespan = engine.virtual_time_->makespan().value;
  double known = least.load(std::memory_order_relaxed);
  while (makespan < known && !least.compare_exchange_weak(known, makespan, std::memory_order_relaxed)) {
  }
  return Seconds(makespan);
}

}  // namespace mitra::engine
