// A policy's view of the run, for one thread.
// Flow: policy -> [worker view] -> engine, answers.
#include "engine/task_engine.hpp"

#include "engine/answers.hpp"

namespace mitra::engine {

const Machine& WorkerView::machine() const { return engine_.machine(); }
WorkerId WorkerView::self() const { return self_.context.worker; }
Seconds WorkerView::now() const { return engine_.now(); }
void WorkerView::wake(WorkerId worker) { engine_.wake_worker(worker); }
std::span<const TaskId> WorkerView::predecessors() const { return self_.predecessors; }

std::optional<Estimate> WorkerView::estimate(TaskRef task, ClassId worker_class) {
  if (engine_.answers_ == nullptr) return std::nullopt;
  return engine_.answers_->estimate(*task.header(), worker_class);
}
Bytes WorkerView::bytes_missing(TaskRef task, NodeId node) {
  return engine_.answers_ == nullptr ? Bytes(0) : engine_.answers_->bytes_missing(*task.header(), node);
}
std::optional<Seconds> WorkerView::transfer_time(TaskRef task, NodeId node) {
  return engine_.answers_ == nullptr ? Seconds(0.0) : engine_.answers_->transfer_time(*task.header(), node);
}
Seconds WorkerView::links_busy(NodeId node) {
  return engine_.answers_ == nullptr ? Seconds(0.0) : engine_.answers_->links_busy(node);
}
bool WorkerView::holds(const AccessRef& access, NodeId node) {
  return engine_.answers_ == nullptr || engine_.answers_->holds(*access.header(), node);
}
std::optional<Bytes> WorkerView::room(NodeId node) {
  if (engine_.answers_ == nullptr) return std::nullopt;
  return engine_.answers_->room(node);
}
void WorkerView::prefetch(TaskRef task, NodeId node) {
  if (engine_.answers_ != nullptr) engine_.answers_->prefetch(*task.header(), node);
}
void WorkerView::write_back(const AccessRef& access) {
  if (engine_.answers_ != nullptr) engine_.answers_->write_back(*access.header());
}
Seconds WorkerView::busy_until(WorkerId worker) {
  return engine_.answers_ == nullptr ? engine_.now() : engine_.answers_->busy_until(worker);
}
TaskRef WorkerView::take_back(WorkerId worker) {
  return engine_.answers_ == nullptr ? TaskRef() : TaskRef(engine_.answers_->take_back(worker));
}
std::vector<Seconds> WorkerView::rehearse(std::span<const PolicyMaker> policies) {
  return engine_.answers_ == nullptr ? std::vector<Seconds>{} : engine_.answers_->rehearse(policies);
}

}  // namespace mitra::engine
