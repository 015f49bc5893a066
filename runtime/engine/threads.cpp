// How an engine begins and ends: machine, policy, worker threads; the states of all threads that touch it; its data.
// Flow: Runtime -> [threads] -> worker loop.
#include <algorithm>
#include <string>

#include <mitra/error.hpp>
#include <mitra/registry.hpp>

#include "engine/task_engine.hpp"
#include "engine/recorder.hpp"
#include "memory/private_copies.hpp"
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

}  // namespace

ThreadState::ThreadState(TaskEngine& owner, WorkerId id, bool is_worker_thread, std::uint64_t seed)
    : context{&owner, id, NodeId(0), nullptr}, worker_thread(is_worker_thread), view(owner, *this, seed) {}

const Machine& WorkerView::machine() const { return engine_.machine(); }
WorkerId WorkerView::self() const { return self_.context.worker; }
Seconds WorkerView::now() const { return engine_.now(); }
void WorkerView::wake(WorkerId worker) { engine_.wake_worker(worker); }

// ------------------------------------------------------------------------------------------------ begin and end

TaskEngine::TaskEngine(const Config& config)
    : config_(config), serial_(next_serial()), driver_(make_cpu_driver()), machine_([&] {
        if (config.workers > kLargestWorkers)
          throw ConfigError(detail::message("workers=", config.workers, ": at most ", kLargestWorkers, " (set by MITRA_WORKERS)"));
        return model::discover_machine(config.workers, config.bind);
      }()),
      policy_(make_scheduler(config.scheduler)),
      parking_(machine_.workers.size(), static_cast<std::size_t>(machine_.processors)) {
  if (!(config_.watchdog >= Seconds(0.0) && config_.watchdog < Seconds(1e9)))
    throw ConfigError(detail::message("watchdog=", config_.watchdog.value, ": 0 to 1e9 seconds are expected (set by MITRA_WATCHDOG)"));
  const std::size_t count = machine_.workers.size();
  // Enough that workers do not starve while the submitting thread helps; small enough that the records stay in a core's L2.
  window_ = config_.window != 0 ? config_.window : std::max<std::size_t>(2048, 64 * count);
  spins_ = count > static_cast<std::size_t>(machine_.processors) ? 32 : 4096;
  policy_concurrent_ = policy_->concurrent();
  policy_watches_submissions_ = policy_->watches_submissions();
  policy_watches_completions_ = policy_->watches_completions();
  ThreadState& self = find_thread_state();
  {
    SubmissionGuard guard(submission_lock_);
    role_holder_ = &self;
    self.context.worker = WorkerId(0);
  }
  policy_->start(self.view);
  for (std::size_t i = 1; i < count; ++i)
    workers_.push_back(std::make_unique<ThreadState>(*this, WorkerId(static_cast<std::uint32_t>(i)), true, seed_of(config_.seed, i)));
  try {
    for (auto& worker : workers_) threads_.emplace_back([this, state = worker.get()] { worker_main(*state); });
    if (config_.watchdog > Seconds(0.0)) watchdog_ = std::thread([this] { watchdog_main(); });
  } catch (...) {
    stop_threads();
    throw;
  }
}

TaskEngine::~TaskEngine() {
  ThreadState& self = thread_state();
  self.recorder.reset();
  help_out();
  stop_threads();
  std::scoped_lock lock(keep_mutex_);
  for (Datum* datum : data_) {
    memory::release_all(*datum, *driver_);
    std::atomic_ref(datum->engine).store(nullptr, std::memory_order_relaxed);  // handles may outlive the Runtime
  }
  for (Datum* datum : retired_) delete datum;
  thread_cache = {};
}

void TaskEngine::stop_threads() noexcept {
  stopping_.store(true, std::memory_order_release);
  {
    std::scoped_lock lock(watchdog_mutex_);
    watchdog_wake_.notify_all();
  }
  // A worker that has looked at `stopping_` before may be about to sleep: the token wakes it all the same.
  for (auto& worker : workers_) worker->parker.unpark();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (watchdog_.joinable()) watchdog_.join();
}

void TaskEngine::wake_worker(WorkerId worker) {
  if (worker.index() > 0 && worker.index() <= workers_.size())
    parking_.wake(workers_[worker.index() - 1]->parker);
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
  std::scoped_lock lock(keep_mutex_);
  data_.insert(datum.get());
  datum->engine = this;
  return datum;
}

bool TaskEngine::in_use(const Datum& datum) {
  SubmissionGuard guard(submission_lock_);
  auto open = [](const Member& m) {
    const std::uint64_t list = m.task->successors.load(std::memory_order_acquire);
    return m.task->id.load(std::memory_order_relaxed) == m.id && list >> 48 == (m.id & 0xffff) && !(list & detail::kClosed);
  };
  for (std::uint32_t i = 0; i < datum.root.count; ++i)
    if (open(datum.root.member(i))) return true;
  return datum.root.previous.task != nullptr && open(datum.root.previous);
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
    reduced = datum->root.group == graph::AccessGroup::reduce;
  }
  if (may_wait && (from_task || reduced || in_use(*datum))) {
    try {
      end_lease(begin_lease(detail::AccessWord(datum, AccessMode::readwrite), SourceLocation{}));
    } catch (const Error&) {
      // The tasks that used it are over all the same; Runtime::wait() tells of the failure.
    }
  }
  if (in_use(*datum)) {
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
    std::erase(open_reductions_, datum);
  }
  if (from_task) {
    SubmissionGuard guard(submission_lock_);
    if (self.context.task->traits & detail::kParent) {
      Domain::of(*self.context.task).states.erase(datum);
      std::erase(Domain::of(*self.context.task).open_reductions, datum);
    }
  }
  memory::release_all(*datum, *driver_);
  delete datum;
}

void TaskEngine::free_retired_data() {
  std::vector<Datum*> free;
  {
    std::scoped_lock lock(keep_mutex_);
    std::erase_if(retired_, [&](Datum* datum) {
      if (in_use(*datum)) return false;
      data_.erase(datum);
      free.push_back(datum);
      return true;
    });
  }
  for (Datum* datum : free) {
    memory::release_all(*datum, *driver_);
    delete datum;
  }
}

void TaskEngine::rebind(detail::DataHeader* data, void* host) {
  if (data == nullptr) throw MisuseError("rebind: the handle has no datum: it is empty or was moved from");
  auto& datum = static_cast<Datum&>(*data);
  if (data->engine != this)
    throw MisuseError(detail::message("rebind: ", datum.label(), " was registered with ",
                                      data->engine == nullptr ? "a Runtime that has ended" : "another Runtime"));
  if (host == nullptr) throw MisuseError(detail::message("rebind: the new memory of ", datum.label(), " is null"));
  if (!datum.lent) throw MisuseError(detail::message("rebind: Mitra allocated ", datum.label(), ": only lent memory can be changed"));
  if (in_use(datum))
    throw MisuseError(detail::message("rebind: ", datum.label(), " is in use by a task; wait for it first"));
  datum.host = host;
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
  for (std::uint64_t count : result.executed_by_worker) result.executed += count;
  result.submitted = replayed_tasks_.load(std::memory_order_relaxed);
  for (const auto& worker : workers_) result.submitted += worker->submitted.load(std::memory_order_relaxed);
  for (ThreadState* s = external_list_.load(std::memory_order_acquire); s != nullptr; s = s->next_external)
    result.submitted += s->submitted.load(std::memory_order_relaxed);
  result.record_bytes = pool_.bytes();
  return result;
}

}  // namespace mitra::engine
