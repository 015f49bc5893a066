// Tells what a run that makes no progress is waiting for, and lets it go on.
// Flow: Config::watchdog -> [watchdog] -> Config::report. Thread-safety: a thread of its own; reads what is atomic.
#include <chrono>
#include <set>
#include <utility>

#include "engine/devices/live_memory.hpp"
#include "engine/task_engine.hpp"

namespace mitra::engine {

namespace {

constexpr std::size_t kTasksNamed = 20;

std::string describe(const TaskHeader& task) {
  const SourceLocation where = task.where().unpack();
  std::string text = detail::message("task '", task.name(), "' #", task.id.load(std::memory_order_relaxed));
  if (where.line != 0) text += detail::message(" (", where.file, ':', where.line, ')');
  return text;
}

std::string describe_accesses(const TaskHeader& task) {
  std::string text;
  for (std::size_t i = 0; i < task.accesses; ++i) {
    const detail::AccessWord word = task.access_words()[i];
    text += detail::message(i == 0 ? " on " : ", ", graph::datum_of(word).label(), '.', to_string(word.mode()), "()");
  }
  return text;
}

}  // namespace

void TaskEngine::watchdog_main() {
  using namespace std::chrono;
  const auto period = duration<double>(config_.watchdog.value);
  std::uint64_t last_finished = finished_tasks(), last_executed = statistics().executed;
  bool told = false;
  std::unique_lock lock(watchdog_mutex_);
  while (!watchdog_wake_.wait_for(lock, period, [&] { return stopping_.load(std::memory_order_acquire); })) {
    const std::uint64_t finished = finished_tasks(), executed = statistics().executed;
    const bool progress = finished != last_finished || executed != last_executed;
    last_finished = finished;
    last_executed = executed;
    if (progress || finished == next_id_.load(std::memory_order_acquire)) {
      told = false;
      continue;
    }
    if (std::exchange(told, true)) continue;  // once for each time it gets stuck
    const std::string text = describe_stall();
    if (config_.report)
      config_.report(text);
    else
      report_to_standard_error(text);
  }
}

std::string TaskEngine::describe_stall() {
  // Nobody submits while this looks, and a stuck run changes little else. Whoever finishes meanwhile closes its list; the
  // members of a list that is still open are records of tasks that wait, which stay as they are.
  SubmissionGuard guard(submission_lock_);
  std::string text = detail::message("no task has finished for ", config_.watchdog.value, " s; ",
                                     next_id_.load(std::memory_order_relaxed) - finished_tasks(), " are in flight\n");
  std::set<const TaskHeader*> running;
  auto look = [&](const ThreadState& state) {
    if (const TaskHeader* task = state.running.load(std::memory_order_acquire)) {
      running.insert(task);
      text += detail::message("  running on worker ",
                              state.context.worker.valid() ? std::to_string(state.context.worker.value) : std::string("?"), ": ",
                              describe(*task), describe_accesses(*task), '\n');
      for (const TaskHeader* parent = task->parent; parent != nullptr && parent->type != nullptr; parent = parent->parent)
        if (running.insert(parent).second)
          text += detail::message("  waiting for its children: ", describe(*parent), describe_accesses(*parent), '\n');
    }
  };
  for (const auto& worker : workers_) look(*worker);
  for (ThreadState* s = external_list_.load(std::memory_order_acquire); s != nullptr; s = s->next_external) look(*s);
  std::size_t waiting = 0;
  pool_.for_each([&](TaskRecord& record) {
    const std::uint64_t list = record.successors.load(std::memory_order_acquire);
    if (list & detail::kClosed) return;
    for (std::uint64_t slot = list & (detail::kSlotMask | detail::kOverflow); slot != 0; slot = graph::slot_at(slot)->next) {
      const TaskHeader& successor = *graph::owner_of(slot);
      if (++waiting > kTasksNamed) continue;
      text += detail::message("  waiting: ", describe(successor), describe_accesses(successor), ", for ", describe(record),
                              running.contains(&record) ? ", which runs" : "", '\n');
    }
  });
  if (waiting > kTasksNamed) text += detail::message("  ... and ", waiting - kTasksNamed, " more edges\n");
  if (memory_ != nullptr) text += memory_->describe_waiting();
  if (running.empty())
    text += "  nothing runs: a thread of the application may hold acquired data, or the policy keeps ready tasks\n";
  return text;
}

}  // namespace mitra::engine
