// What policies ask of a run that knows costs and memories: one in virtual time, or one beside devices.
// Flow: policy -> SchedulerView -> [answers] <- virtual time, live memory. Thread-safety: as whoever answers says.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <mitra/scheduling_policy.hpp>

namespace mitra::engine {

/// The part of SchedulerView that depends on what executes the tasks; its calls mean what they mean there. Without anybody
/// to answer, on this machine's one memory, no model knows the tasks, and that memory holds all.
class Answers {
 public:
  virtual ~Answers() = default;
  virtual std::optional<Estimate> estimate(detail::TaskHeader& task, ClassId worker_class) = 0;
  virtual Bytes bytes_missing(const detail::TaskHeader& task, NodeId node) = 0;
  virtual Seconds transfer_time(const detail::TaskHeader& task, NodeId node) = 0;
  virtual Seconds links_busy(NodeId node) = 0;
  virtual bool holds(const detail::DataHeader& data, NodeId node) = 0;
  virtual std::optional<Bytes> room(NodeId node) = 0;
  virtual void prefetch(const detail::TaskHeader& task, NodeId node) = 0;
  virtual void write_back(const detail::DataHeader& data) = 0;
  virtual Seconds busy_until(WorkerId worker) = 0;
  virtual detail::TaskHeader* take_back(WorkerId worker) { return static_cast<void>(worker), nullptr; }
  virtual std::vector<Seconds> rehearse(std::span<const PolicyMaker> policies) { return static_cast<void>(policies), std::vector<Seconds>{}; }
};

}  // namespace mitra::engine
