// How an engine begins and ends: machine, policy, worker threads; the states of all threads that touch it; its data.
// Flow: Runtime -> [threads] -> worker loop.
#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>

#include <mitra/error.hpp>
#include <mitra/machine_file.hpp>
#include <mitra/model_store.hpp>
#include <mitra/registry.hpp>
#include <mitra/sim_driver.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "engine/recorder.hpp"
#include "memory/private_copies.hpp"
#include "model/combined_model.hpp"
#include "model/history_model.hpp"
#include "model/machine_model.hpp"
#include "model/topology.hpp"

namespace mitra::engine {

thread_local constinit ThreadCache thread_cache;

namespace {

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};  // an identity, no state: engines share nothing
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

/// Seeds of the threads' random sequences (splitmix64, Steele, Lea, Flood 2014); never 0.
std::uint64_t seed_of(std::uint64_t seed, std::uint64_t thread) {
  std::uint64_t z = seed + (thread + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
  return (z ^ z >> 31) | 1U;
}

constexpr unsigned kLargestWorkers = 4096;

/// @returns The machine that the run takes place on in virtual time; null: on this one.
std::unique_ptr<const MachineDescription> describe_machine(const Config& config) {
  if (config.backend == "native") return nullptr;
  if (config.machine.empty()) {
    std::string names;
    for (const ShippedMachine& machine : shipped_machines()) names += (names.empty() ? "" : ", ") + std::string(machine.name);
    throw ConfigError("backend 'sim' needs a machine: a file, identical-N, or one of " + names + " (set by MITRA_MACHINE)");
  }
  if (config.machine == "identical" && config.workers != 0)
    return std::make_unique<MachineDescription>(identical_machine(config.workers));
  if (config.workers != 0)
    throw ConfigError(detail::message("workers=", config.workers, ": machine '", config.machine,
                                      "' has workers of its own; only `identical` takes their number (set by MITRA_WORKERS)"));
  if (!config.teams.empty() && config.teams != "0")
    throw ConfigError(detail::message("teams=", config.teams, ": machine '", config.machine,
                                      "' has its workers from its file, teams among them (class.NAME.cores); unset MITRA_TEAMS"));
  if (!config.spill.empty())
    throw ConfigError(detail::message("spill=", config.spill, ": in virtual time nothing is written anywhere; unset MITRA_SPILL"));
  if (!(config.noise >= 0.0 && config.noise <= 10.0))
    throw ConfigError(detail::message("noise=", config.noise, ": a sigma of 0 to 10 is expected (set by MITRA_NOISE)"));
  if (!(config.unknown >= Seconds(0.0) && config.unknown < Seconds(1e9)))
    throw ConfigError(detail::message("unknown=", config.unknown.value, ": 0 to 1e9 seconds are expected (set by MITRA_UNKNOWN)"));
  return std::make_unique<MachineDescription>(find_machine(config.machine));
}

/// What was measured on the machine goes before what its file says.
std::unique_ptr<PerformanceModel> make_model(const MachineDescription& description, const Config& config) {
  auto machine = std::make_shared<const model::MachineModel>(description);
  if (config.models.empty() || !std::filesystem::exists(config.models)) return std::make_unique<model::CombinedModel>(machine, nullptr);
  const ModelSet set = load_models(config.models);
  if (set.machine != description.name) return std::make_unique<model::CombinedModel>(machine, nullptr);
  std::vector<std::string> classes;
  for (const WorkerClassDescription& c : description.classes) classes.push_back(c.name);
  auto history = std::make_shared<model::HistoryModel>(classes);
  history->add(set.records);
  return std::make_unique<model::CombinedModel>(machine, history);
}

/// What earlier runs have measured here; null: nothing. Emulated devices stretch time, each setting by another factor.
std::unique_ptr<PerformanceModel> measured_before(const Machine& machine, const Config& config, const DeviceSet& devices) {
  if (devices.emulates() || config.models.empty() || !std::filesystem::exists(config.models)) return nullptr;
  const ModelSet set = load_models(config.models);
  if (set.machine != host_name()) return nullptr;
  std::vector<std::string> classes;
  for (const WorkerClass& c : machine.classes) classes.push_back(c.name);
  auto history = std::make_unique<model::HistoryModel>(classes);
  history->add(set.records);
  return history;
}

}  // namespace

ThreadState::ThreadState(TaskEngine& owner, WorkerId id, bool is_worker_thread, std::uint64_t seed)
    : context{&owner, id, NodeId(0), nullptr}, worker_thread(is_worker_thread), view(owner, *this, seed) {}

// ------------------------------------------------------------------------------------------------ begin and end

TaskEngine::TaskEngine(const Config& config) : TaskEngine(config, describe_machine(config), nullptr) {}

TaskEngine::TaskEngine(const Config& config, std::unique_ptr<const MachineDescription> description,
                       std::unique_ptr<PerformanceModel> model)
    : config_(config), serial_(next_serial()), description_(std::move(description)),
      driver_(description_ != nullptr ? std::unique_ptr<Driver>(std::make_unique<SimDriver>(*description_)) : make_cpu_driver(config.numa)),
      machine_([&] {
        if (description_ != nullptr) return to_machine(*description_);
        if (config.workers > kLargestWorkers)
          throw ConfigError(detail::message("workers=", config.workers, ": at most ", kLargestWorkers, " (set by MITRA_WORKERS)"));
        Machine machine = model::discover_machine(config.workers, config.bind, config.teams);
        cores_ = machine.workers.size();
        devices_ = std::make_unique<DeviceSet>(config, machine);
        return machine;
      }()),
      policy_([&] {
        if (config_.scheduler == "auto") config_.scheduler = default_scheduler(machine_);
        return config_.policy ? config_.policy() : make_scheduler(config_.scheduler);
      }()),
      parking_(description_ != nullptr ? 1 : cores_, static_cast<std::size_t>(machine_.processors)) {
  if (!(config_.watchdog >= Seconds(0.0) && config_.watchdog < Seconds(1e9)))
    throw ConfigError(detail::message("watchdog=", config_.watchdog.value, ": 0 to 1e9 seconds are expected (set by MITRA_WATCHDOG)"));
  if (!config_.record_graph.empty()) graph_recorder_ = std::make_unique<observe::GraphRecorder>(config_.record_graph);
  const std::size_t count = description_ != nullptr ? machine_.workers.size() : cores_;
  // Enough that workers do not starve while the submitting thread helps; small enough that the records stay in a core's L2.
  window_ = config_.window != 0 ? config_.window : std::max<std::size_t>(2048, 64 * count);
  spins_ = count > static_cast<std::size_t>(machine_.processors) ? 32 : 4096;
  policy_concurrent_ = policy_->concurrent();
  policy_watches_submissions_ = policy_->watches_submissions();
  policy_watches_completions_ = policy_->watches_completions();
  policy_splits_ = policy_->may_split();
  follows_edges_ = policy_watches_submissions_ || description_ != nullptr;
  keeps_more_ = graph_recorder_ != nullptr || description_ != nullptr || (devices_ != nullptr && !devices_->empty());
  if (description_ != nullptr) {
    // The whole program is submitted before time passes, unless a window was asked for.
    if (config_.window == 0) window_ = ~std::size_t{0} >> 1;
    pool_.keep_beside(sizeof(VirtualTask));
    if (model == nullptr) model = make_model(*description_, config_);
    virtual_time_ = std::make_unique<VirtualTime>(*this, *description_, machine_, std::move(model),
                                                  static_cast<SimDriver&>(*driver_), *policy_, config_);
    answers_ = virtual_time_.get();
    policy_->start(find_thread_state().view);
    return;
  }
  ThreadState& self = find_thread_state();
  {
    SubmissionGuard guard(submission_lock_);
    role_holder_ = &self;
    self.context.worker = WorkerId(0);
  }
  for (std::size_t i = 1; i < machine_.workers.size(); ++i)
    workers_.push_back(std::make_unique<ThreadState>(*this, WorkerId(static_cast<std::uint32_t>(i)), true, seed_of(config_.seed, i)));
  if (!devices_->empty()) {
    core_slowdown_ = devices_->core_slowdown();
    pool_.keep_beside(sizeof(LiveTask));
    memory_ = std::make_unique<LiveMemory>(*this, machine_, *devices_, *driver_, *policy_, measured_before(machine_, config_, *devices_),
                                           config_.recovery);
    device_workers_ = std::make_unique<DeviceWorkers>(*this, *devices_, *memory_);
    answers_ = memory_.get();
  }
  driver_->start_teams(machine_);
  policy_->start(self.view);
  for (const Worker& worker : machine_.workers) {
    if (worker.processor < 0 || worker.bound_to.empty()) continue;
    homes_.resize(std::max(homes_.size(), static_cast<std::size_t>(worker.processor) + 1));
    homes_[static_cast<std::size_t>(worker.processor)] = true;
  }
  try {
    for (std::size_t i = 0; i + 1 < count; ++i)
      threads_.emplace_back([this, state = workers_[i].get()] { worker_main(*state); });
    if (device_workers_ != nullptr) device_workers_->start();
    if (config_.watchdog > Seconds(0.0)) watchdog_ = std::thread([this] { watchdog_main(); });
  } catch (...) {
    stop_threads();
    throw;
  }
}

TaskEngine::~TaskEngine() {
  ThreadState& self = thread_state();
  self.recorder.reset();
  try {
    help_out();
  } catch (const Error&) {  // virtual time stands still: the records go with their pool
  }
  stop_threads();
  write_recorded_graph();
  std::scoped_lock lock(keep_mutex_);
  for (Datum* root : data_)
    graph::for_each_in_tree(*root, [&](Datum& datum) {
      if (memory_ != nullptr) memory_->forget(datum);
      memory::release_all(datum, *driver_);
      std::atomic_ref(datum.engine).store(nullptr, std::memory_order_relaxed);  // handles may outlive the Runtime
    });
  if (memory_ != nullptr) destroy_dead(self);
  for (Datum* datum : retired_) delete datum;
  thread_cache = {};
}

void TaskEngine::write_recorded_graph() noexcept {
  if (graph_recorder_ == nullptr) return;
  std::string message;
  try {
    return graph_recorder_->write();
  } catch (const std::exception& error) {  // a destructor cannot throw, and nobody is left to ask
    message = detail::message("the graph of this run is not written (MITRA_RECORD_GRAPH): ", error.what(), '\n');
  }
  if (config_.report != nullptr)
    config_.report(message);
  else
    report_to_standard_error(message);
}

/// Threads are bound to caches, and the application's not at all: the system may put two of them on one processor while
/// another one idles, for many of its time slices. Who is on another worker's processor goes to his own.
void TaskEngine::go_home(ThreadState& self) noexcept {
  if (homes_.empty() || !self.context.worker.valid()) return;
  const int here = driver_->processor(), home = machine_.workers[self.context.worker.index()].processor;
  if (here == home || here < 0 || static_cast<std::size_t>(here) >= homes_.size() || !homes_[static_cast<std::size_t>(here)]) return;
  // Not again at once: somebody else's threads may be what the system has made way for.
  constexpr Seconds kBetween(0.005);
  const Seconds now = driver_->now();
  if (now - self.went_home < kBetween) return;
  self.went_home = now;
  driver_->move_to(home);
}

void TaskEngine::run_moldable(const detail::ExecutionContext& context, void (*body)(const detail::ExecutionContext&)) {
  if (!context.worker.valid()) return body(context);  // again, for what was lost with a device
  struct Call {
    const detail::ExecutionContext& context;
    void (*body)(const detail::ExecutionContext&);
  } call{context, body};
  driver_->run_on_team(
      machine_.workers[context.worker.index()],
      [](void* argument) {
        const auto& c = *static_cast<const Call*>(argument);
        c.body(c.context);
      },
      &call);
}

void TaskEngine::stop_threads() noexcept {
  stopping_.store(true, std::memory_order_release);
  {
    std::scoped_lock lock(watchdog_mutex_);
    watchdog_wake_.notify_all();
  }
  // A worker that is about to sleep, and not known to Parking yet, looks at `stopping_` once more after its announcement.
  for (auto& worker : workers_) parking_.wake(worker->parker, Token::look);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (device_workers_ != nullptr) device_workers_->stop();
  if (watchdog_.joinable()) watchdog_.join();
}

void TaskEngine::wake_worker(WorkerId worker) {
  if (virtual_time_ != nullptr) return virtual_time_->wake(worker);
  if (worker.index() >= cores_ && device_workers_ != nullptr) return device_workers_->wake(worker);
  if (worker.index() > 0 && worker.index() <= workers_.size())
    parking_.wake(workers_[worker.index() - 1]->parker, Token::search);
  else
    notify_waiters();  // worker 0 sleeps only while it waits
}

// ------------------------------------------------------------------------------------------------ thread states

ThreadState& TaskEngine::find_thread_state() {
  std::scoped_lock lock(threads_mutex_);
  std::unique_ptr<ThreadState>& state = external_[std::this_thread::get_id()];
  if (state == nullptr) {
    state = std::make_unique<ThreadState>(*this, WorkerId(), false, seed_of(config_.seed, kLargestWorkers + external_.size()));
    state->next_external = external_list_.load(std::memory_order_relaxed);
    external_list_.store(state.get(), std::memory_order_release);
  }
  thread_cache = {serial_, state.get()};
  return *state;
}

// ------------------------------------------------------------------------------------------------ data

struct DatumDeleter {
  void operator()(Datum* datum) const {
    auto* engine = static_cast<TaskEngine*>(std::atomic_ref(datum->engine).load(std::memory_order_relaxed));
    if (engine == nullptr)
      delete datum;
    else
      engine->forget_data(datum);
  }
};

std::shared_ptr<detail::DataHeader> TaskEngine::add_data(detail::DataSpec spec) {
  ThreadState& self = thread_state();
  std::shared_ptr<Datum> datum(new Datum, DatumDeleter{});
  datum->host = spec.host;
  datum->shape = spec.shape;
  datum->name = std::move(spec.name);
  datum->lent = spec.host != nullptr;
  if (self.context.task != nullptr) datum->registered_in = self.context.task->id.load(std::memory_order_relaxed);
  const auto virtual_lock = lock_virtual_time();  // the outermost of all locks
  std::scoped_lock lock(keep_mutex_);
  data_.insert(datum.get());
  datum->engine = this;
  if (graph_recorder_ != nullptr) graph_recorder_->registered(*datum, datum->name);
  if (virtual_time_ != nullptr) virtual_time_->add_data(*datum);
  if (memory_ != nullptr) memory_->add(*datum);
  return datum;
}

bool TaskEngine::in_use(Datum& root) {
  SubmissionGuard guard(submission_lock_);
  const auto open = [](const Member& m) { return detail::is_open(*m.task, m.id); };
  bool used = false;
  graph::for_each_in_tree(root, [&](const Datum& datum) {
    for (std::uint32_t i = 0; i < datum.root.count && !used; ++i) used = open(datum.root.member(i));
    used = used || (datum.root.previous.task != nullptr && open(datum.root.previous));
  });
  return used;
}

void TaskEngine::forget_data(Datum* datum) noexcept {
  ThreadState& self = thread_state();
  const bool from_task = self.context.task != nullptr;
  const bool may_wait = self.destroying == 0 && self.recorder == nullptr && self.leases == 0 &&
                        (from_task ? datum->registered_in == self.context.task->id.load(std::memory_order_relaxed)
                                   : !self.worker_thread);
  bool reduced = false;  // and not folded: the application is to find the result in its memory
  {
    SubmissionGuard guard(submission_lock_);
    graph::for_each_in_tree(*datum, [&](const Datum& d) { reduced |= d.root.group == graph::AccessGroup::reduce; });
  }
  if (may_wait && (from_task || reduced || in_use(*datum))) {
    try {
      end_lease(lend(detail::AccessWord(datum, AccessMode::readwrite), SourceLocation{}, "wait"));
    } catch (const Error&) {
      // The tasks that used it are over all the same; Runtime::wait() tells of the failure.
    }
  }
  if (may_wait && !in_use(*datum) && away_from_home(*datum))
    graph::for_each_in_tree(*datum, [&](Datum& d) {
      if (memory_->away_from_home(d)) static_cast<void>(fetch_home(self, d));  // a handle's end has nobody to tell
    });
  if (in_use(*datum) || away_from_home(*datum)) {
    std::scoped_lock lock(keep_mutex_);
    retired_.push_back(datum);
    return;
  }
  {
    std::scoped_lock lock(keep_mutex_);
    data_.erase(datum);
  }
  {
    SubmissionGuard guard(submission_lock_);
    const auto each = [&](auto&& f) { graph::for_each_in_tree(*datum, [&](Datum& d) { f(&d); }); };
    if (!open_reductions_.empty()) each([&](Datum* d) MITRA_NO_THREAD_SAFETY_ANALYSIS { std::erase(open_reductions_, d); });
    if (from_task && (self.context.task->traits & detail::kParent)) {
      Domain& domain = Domain::of(*self.context.task);
      each([&](Datum* d) {
        domain.states.erase(d);
        domain.levels.erase(d);
        std::erase(domain.open_reductions, d);
      });
    }
  }
  delete_data(datum);
}

void TaskEngine::delete_data(Datum* root) noexcept {
  {
    const auto virtual_lock = lock_virtual_time();
    graph::for_each_in_tree(*root, [&](Datum& datum) {
      if (virtual_time_ != nullptr) virtual_time_->forget_data(datum);
      if (memory_ != nullptr) memory_->forget(datum);
      memory::release_all(datum, *driver_);
    });
  }
  if (memory_ != nullptr) return memory_->bury(root);
  delete root;
}

bool TaskEngine::away_from_home(Datum& root) const {
  bool away = false;
  if (memory_ != nullptr) graph::for_each_in_tree(root, [&](Datum& datum) { away = away || memory_->away_from_home(datum); });
  return away;
}

void TaskEngine::free_retired_data() {
  const auto virtual_lock = lock_virtual_time();
  std::vector<Datum*> free;
  {
    std::scoped_lock lock(keep_mutex_);
    std::erase_if(retired_, [&](Datum* datum) {
      if (in_use(*datum) || away_from_home(*datum)) return false;
      data_.erase(datum);
      free.push_back(datum);
      return true;
    });
  }
  for (Datum* datum : free) delete_data(datum);
}

void TaskEngine::rebind(detail::DataHeader* data, void* host) {
  if (data == nullptr) throw MisuseError("rebind: the handle has no datum: it is empty or was moved from");
  auto& datum = static_cast<Datum&>(*data);
  if (data->engine != this)
    throw MisuseError(detail::message("rebind: ", datum.label(), " was registered with ",
                                      data->engine == nullptr ? "a Runtime that has ended" : "another Runtime"));
  if (host == nullptr) throw MisuseError(detail::message("rebind: the new memory of ", datum.label(), " is null"));
  if (graph::in_tree(datum) && datum.tree->within != nullptr)
    throw MisuseError(detail::message("rebind: ", datum.label(), " is a part of ", datum.tree->root->label(), ": rebind that one"));
  if (!datum.lent) throw MisuseError(detail::message("rebind: Mitra allocated ", datum.label(), ": only lent memory can be changed"));
  if (in_use(datum))
    throw MisuseError(detail::message("rebind: ", datum.label(), " is in use by a task; wait for it first"));
  if (memory_ != nullptr && graph::in_tree(datum))
    throw MisuseError(detail::message("rebind: ", datum.label(), " has parts, and beside devices its memory stays where it is"));
  datum.host = host;
  if (graph::in_tree(datum)) graph::place_parts(datum);
  if (memory_ != nullptr) memory_->moved(datum);
}

void TaskEngine::keep(std::shared_ptr<const void> state) {
  std::scoped_lock lock(keep_mutex_);
  kept_.push_back(std::move(state));
}

Statistics TaskEngine::statistics() const {
  Statistics result;
  result.executed_by_worker.assign(machine_.workers.size(), 0);
  for (std::size_t i = 0; i < workers_.size(); ++i)
    result.executed_by_worker[i + 1] = workers_[i]->executed.load(std::memory_order_relaxed);
  for (ThreadState* s = external_list_.load(std::memory_order_acquire); s != nullptr; s = s->next_external)
    result.executed_by_worker[0] += s->executed.load(std::memory_order_relaxed);
  if (virtual_time_ != nullptr) result.executed_by_worker = virtual_time_->executed_by_worker();
  for (std::uint64_t count : result.executed_by_worker) result.executed += count;
  result.submitted = replayed_tasks_.load(std::memory_order_relaxed);
  for (const auto& worker : workers_) result.submitted += worker->submitted.load(std::memory_order_relaxed);
  for (ThreadState* s = external_list_.load(std::memory_order_acquire); s != nullptr; s = s->next_external)
    result.submitted += s->submitted.load(std::memory_order_relaxed);
  result.split = split_tasks_.load(std::memory_order_relaxed);
  result.transitions = transitions_.load(std::memory_order_relaxed);
  result.record_bytes = pool_.bytes();
  if (memory_ != nullptr) {
    result.memory = memory_->report();
    std::tie(result.lost_devices, result.recomputed) = memory_->losses();
  }
  return result;
}

}  // namespace mitra::engine
