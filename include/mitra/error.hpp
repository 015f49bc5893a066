// What Mitra throws. Every message says what, where, and what next.
// Flow: every layer -> caller. Thread-safety: immutable.
#pragma once

#include <exception>
#include <mitra/source_location.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include <mitra/types.hpp>

namespace mitra {

/// The base of everything that Mitra throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A configuration value that does not exist or cannot be.
struct ConfigError : Error {
  using Error::Error;
};

/// A call that its contract forbids: a handle of another Runtime, a wait that could never end, a cycle.
struct MisuseError : Error {
  using Error::Error;
};

/// A task that this machine cannot execute.
struct SubmitError : Error {
  using Error::Error;
};

/// An invariant of Mitra itself does not hold: a defect of the library, not of the caller.
struct InternalError : Error {
  using Error::Error;
};

/// A task's body threw. what() names the task, the place of its submission and the message of what it threw.
struct TaskError : Error {
  TaskError(const std::string& message, std::string task_name, TaskId task_id, SourceLocation submitted_at,
            std::exception_ptr thrown)
      : Error(message), name(std::move(task_name)), id(task_id), where(submitted_at), cause(std::move(thrown)) {}

  std::string name;            ///< The task's name.
  TaskId id;                   ///< The task that failed first.
  SourceLocation where;  ///< Where it was submitted.
  std::exception_ptr cause;    ///< What its body threw.
};

namespace detail {

template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

}  // namespace detail

}  // namespace mitra

/// An invariant, as a sentence, in every build: throws InternalError when it does not hold.
#define MITRA_CHECK(condition, ...)                                                                           \
  do {                                                                                                        \
    if (!(condition)) [[unlikely]]                                                                            \
      throw ::mitra::InternalError(::mitra::detail::message("internal error: ", __VA_ARGS__, " (", #condition, \
                                                            " is false; please report this)"));               \
  } while (false)
