// A task as policies see it: who it is, what it touches, what it costs. Eight bytes, copied freely.
// Flow: engine -> [task ref] -> schedulers. Thread-safety: valid from ready() until the policy's next() has returned it.
#pragma once

#include <mitra/source_location.hpp>
#include <span>

#include <mitra/detail/spin_lock.hpp>
#include <mitra/detail/task_header.hpp>

namespace mitra {

/// One access of a task, for a policy's eyes.
class AccessRef {
 public:
  explicit AccessRef(detail::AccessWord word) : word_(word) {}
  AccessMode mode() const { return word_.mode(); }
  Bytes bytes() const { return word_.data()->shape.bytes(); }
  /// Equal for accesses to the same datum, different otherwise.
  const void* datum() const { return word_.data(); }
  /// For engines and drivers.
  detail::DataHeader* header() const { return word_.data(); }

 private:
  detail::AccessWord word_;
};

/// What a codelet says that one task costs.
using Work = detail::WorkAmount;

class TaskRef {
 public:
  TaskRef() = default;
  explicit TaskRef(detail::TaskHeader* header) : header_(header) {}

  explicit operator bool() const { return header_ != nullptr; }
  friend bool operator==(TaskRef, TaskRef) = default;

  /// Ids grow in submission order and break ties.
  TaskId id() const { return TaskId(header_->id.load(std::memory_order_relaxed)); }
  int priority() const { return header_->priority; }
  const char* name() const { return header_->name(); }
  SourceLocation where() const { return header_->where().unpack(); }
  std::size_t access_count() const { return header_->accesses; }
  AccessRef access(std::size_t i) const { return AccessRef(header_->access_words()[i]); }
  bool runs_on(WorkerKind kind) const { return header_->kinds >> static_cast<unsigned>(kind) & 1U; }
  /// On a team it uses all cores; false: one of them, and takes as long as on a core.
  bool moldable() const { return header_->type->moldable; }
  /// May SchedulingPolicy::splits() be answered with yes?
  bool can_split() const { return header_->type->split != nullptr; }
  /// Flops and bytes of the codelet's `.cost`; `known` is false where it states none.
  Work work() const { return header_->type->cost != nullptr ? header_->type->cost(*header_) : Work{}; }

  /// Eight bytes for the policy that holds the task: an intrusive list, an index.
  void* link() const { return header_->link; }
  void set_link(void* value) const { header_->link = value; }

  /// Fetches the task's memory, which another core may have written, before it is needed.
  void prefetch() const {
    detail::prefetch_for_write(header_);
    __builtin_prefetch(header_ + 1);
  }
  /// For engines and drivers.
  detail::TaskHeader* header() const { return header_; }

 private:
  detail::TaskHeader* header_ = nullptr;
};

}  // namespace mitra
