// A submitted task, in the hands of the application.
// Flow: Runtime::submit -> [task] -> application. Thread-safety: thread-safe.
#pragma once

#include <mitra/source_location.hpp>
#include <string>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/types.hpp>

namespace mitra {

class Engine;

enum class TaskStatus : std::uint8_t {
  pending,    ///< Submitted; waiting, ready or running.
  done,       ///< Its body returned, and its children finished.
  failed,     ///< Its body threw.
  cancelled,  ///< Its body did not run: it, or a task that it depends on, was cancelled or failed.
};

/// A light reference: copying it costs nothing, and the task does not wait for it. An empty Task counts as done.
class Task {
 public:
  Task() = default;
  Task(Engine* engine, detail::TaskHeader* header, TaskId id) : engine_(engine), header_(header), id_(id) {}

  TaskId id() const { return id_; }
  /// Until the next wait() of the Runtime has reported the errors, failures stay visible here; after it they read as done.
  TaskStatus status() const;
  bool done() const { return status() != TaskStatus::pending; }
  /// Helps with ready tasks until this one has finished.
  /// @throws TaskError if it failed, or was cancelled by a failure; MisuseError inside a task, for a task that is not its child.
  void wait() const;
  /// Asks that the body not be run; the tasks that depend on it are cancelled with it. Nothing happens once it runs:
  /// status() tells after wait().
  void cancel() const;

  Engine* engine() const { return engine_; }
  detail::TaskHeader* header() const { return header_; }

 private:
  Engine* engine_ = nullptr;
  detail::TaskHeader* header_ = nullptr;
  TaskId id_;
};

/// What a submission can say beside its codelet and its accesses.
struct TaskOptions {
  const char* name = nullptr;  ///< For one-shot bodies; a string that lives as long as the Runtime. A codelet has its own.
  int priority = 0;            ///< Larger is more urgent.
  std::vector<Task> after{};   ///< Explicit predecessors, beside the inferred ones.
  SourceLocation where = SourceLocation::current();
};

/// A task's name together with the place where it is written.
class TaskName {
 public:
  /// A string literal: the name is kept by address.
  template <std::size_t N>
  consteval TaskName(const char (&text)[N], SourceLocation at = SourceLocation::current())  // NOLINT
      : text_(text), where_(at) {}
  const char* text() const { return text_; }
  SourceLocation where() const { return where_; }

 private:
  const char* text_;
  SourceLocation where_;
};

}  // namespace mitra
