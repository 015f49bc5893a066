# The list of built-in scheduling policies is the list of files in schedulers/: adding a policy is adding a file.

# mitra_builtin_schedulers(TARGET)
# Every schedulers/NAME.cpp defines `extern "C" const mitra::PolicyInfo* mitra_scheduler_NAME()`. Generates the table
# of these functions, sorted by name, as mitra::detail::builtin_schedulers(), and compiles it into TARGET.
function(mitra_builtin_schedulers target)
  if(NOT TARGET ${target})
    return()
  endif()
  file(GLOB names CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/schedulers" "${PROJECT_SOURCE_DIR}/schedulers/*.cpp")
  list(TRANSFORM names REPLACE "\\.cpp$" "")
  list(SORT names)
  list(LENGTH names count)

  set(declarations "")
  set(entries "")
  foreach(name IN LISTS names)
    if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
      message(FATAL_ERROR "schedulers/${name}.cpp: a policy's file name is its name in snake_case (a-z, 0-9, _)")
    endif()
    string(APPEND declarations "extern \"C\" const mitra::PolicyInfo* mitra_scheduler_${name}();\n")
    string(APPEND entries "    &mitra_scheduler_${name},\n")
  endforeach()

  set(file "${PROJECT_BINARY_DIR}/generated/builtin_schedulers.cpp")
  file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT [=[
// Generated from the file names in schedulers/. Flow: schedulers -> [engine registry]. Thread-safety: immutable.
#include <array>
#include <mitra/scheduling_policy.hpp>
#include <span>

#include "engine/registry.hpp"

@declarations@
namespace mitra::detail {

std::span<const PolicyInfoFunction> builtin_schedulers() noexcept {
  static constexpr std::array<PolicyInfoFunction, @count@> functions{
@entries@  };
  return functions;
}

}  // namespace mitra::detail
]=])
  target_sources(${target} PRIVATE "${file}")
endfunction()
