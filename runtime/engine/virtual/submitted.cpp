// What virtual time learns before tasks run: data and their parts, what tasks cost and where they fit, the longest path.
// Flow: Runtime::data, submission -> [submitted] -> memory manager, task costs, books.
#include <utility>

#include <mitra/error.hpp>

#include "engine/hot_path.hpp"
#include "engine/task_engine.hpp"
#include "engine/virtual/virtual_time.hpp"

namespace mitra::engine {

// ------------------------------------------------------------------------------------------------ data

void VirtualTime::add_data(Datum& datum) {
  datum.shape_number = costs_.shape_number(datum.shape) & 0xffffff;
  if (many_nodes_) memory_.add(datum, datum.lent);
}

void VirtualTime::forget_data(Datum& datum) {
  if (many_nodes_) memory_.forget(datum);
}

void VirtualTime::check_home(const Datum& root) const {
  const Bytes capacity = machine_.memory_nodes[0].capacity, size = root.shape.bytes();
  if (!many_nodes_ || capacity == Bytes(0) || size <= capacity) return;
  throw MisuseError(detail::message("a partition of ", root.label(), ": it takes ", size.value, " bytes, and the host's memory of ",
                                    machine_.name, ", where a datum and its parts meet, has ", capacity.value,
                                    "; register smaller data, such as rt.matrix<T>(...).tiled(...)"));
}

void VirtualTime::add_part(Datum& part, Datum& root) {
  part.shape_number = costs_.shape_number(part.shape) & 0xffffff;
  if (!many_nodes_) return;
  memory_.add(part, false);
  memory_.join_family(part, root);
}

// ------------------------------------------------------------------------------------------------ submission

VirtualTask& VirtualTime::of(const TaskHeader& task) const {
  if ((task.traits & detail::kRecorded) == 0) return graph::beside<VirtualTask>(task);
  const detail::GraphStorage& graph = graph_of(task);
  return reinterpret_cast<VirtualTask*>(graph.beside.get())[&task - graph.nodes.get()];
}

void VirtualTime::prepare(TaskHeader& task) {
  const std::scoped_lock lock(mutex_);
  task.kinds |= task.type->modelled;
  if (!config_.execute)
    for (std::size_t i = 0; i < task.accesses; ++i)
      if (const detail::AccessWord word = task.access_words()[i]; !reads_only(word.mode()))
        graph::root_of(graph::datum_of(word)).written = true;
  VirtualTask& mine = of(task);
  mine.row = costs_.row_of(task);
  const std::uint8_t known = costs_.known_kinds(mine.row);
  if (known != 0) {
    task.kinds &= known;
  } else if (config_.unknown <= Seconds(0.0)) {
    throw SubmitError(detail::message(
        "submit '", task.name(), "': no model knows how long it takes on a worker of ", machine_.name,
        "; give its codelet a .cost, the machine file a [[kernel]] row, calibrate, or set unknown (MITRA_UNKNOWN) to a time"));
  } else {
    ++books_.unknown;
  }
  if (config_.execute && task.type->launch[0] == nullptr)
    throw SubmitError(detail::message("submit '", task.name(), "': bodies are to run (execute), and it has no .cpu implementation"));
  if (!many_nodes_) return;
  task.kinds = largest_memories_.kinds_with_room(task, task.kinds);
}

void VirtualTime::submitted(TaskHeader& task, double path_end, std::uint32_t path, const detail::SubmitExtras* extras) {
  if (rehearsal_ != nullptr) rehearsal_->submitted(task, extras);
  if (many_nodes_ && memory_.is_tight() && !(task.traits & detail::kRecorded)) memory_.will_use(task);
  VirtualTask& mine = of(task);
  if (task.traits & (detail::kInternal | detail::kSignal | detail::kReplay)) {
    mine = {path_end, path, TaskCosts::kNothing};
    return;
  }
  // Of one that may be split nobody knows how long it takes at least.
  const bool may_split = task.type->split != nullptr && policy_.may_split();
  mine.path_end = path_end + (may_split ? 0.0 : costs_.shortest(mine.row));
  mine.path = books_.add_to_path(path, may_split ? TaskCosts::kNothing : mine.row, mine.path_end);
  books_.count_task(mine.row);
  if (kept_ != nullptr) kept_->add(task, mine.row);
}

void VirtualTime::pass_submission_time(ThreadState& self) {
  if (description_.submission_overhead <= Seconds(0.0)) return;
  const std::scoped_lock lock(mutex_);
  submission_clock_ = std::max(submission_clock_, driver_.now()) + description_.submission_overhead;
  settle(self);
  while (driver_.next_time() <= submission_clock_) {
    // The next event may be one that nobody hears of, such as the end of a latency: what follows it may come after this task.
    driver_.advance_to(submission_clock_);
    if (driver_.next_time() > submission_clock_ || !step(self)) break;
  }
  driver_.advance_to(submission_clock_);
}

}  // namespace mitra::engine
